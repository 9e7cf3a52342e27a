/* A cache mount's directory as it is: its entries, and digests of those files that are asked for,
 * from the store's stat cache where nothing changed. Internal to cache/mount*.c. */
#ifndef VARVE_CACHE_MOUNTSCAN_H
#define VARVE_CACHE_MOUNTSCAN_H

#include "cache/mount.h"
#include "tree/walk.h"

struct mount_scan {
    const struct mount_dir *dir; /* borrowed */
    struct walk walk;            /* entries have digests once they are hashed */
    guint8 *state;               /* by entry: enum mount_scan_state */
    gint64 started_ns;           /* wall clock before the first lstat */
};
enum mount_scan_state {
    SCAN_FRESH,  /* hashed now, if it has a digest */
    SCAN_CACHED, /* its digest is from an earlier scan */
    SCAN_MOVING, /* it is not any more what was seen */
};
/* Lists the directory. Takes digests of unchanged files from an earlier scan or, if that is NULL,
 * from the stat cache. */
struct mount_scan *mount_scan_new(const struct mount_dir *dir, const struct mount_scan *earlier,
                                  GError **err);
void mount_scan_free(struct mount_scan *s); /* NULL is fine */
/* Both saw the same. */
gboolean mount_scan_same(const struct mount_scan *a, const struct mount_scan *b);
/* Hashes the files with these numbers (guint32) that have no digest. Those that changed or vanished
 * meanwhile, or cannot be read, become SCAN_MOVING. */
gboolean mount_scan_hash(struct mount_scan *s, const GArray *numbers, GError **err);
/* Opens file i for reading, without changing its time of use; -1 if it is not what was seen, which
 * makes it SCAN_MOVING. */
int mount_scan_open(struct mount_scan *s, guint i);
/* Writes the stat cache. */
void mount_scan_save(const struct mount_scan *s);

static inline struct entry *mount_scan_at(const struct mount_scan *s, guint i)
{
    return entry_list_at(s->walk.entries, i);
}

static inline const struct walk_stat *mount_scan_stat(const struct mount_scan *s, guint i)
{
    return &g_array_index(s->walk.stats, struct walk_stat, i);
}

typedef struct mount_scan mount_scan;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mount_scan, mount_scan_free)

#endif
