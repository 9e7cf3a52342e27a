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
};
void absent_layer_clear(struct absent_layer *a);

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
/* Gets layers that are not here. Freed by the store. */
struct layer_fetcher {
    /* Brings what need says of all layers of c. */
    gboolean (*fetch)(struct layer_fetcher *self, struct store *s, const struct chain *c,
                      enum layer_need need, GError **err);
    void (*free)(struct layer_fetcher *self); /* with the store */
};
/* Before layers are needed; the former one is freed. NULL: what is not here cannot be had. */
void store_set_fetcher(struct store *s, struct layer_fetcher *f);
/* After this what is needed of all layers of c is here, fetched if need be; it costs next to
 * nothing when it was here before. VARVE_ERROR_NOT_FOUND when a layer cannot be had. */
gboolean store_chain_need(struct store *s, const struct chain *c, enum layer_need need,
                          GError **err);
gboolean store_layer_need(struct store *s, const char *id, enum layer_need need, GError **err);

typedef struct absent_layer absent_layer;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(absent_layer, absent_layer_clear)

#endif
