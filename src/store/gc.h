/* Space: what is used, what can go, and whether everything is sound. Safe beside running builds. */
#ifndef VARVE_STORE_GC_H
#define VARVE_STORE_GC_H

#include "store/store.h"

struct store_usage {
    guint64 layers, layer_bytes;     /* count; bytes on disk (shared objects counted once) */
    guint64 blobs, blob_bytes;
    guint64 objects, object_bytes;
    guint64 volumes, volume_bytes;
    guint64 images;                  /* names */
    guint64 reclaimable_bytes;       /* what prune without options would free */
};
gboolean store_usage(struct store *s, struct store_usage *out, GError **err);

struct gc_options {
    gboolean all;          /* also records and layers that no image needs but a next build would use */
    gboolean volumes;      /* also cache mounts */
    guint64 keep_bytes;    /* with all: least recently used first until at most this stays; 0: none */
    gint64 keep_seconds;   /* with all: keep what was used within this time; 0: no such rule */
    gboolean dry_run;      /* only count */
};
/* Keeps what is tagged, leased by a living process, or (without all) reachable by a record whose build
 * cache is wanted. *freed gets bytes, *removed the number of things. */
gboolean store_gc(struct store *s, const struct gc_options *o, guint64 *freed, guint64 *removed,
                  GError **err);

/* Called once per problem found ("layer 3f… : row without a directory"). */
typedef void (*fsck_report_fn)(gpointer ctx, const char *problem);
/* Verifies format, rows against files, every blob's digest, SQLite's own check; and with deep, what
 * check_layer (may be NULL; layer/index.h supplies it) says of each layer. *problems counts. With
 * repair, removes what is broken so that the next build makes it again. */
typedef gboolean (*fsck_layer_fn)(struct store *s, const char *layer_id, GError **err);
gboolean store_fsck(struct store *s, gboolean repair, fsck_layer_fn check_layer,
                    fsck_report_fn report, gpointer ctx, guint *problems, GError **err);

#endif
