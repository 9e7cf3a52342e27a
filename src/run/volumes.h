/* Mounts of a run, made from the request (mount.h): volumes of the store, files of the host, tmpfs.
 * They belong to the run until its end, when fresh volumes are removed. */
#ifndef VARVE_RUN_VOLUMES_H
#define VARVE_RUN_VOLUMES_H

#include "exec/sandbox.h"
#include "run/mount.h"
#include "store/record.h"

/* All borrowed. */
struct run_volumes_options {
    struct store *store;
    const struct chain *chain; /* the image's: a new volume begins as what is at its place there */
    struct cancel *cancel;     /* or NULL */
};
struct run_volumes;
struct run_volumes *run_volumes_new(const struct run_volumes_options *o);
/* Once nothing uses the mounts: closes, gives the named volumes back and removes the fresh ones. */
void run_volumes_free(struct run_volumes *v);

/* Whether what of mounts (struct run_mount) is this host's is there. */
gboolean run_volumes_check_hosts(const GArray *mounts, GError **err);
gboolean run_volumes_mount(struct run_volumes *v, const struct run_mount *m, GError **err);
/* A mount made elsewhere; takes its descriptor and copies its destination. */
void run_volumes_add(struct run_volumes *v, const struct sandbox_mount *mount);
/* An image's VOLUMEs (a set of paths): those on which none of mounts (struct run_mount) is get
 * fresh ones. */
gboolean run_volumes_add_paths(struct run_volumes *v, GTree *volumes, const GArray *mounts,
                               GError **err);
/* The host's CA certificates (exec/hostca.h). */
gboolean run_volumes_add_host_ca(struct run_volumes *v, const char *bundle, GError **err);
/* All, for a sandbox_spec; v's. */
struct sandbox_mount *run_volumes_mounts(struct run_volumes *v, guint *n);

#endif
