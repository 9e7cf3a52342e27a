/* Layers that are known, but not here: by the descriptor of their blob, their diff ID and the
 * layers that they lie on. Such a layer has a row as any other, lies in chains, records and images,
 * and is leased with them; what it lacks are its files, and mostly its index. It gets them, under
 * the same id, when something first reads them: whoever reads a layer's index or files asks
 * store_chain_need() or store_layer_need() before, and the store's fetcher does the work. Its blob
 * need not be in the store. fsck takes it as it is, garbage collection keeps what it lies on. */
#ifndef VARVE_STORE_ABSENT_H
#define VARVE_STORE_ABSENT_H

#include "store/layer.h"

struct absent_layer {
    char id[LAYER_ID_LEN + 1]; /* "": none */
    struct digest blob;        /* of its compressed tar */
    guint64 size;              /* bytes of the blob */
    char media_type[80];       /* the blob's */
    struct digest diff_id;     /* of the tar */
    struct chain *below;       /* the layers that it was made to lie on */
    /* Of a layer that a build made (elsewhere), not an image: its tar is as varve writes it. */
    char variant[48];    /* the encoder that made the blob (layer/member.h); "": an image's layer */
    struct digest index; /* of the blob that holds its index (CACHE_INDEX_TYPE); it counts, not
                            what unpacking would give: times are more exact there */
    guint64 index_size;  /* bytes of that blob */
    struct digest content; /* its content digest */
    guint64 bytes;         /* of file content */
    guint64 entries;       /* of its index */
    gint64 created;        /* seconds since the epoch; 0: now */
};
void absent_layer_clear(struct absent_layer *a);

/* The source of a layer with a variant begins so; the rest is the caller's. */
#define STORE_OWN_SOURCE "own:"
/* Makes a layer of a: fills a->id, and leases it. With a layer of this source (layer/apply.h) there
 * already, a->id is that one's. */
gboolean store_absent_put(struct store *s, struct absent_layer *a, const char *source,
                          GError **err);
/* *absent: the layer id is not here; *out (may be NULL) is filled then. */
gboolean store_absent_get(struct store *s, const char *id, gboolean *absent,
                          struct absent_layer *out, GError **err);
/* Gives the absent layer info->id its files: tmp and the rest as store_layer_commit_unpacked().
 * From then on it is here. The caller holds the lock that keeps others from doing the same. */
gboolean store_absent_fill(struct store *s, const char *tmp, struct layer_info *info,
                           const char *source, GError **err);
/* Gives the absent layer info->id its index: tmp as above, of which nothing else is kept. It stays
 * absent. */
gboolean store_absent_index(struct store *s, const char *tmp, const struct layer_info *info,
                            GError **err);
/* For this store (handle) alone, and until its leases end: the file index in tmp (a directory of
 * store_tmp_dir()) is used for the absent layer id as long as it has no index of its own. So what
 * somebody says of an image's layer is never taken for what it is by others. */
gboolean store_absent_claim(struct store *s, const char *id, const char *tmp, GError **err);
/* The directory of such a claim, relative to the root; NULL: none. Newly allocated. */
char *store_absent_claimed(struct store *s, const char *id);
/* How many layers of c are not here, and the bytes of their blobs (may be NULL). */
gboolean store_chain_absent(struct store *s, const struct chain *c, guint *n, guint64 *bytes,
                            GError **err);

/* What is read of a layer. */
enum layer_need {
    NEED_NOTHING, /* that it is known is enough */
    NEED_TREE,    /* its index */
    NEED_FILES,   /* its directory */
};
/* *missing: what is needed of some layer of c is not here. */
gboolean store_chain_lacks(struct store *s, const struct chain *c, enum layer_need need,
                           gboolean *missing, GError **err);
/* Layers that were known, but could not be had, or were found damaged: from now on nothing that
 * needs them is a hit for this store (handle); the steps that made them run again. */
void store_layer_lose(struct store *s, const char *id);
/* The same for the absent layers whose blob it is. */
void store_blob_lose(struct store *s, const struct digest *blob);
gboolean store_chain_is_lost(struct store *s, const struct chain *c); /* some layer of c */
guint store_layers_lost(struct store *s);                             /* how many */

/* Gets layers that are not here. Freed by the store. */
struct layer_fetcher {
    /* Brings what need says of all layers of c. */
    gboolean (*fetch)(struct layer_fetcher *self, struct store *s, const struct chain *c,
                      enum layer_need need, GError **err);
    /* Brings one blob (size bytes) into the store. */
    gboolean (*fetch_blob)(struct layer_fetcher *self, struct store *s, const struct digest *blob,
                           guint64 size, const char *media_type, GError **err);
    void (*free)(struct layer_fetcher *self); /* with the store */
};
/* Before layers are needed; the former one is freed. NULL: what is not here cannot be had. */
void store_set_fetcher(struct store *s, struct layer_fetcher *f);
/* After this what is needed of all layers of c is here, fetched if need be; it costs next to
 * nothing when it was here before. VARVE_ERROR_NOT_FOUND when a layer cannot be had. */
gboolean store_chain_need(struct store *s, const struct chain *c, enum layer_need need,
                          GError **err);
gboolean store_layer_need(struct store *s, const char *id, enum layer_need need, GError **err);
/* The same for a blob as it is. */
gboolean store_blob_need(struct store *s, const struct digest *blob, guint64 size,
                         const char *media_type, GError **err);

typedef struct absent_layer absent_layer;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(absent_layer, absent_layer_clear)

#endif
