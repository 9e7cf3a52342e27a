/* The two overlayfs drivers. Both give a detached mount of a chain. Internal to this room. */
#ifndef VARVE_SNAPSHOT_OVERLAY_H
#define VARVE_SNAPSHOT_OVERLAY_H

#include "store/record.h"

/* What overlayfs takes (OVL_MAX_STACK in the kernel). */
#define OVERLAY_MAX_LOWERS 500

/* tmp holds fs/ and work/ for the upper; NULL: read-only, then the chain has at least two layers.
 * Layers are given one by one (lowerdir+, since Linux 6.5), under names that do not tell the host's
 * paths. -1 on error. */
int overlay_mount_fd(struct store *s, const struct chain *c, const char *tmp, GError **err);
/* The same with the classic options, which must fit in one page: names are relative to layers/. The
 * mount is made in a mount namespace of its own, so that the host never sees it. tmp/merged is made
 * as its place; tmp is needed even when writable is FALSE. */
int overlay_mount_classic(struct store *s, const struct chain *c, const char *tmp,
                          gboolean writable, GError **err);

#endif
