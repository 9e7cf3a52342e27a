/* Snapshots: a chain of layers mounted by overlayfs, with a fresh upper that can become the next
 * layer.
 *
 * With the new mount API the overlay is a detached mount (fsopen, fsconfig lowerdir+ one per layer,
 * fsmount): it never appears in the host's mount table, and vanishes with the last descriptor, so
 * that a killed varve leaves no mount. On kernels without lowerdir+ (before 6.5) classic options
 * with names relative to the layers directory; on kernels or file systems that refuse overlayfs, a
 * copying fallback (the chain is materialised by copying, the layer found by comparing), which is
 * far slower: the caller tells the user (why). Whiteouts stay overlayfs's own. In a user namespace:
 * userxattr. A chain deeper than overlayfs's 500 layers is UNSUPPORTED. A layer that is in a chain
 * twice (two equal COPY --link) is mounted only at its topmost place: overlayfs takes no layer
 * twice, and the lower one adds nothing. */
#ifndef VARVE_SNAPSHOT_SNAPSHOT_H
#define VARVE_SNAPSHOT_SNAPSHOT_H

#include "base/cancel.h"
#include "store/layer.h"

enum snapshot_driver { DRIVER_AUTO, DRIVER_OVERLAY_FD, DRIVER_OVERLAY_CLASSIC, DRIVER_COPY };
/* "auto", "overlay", "classic" or "copy"; FALSE: none of them. */
gboolean snapshot_driver_parse(const char *text, enum snapshot_driver *out);

struct snapshot {
    struct store *store; /* borrowed */
    gboolean writable;   /* snapshot_commit() makes it a layer */
    char *tmp;    /* the layer under construction, relative to the root; read-only views have none,
                     or one for a copy */
    char *upper;  /* its fs/, which becomes the layer's; NULL when read-only */
    char *work;   /* overlayfs's work directory, next to it; NULL if not needed */
    int mount_fd; /* detached mount of the merged view (open_tree/fsmount descriptor), -1 after
                     close */
    enum snapshot_driver driver; /* the one in use */
    struct chain *chain;         /* what is below the upper, each layer once */
    int refused;                 /* errno of the last driver that the kernel refused; 0: none */
    char *why;                   /* why it fell back to DRIVER_COPY; else NULL */
    char *floor;                 /* see snapshot_open_floor(); NULL: none */
    GPtrArray *touched;          /* see snapshot_forget() */
    gpointer impl;               /* the driver's data */
};
/* Mounts chain; with writable a new upper is made (an empty chain needs none below it). readonly
 * views are shared lowers only. d: DRIVER_AUTO, or the one that must do. */
struct snapshot *snapshot_open(struct store *s, const struct chain *chain, gboolean writable,
                               enum snapshot_driver d, GError **err);
/* A writable one, with one more directory below all layers: floor, relative to the store's root. It
 * stays where it is and is no part of what becomes a layer. Only overlayfs shows it: without
 * layers, with as many as overlayfs takes, or where the chain is copied, the view is that of
 * snapshot_open(). */
struct snapshot *snapshot_open_floor(struct store *s, const struct chain *chain, const char *floor,
                                     enum snapshot_driver d, GError **err);
/* Mounts it once more, as it is now: mount_fd is another one. A kernel before 6.15 can attach a
 * detached mount to one sandbox only. Nothing may be open in the former mount. */
gboolean snapshot_remount(struct snapshot *sn, GError **err);
/* Before the commit: paths (char *, of directories in the root) in which only mount points were
 * created and removed (sandbox_spec.touched). If such a directory in the upper is empty and just
 * like the one below it, it is left out of the layer. */
void snapshot_forget(struct snapshot *sn, const GPtrArray *touched);
/* A warning for the user if sn had to be copied, else NULL. If all snapshots of a store will be
 * copied, only the first has one. */
char *snapshot_warning(const struct snapshot *sn);
/* Unmounts, and turns the upper into a committed layer with its index: *out is filled. Its files
 * are hashed meanwhile, until c is triggered (may be NULL). Frees sn in every case. */
gboolean snapshot_commit(struct snapshot *sn, struct cancel *c, struct layer_info *out,
                         GError **err);
/* Unmounts and throws the upper away. NULL is fine. */
void snapshot_discard(struct snapshot *sn);

typedef struct snapshot snapshot;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(snapshot, snapshot_discard)

#endif
