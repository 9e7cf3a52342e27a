/* Records of a cache → records of the store, and what they need of it later. */
#ifndef VARVE_CACHE_IMPORT_H
#define VARVE_CACHE_IMPORT_H

#include "cache/backend.h"
#include "cache/segment.h"
#include "store/absent.h"
#include "store/record.h"

/* What caches say of images' layers: where their indexes are. Thread-safe. */
struct claims;
struct claims *claims_new(void);
void claims_free(struct claims *c);

/* Makes the record's layers known to the store, without fetching anything, and notes where their
 * blobs are. The record is not written. */
struct record *cache_import(struct store *s, const struct cache_backend *from,
                            const struct cache_segment *seg, const struct cache_record *rec,
                            struct claims *claims, GError **err);
/* Gets, from blobs, the indexes of c's absent layers that have one in a cache: of layers that a
 * build made (they need it for their files, too), and for NEED_TREE of what claims (may be NULL)
 * tells. Others are left to who unpacks layers. */
gboolean cache_fetch_indexes(struct store *s, const struct chain *c, enum layer_need need,
                             struct blob_source *blobs, struct claims *claims, GError **err);

typedef struct claims claims;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(claims, claims_free)

#endif
