/* The requested mounts of a run besides its root: the arguments of -v, --mount and --tmpfs as
 * values. Nothing is looked up here; volumes.h makes mounts of them. */
#ifndef VARVE_RUN_MOUNT_H
#define VARVE_RUN_MOUNT_H

#include <glib.h>

enum run_mount_type {
    RUN_MOUNT_VOLUME, /* of the store: named, or a fresh one that ends with the run */
    RUN_MOUNT_BIND,   /* a file or directory of this host */
    RUN_MOUNT_TMPFS,
};
struct run_mount {
    enum run_mount_type type;
    char *what;        /* as it was given ("-v data:/data"), for errors; owned, as all here */
    char *source;      /* the volume's name, NULL: a fresh one; or the path, from / or . */
    char *target;      /* absolute and clean, not "/" */
    gboolean readonly; /* the program cannot write to it */
    gboolean noexec;   /* tmpfs: no programs can be started from it */
    guint64 size;      /* tmpfs: bytes, 0: no limit */
    guint32 mode;      /* tmpfs: of its root, 0: default */
};
/* An array of them that clears removed elements. */
GArray *run_mounts_new(void);

/* Each appends one to mounts. VARVE_ERROR_USAGE, also if its target already has a mount.
 * "NAME:/PATH[:ro]", "/HOST:/PATH[:ro]", "./HOST:/PATH" or "/PATH". */
gboolean run_mount_add_volume(GArray *mounts, const char *text, GError **err);
/* "type=bind,source=/src,target=/dst,readonly". */
gboolean run_mount_add(GArray *mounts, const char *text, GError **err);
/* "/PATH[:size=64m,mode=1777,…]", with Docker's defaults; other options of the kernel's tmpfs are
 * not accepted. */
gboolean run_mount_add_tmpfs(GArray *mounts, const char *text, GError **err);
/* Whether one of them is at target, a clean path. */
gboolean run_mounts_have(const GArray *mounts, const char *target);

#endif
