/* Space: what is used, what can be freed, and whether everything is intact. Safe while builds run.
 */
#ifndef VARVE_STORE_GC_H
#define VARVE_STORE_GC_H

#include "store/store.h"

struct store_usage {
    guint64 layers, layer_bytes;   /* count; bytes on disk, shared objects counted once */
    guint64 absent, absent_bytes;  /* layers that are known, but not here; bytes of their blobs */
    guint64 blobs, blob_bytes;     /* count and bytes of whole blobs */
    guint64 objects;               /* shared files */
    guint64 object_bytes;          /* bytes on disk; those in use are in layer_bytes too */
    guint64 volumes, volume_bytes; /* cache mounts: count; bytes on disk */
    guint64 images;                /* names */
    guint64 total_bytes;           /* layers, blobs, volumes and objects, nothing counted twice */
    guint64 reclaimable_bytes;     /* what prune without options would free */
};
/* Walks everything: for varve du, not for every build. */
gboolean store_usage(struct store *s, struct store_usage *out, GError **err);
/* Bytes on disk of a volume, by the id of store_volume_take(). */
gboolean store_volume_bytes(struct store *s, const char *id, guint64 *bytes, GError **err);

struct gc_options {
    gboolean all; /* also records and layers that no image needs but the next build would use */
    /* Also unused volumes for which this returns TRUE; id is that of store_volume_take(), or NULL
     * for a volume whose filler died. NULL: none. */
    gboolean (*volume)(gpointer ctx, const char *id);
    gpointer ctx; /* volume's */
    /* With all: least recently used first until at most this is left, counting layers and their
     * blobs, tagged ones too; 0: keep nothing because of its size. */
    guint64 keep_bytes;
    /* With all: keep what was used within this time, even beyond keep_bytes; 0: no such rule. */
    gint64 keep_seconds;
    gboolean dry_run; /* only count */
};
/* Keeps what is tagged, leased by a living process, or (without all) reachable by a record whose
 * build cache is wanted. Untagged images ("") are removed. A record is kept if all its layers are.
 * *freed gets bytes on disk, *removed the number of things (records, layers, blobs, volumes…); both
 * may be NULL. */
gboolean store_gc(struct store *s, const struct gc_options *o, guint64 *freed, guint64 *removed,
                  GError **err);

/* Called once per problem found ("layer 3f… : row without a directory"). */
typedef void (*fsck_report_fn)(gpointer ctx, const char *problem);
/* Whether a layer's files are what its index says (layer/index.h supplies it). An error other than
 * damage (error_is_damage()) ends the check. */
typedef gboolean (*fsck_layer_fn)(struct store *s, const char *layer_id, GError **err);
struct fsck_options {
    gboolean repair; /* remove what is damaged, so that the next build makes it again, and rebuild
                        the database's indexes */
    gint64 since;    /* only layers and blobs made at this time (seconds since the epoch) or later,
                        and not SQLite's own check; 0: everything */
    fsck_layer_fn check_layer; /* NULL: only that a layer is there */
    fsck_report_fn report;     /* may be NULL */
    gpointer ctx;              /* report's */
};
/* Verifies format, rows against files, every blob's digest, SQLite's own check. *problems counts.
 * What cannot be checked (because no file can be opened, for example) is an error, not a problem,
 * and so is a database that cannot be repaired. */
gboolean store_fsck(struct store *s, const struct fsck_options *o, guint *problems, GError **err);

/* A machine that loses power may keep rows of the database whose files never reached the disk. TRUE
 * if the machine was restarted since store_settle(): then the last writes must be verified. */
gboolean store_is_unsettled(struct store *s);
/* store_fsck() with repair of what was written in the ten minutes before the newest row (the kernel
 * writes out what is older than half a minute); then the store is settled. o->repair and o->since
 * are ignored. */
gboolean store_settle(struct store *s, const struct fsck_options *o, guint *problems, GError **err);

#endif
