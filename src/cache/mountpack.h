/* Making packs of a cache mount's files. Internal to cache/mount*.c.
 *
 * A pack is zstd of file contents one after another. Packs are made side by side, each by one
 * thread, file by file with fixed buffers. */
#ifndef VARVE_CACHE_MOUNTPACK_H
#define VARVE_CACHE_MOUNTPACK_H

#include "cache/mountmanifest.h"
#include "cache/mountscan.h"

#define PACK_TARGET (4 * 1024 * 1024)       /* bytes of small files in one pack, uncompressed */
#define PACKS_AT_ONCE (CACHE_PACKS_MAX / 2) /* that one export makes at most, about */
#define MOUNT_WORKERS 4 /* threads that compress or decompress: each has some MiB of buffers */

/* A content to be packed. */
struct pack_item {
    guint file;           /* its number in the scan */
    struct digest digest; /* of it */
    guint64 length;       /* bytes */
    guint group;          /* set by pack_group(): of which pack */
    gboolean packed;      /* set by pack_items(): it is in its pack, at offset */
    guint64 offset;       /* likewise */
};
/* Divides items (struct pack_item, in path order) into packs: of about PACK_TARGET bytes, or more
 * so that there are about PACKS_AT_ONCE at most; a larger file has a pack to itself. Returns how
 * many. */
guint pack_group(GArray *items);
/* How many pack_group() would make of so many bytes, at most. */
guint pack_estimate(guint64 bytes);
/* Makes the packs; they become blobs of the store. packs, empty, gets a struct mount_pack for each
 * group, with raw 0 if nothing of it could be packed. Files that changed are SCAN_MOVING. */
gboolean pack_items(struct mount_scan *s, GArray *items, guint n_groups, GArray *packs,
                    GError **err);

#endif
