/* The stat cache of one source directory: digests by path, with the result of lstat at that time.
 * Internal to tree/ and cache/; see statcache.c for the format. */
#ifndef VARVE_TREE_STATCACHE_H
#define VARVE_TREE_STATCACHE_H

#include "tree/walk.h"

/* One cached file. */
struct statcache_item {
    const char *path;     /* relative to the directory */
    guint64 size;         /* bytes */
    gint64 mtime_ns;      /* nanoseconds since the epoch */
    struct walk_stat st;  /* the rest of its stat */
    struct digest digest; /* of its content */
    gboolean has_xattrs;  /* it has xattrs that must be read again */
};
/* Number of items in bytes; 0 if they are malformed (a cache may be dropped but never trusted). */
guint statcache_len(GBytes *bytes);
/* Fills *out with item i < statcache_len(); path points into bytes. FALSE when malformed. */
gboolean statcache_at(GBytes *bytes, guint i, struct statcache_item *out);
/* items (struct statcache_item, sorted by path) as bytes; NULL if there are too many for the
 * format. */
GBytes *statcache_build(const GArray *items);

#endif
