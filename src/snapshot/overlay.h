/* The two overlayfs drivers. Both give a detached mount of a chain. Internal to this room. */
#ifndef VARVE_SNAPSHOT_OVERLAY_H
#define VARVE_SNAPSHOT_OVERLAY_H

#include "store/chain.h"

/* The most layers that overlayfs takes (OVL_MAX_STACK in the kernel). */
#define OVERLAY_MAX_LOWERS 500

/* Directories are relative to the store's root. */
struct overlay {
    struct store *store;
    const struct chain *chain; /* no layer twice; without an upper at least two */
    const char *upper, *work;  /* NULL: read-only */
    const char *floor;         /* mounted below the chain; NULL: none */
    int error; /* result: errno of the kernel's refusal; 0 if it did not refuse or was not asked
                */
};

/* Layers are given one by one (lowerdir+, since Linux 6.5), under names that do not reveal the
 * host's paths. -1 on error. */
int overlay_mount_fd(struct overlay *o, GError **err);
/* The same with the classic options, which must fit in one page: names are relative to layers/. The
 * mount is made in a separate mount namespace, so that the host never sees it; place, a directory
 * of the store, is created for it and removed. */
int overlay_mount_classic(struct overlay *o, const char *place, GError **err);

#endif
