/* Exported cache mounts of a reference: several writers may have left one each. */
#ifndef VARVE_CACHE_MOUNTREF_H
#define VARVE_CACHE_MOUNTREF_H

#include "cache/backend.h"
#include "cache/mount.h"
#include "cache/spec.h"

/* Whether the specification lets the cache mount of this id travel. */
gboolean mount_refs_wanted(const struct cache_spec *spec, const char *cache_id);
/* s's of the volume id and platform: struct cache_mount_ref*, borrowed. */
GPtrArray *mount_refs_of(const struct cache_segment *s, const char *id, const char *platform);
/* Adds what refs hold to the volume's directory, fetching what it lacks. *bytes: fetched. */
gboolean mount_refs_fill(struct cache_backend *b, const struct mount_dir *d, const GPtrArray *refs,
                         guint64 *files, guint64 *bytes, GError **err);

/* A volume that is exported. */
struct mount_volume {
    const char *id;       /* solver_volume_id() */
    const char *platform; /* that wrote it */
    gboolean filled;      /* from the same reference in this build: it has all that is there */
};
/* Exports it as one reference, of which refs is what there is. *out NULL without error: there is
 * nothing new. The new blobs are in the store. *left_out: bytes beyond max_bytes. */
gboolean mount_refs_export(struct cache_backend *b, const struct mount_volume *v,
                           const struct mount_dir *d, const GPtrArray *refs, guint64 max_bytes,
                           struct cache_mount_ref **out, guint64 *left_out, GError **err);

#endif
