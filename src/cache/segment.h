/* Segments: what a reference holds, as immutable documents. A segment lists records (key → what a
 * step yielded, without holding it), the layers that they are made of, and exported cache mounts.
 * Several are merged when read: records of equal keys stay beside one another, the oldest first.
 *
 * Bytes: zstd of JSON (media type CACHE_SEGMENT_TYPE). Parsing is strict about types, digests,
 * numbers of layers and limits: 16 MiB of JSON, 20,000 records and layers, 2,000 mounts, 500 layers
 * a record. Documents of this size are read with less than 40 MB. */
#ifndef VARVE_CACHE_SEGMENT_H
#define VARVE_CACHE_SEGMENT_H

#include "image/manifest.h"

#define CACHE_SEGMENT_VERSION 1
#define CACHE_RESULTS 64                       /* of one key */
#define CACHE_SEGMENT_WEIGHT (8 * 1024 * 1024) /* segment_weight() that one should not exceed */
#define CACHE_SEGMENT_TYPE "application/vnd.varve.cache.segment.v1+zstd"
#define CACHE_INDEX_TYPE "application/vnd.varve.layer.index.v1+zstd"  /* a layer's index */
#define CACHE_INPUTS_TYPE "application/vnd.varve.step.inputs.v1+zstd" /* what a step read */
#define CACHE_MOUNT_TYPE "application/vnd.varve.cache.mount.v1+zstd"  /* an exported cache mount */
#define CACHE_PACK_TYPE "application/vnd.varve.cache.pack.v1+zstd"    /* files of such */

/* A layer, known by descriptors alone. */
struct cache_layer {
    struct digest diff_id;   /* of its tar */
    struct descriptor blob;  /* its compressed tar */
    struct descriptor index; /* its index (layer/index.h); media_type NULL: none */
    struct digest content;   /* its content digest; zero: unknown */
    guint64 bytes;           /* of file content */
    guint64 entries;         /* of the index */
    gint64 created;          /* seconds since the epoch, 0: unknown */
    char *variant;           /* the encoder that made blob (layer/member.h); NULL: unknown, base */
    gboolean base;           /* it came with an image, and may be elsewhere than here: */
    char **origins;          /* "host repository", where its blob was seen; or NULL */
};
struct cache_record {
    struct digest definition;  /* its keys (solver/solver.h) */
    struct digest content_key; /* zero: it has none */
    guint *layers;             /* its chain, lowest first: numbers of the segment's layers */
    guint n_layers;
    struct digest content;         /* of the chain */
    gint64 created;                /* seconds since the epoch */
    gint64 duration_us;            /* how long running it took */
    char *step;                    /* "RUN npm ci" */
    char *platform;                /* "linux/amd64" */
    char *slot;                    /* its place in its Dockerfile (solver_slot()), or NULL */
    char *inputs;                  /* what it read, JSON; or NULL: then perhaps */
    struct descriptor inputs_blob; /* the same, where it is long; media_type NULL: none */
    gint64 used;                   /* seconds since the epoch: last hit or made */
    guint64 hits;                  /* builds that used it, as far as they said so */
};
/* An exported cache mount. */
struct cache_mount_ref {
    char *id;                   /* of the volume (solver_volume_id()) */
    char *platform;             /* that wrote it */
    gint64 created;             /* seconds since the epoch */
    guint64 bytes;              /* of its files */
    struct descriptor manifest; /* CACHE_MOUNT_TYPE (cache/mount.h) */
    GPtrArray *packs;           /* struct descriptor*: that it needs */
};
struct cache_segment {
    gint64 created;        /* seconds since the epoch */
    GPtrArray *supersedes; /* char*: names of segments whose content this one holds */
    GPtrArray *layers;     /* struct cache_layer* */
    GPtrArray *records;    /* struct cache_record* */
    GPtrArray *mounts;     /* struct cache_mount_ref* */
    GHashTable *by_digest; /* of layers: internal */
    GHashTable *by_key;    /* of records: internal */
    GHashTable *held;      /* of blobs, made when first asked for: internal */
};
struct cache_segment *segment_new(void);
void segment_free(struct cache_segment *s);
GBytes *segment_write(const struct cache_segment *s);
/* VARVE_ERROR_INVALID says what is wrong. */
struct cache_segment *segment_parse(GBytes *bytes, GError **err);

/* The number of a layer equal to l (same blob, index and origins' kind), added if there is none. l
 * is copied. */
guint segment_add_layer(struct cache_segment *s, const struct cache_layer *l);
/* Adds a record; takes r. With one of the same keys and content there already, that is returned; of
 * hits and used the greater count. A key has at most CACHE_RESULTS results: of a step that never
 * yields the same again, more help nobody; then the first is returned. */
struct cache_record *segment_add_record(struct cache_segment *s, struct cache_record *r);
/* Adds m, unless it is there; takes m. Several writers leave several of one id and platform. */
void segment_add_mount(struct cache_segment *s, struct cache_mount_ref *m);
/* Removes those of one id and platform. */
void segment_drop_mounts(struct cache_segment *s, const char *id, const char *platform);
/* Adds all that from holds. Layers are numbered anew. */
void segment_merge(struct cache_segment *into, const struct cache_segment *from);
/* What of s needs none of the lost blobs (struct digest*, a set). */
struct cache_segment *segment_without(const struct cache_segment *s, GHashTable *lost);
/* Adds a copy of from's record r, and of the layers that it is made of. */
void segment_adopt(struct cache_segment *into, const struct cache_segment *from,
                   const struct cache_record *r);
/* Adds a copy of m. */
void segment_adopt_mount(struct cache_segment *into, const struct cache_mount_ref *m);
/* The record of s with r's keys and content; NULL: none. */
struct cache_record *segment_same_record(struct cache_segment *s, const struct cache_record *r);
/* The records under key, as definition or content key, the oldest first (struct cache_record*);
 * NULL: none. */
const GPtrArray *segment_find(const struct cache_segment *s, const struct digest *key);
/* The newest record of slot with inputs; NULL: none. */
const struct cache_record *segment_slot(const struct cache_segment *s, const char *slot);
/* About how many bytes of JSON it is. */
gsize segment_weight(const struct cache_segment *s);
/* Whether it names the blob as one that is held with it. */
gboolean segment_holds(const struct cache_segment *s, const struct digest *blob);
const struct cache_layer *segment_layer(const struct cache_segment *s, guint number);
/* struct descriptor*, borrowed from s: every blob that s names and that is to be held with it
 * (those of base layers that have origins are not). */
GPtrArray *segment_blobs(const struct cache_segment *s);

struct cache_layer *cache_layer_copy(const struct cache_layer *l);
void cache_layer_free(struct cache_layer *l);
void cache_record_free(struct cache_record *r);
void cache_mount_ref_free(struct cache_mount_ref *m);

typedef struct cache_segment cache_segment;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_segment, segment_free)
typedef struct cache_layer cache_layer;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_layer, cache_layer_free)
typedef struct cache_record cache_record;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_record, cache_record_free)
typedef struct cache_mount_ref cache_mount_ref;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(cache_mount_ref, cache_mount_ref_free)

#endif
