/* Layers: directories that overlayfs can mount, their compressed forms (blobs), and the members of
 * those. */
#ifndef VARVE_STORE_LAYER_H
#define VARVE_STORE_LAYER_H

#include "store/chain.h"

/* What is known about a committed layer. */
struct layer_info {
    char id[LAYER_ID_LEN + 1]; /* of its directory */
    gboolean indexed;          /* content, size and entries below are known */
    struct digest content;     /* digest over its index without mtimes */
    guint64 size;              /* bytes of file content */
    guint64 entries;           /* number of index entries */
    gboolean has_diff_id;      /* diff_id is known (it was pulled, or exported before) */
    struct digest diff_id;     /* digest of its uncompressed tar, in varve's order or as pulled */
    gboolean unpacked;         /* it came with an image, which refers to it by diff_id */
    gint64 created;            /* seconds since the epoch */
    gint64 last_used;          /* seconds since the epoch */
};

/* Commits tmp (a directory from store_tmp_dir() that holds "fs" and perhaps "index") as a new
 * layer: renames it in, then writes the row. info may contain what is known (NULL: nothing yet);
 * id, created and last_used are set. tmp belongs to the store afterwards, even on error. */
gboolean store_layer_commit(struct store *s, const char *tmp, struct layer_info *info,
                            GError **err);
/* The same for a layer that came as a tar of diff_id (in info): its row gets source, the key of
 * store_layer_by_source(), at once. Without source, diff_id would mean that of varve's own tar. */
gboolean store_layer_commit_unpacked(struct store *s, const char *tmp, struct layer_info *info,
                                     const char *source, GError **err);
/* Records what indexing found (content, size, entries); the index file is already in place. */
gboolean store_layer_set_indexed(struct store *s, const struct layer_info *info, GError **err);
gboolean store_layer_set_diff_id(struct store *s, const char *id, const struct digest *diff_id,
                                 GError **err);
/* FALSE with VARVE_ERROR_NOT_FOUND when there is no such layer. */
gboolean store_layer_get(struct store *s, const char *id, struct layer_info *out, GError **err);
/* Path relative to the root of a layer's directory ("layers/<id>"). */
char *store_layer_path(const char *id);

/* Compressed forms of a layer: which blob is the layer's tar under codec ("gzip", "zstd", "none";
 * with variant text such as "gzip-isal2.30-2" naming the exact encoder, or "pulled"). */
struct layer_blob {
    struct digest digest;  /* of the compressed bytes */
    struct digest diff_id; /* of the tar */
    guint64 size;          /* compressed bytes */
    char media_type[80];   /* as it appeared, or the OCI type */
};
gboolean store_layer_blob_put(struct store *s, const char *layer_id, const char *variant,
                              const struct layer_blob *b, GError **err);
/* What was put, even if the blob's bytes are missing (size is 0). FALSE without error if unknown.
 */
gboolean store_layer_blob_known(struct store *s, const char *layer_id, const char *variant,
                                struct layer_blob *out);
/* The same, if the bytes are in the store; FALSE without error otherwise. */
gboolean store_layer_blob_find(struct store *s, const char *layer_id, const char *variant,
                               struct layer_blob *out);
/* All that were put for a layer, to check them; NULL on error. */
struct layer_variant {
    char variant[80];       /* "gzip-isal2.30-2", "pulled" */
    struct layer_blob blob; /* size is 0 */
};
GArray *store_layer_blob_list(struct store *s, const char *layer_id, GError **err);
/* The layer unpacked from this key ("diff:<hex>" or "chain:<hex>"; see layer/apply.h). */
gboolean store_layer_by_source(struct store *s, const char *source, struct layer_info *out);
/* The key of a layer; NULL: none. */
char *store_layer_source(struct store *s, const char *id);

/* Cached compressed members (PROTOCOLS.md): where the member for raw bytes of digest raw is. */
struct member_info {
    struct digest blob; /* the blob that holds it */
    guint64 offset;     /* in the blob, bytes */
    guint64 size;       /* compressed bytes */
    guint64 raw_size;   /* bytes before compression */
};
gboolean store_member_find(struct store *s, const struct digest *raw, const char *variant,
                           struct member_info *out);
/* Adds n members in one transaction. */
gboolean store_member_put(struct store *s, const char *variant, const struct digest *raw,
                          const struct member_info *m, gsize n, GError **err);

#endif
