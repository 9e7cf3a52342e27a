/* What a reference holds in GitHub's cache, which has immutable entries alone: the segments, the
 * small ones with their bytes, and which blobs lie in which packs. Each writer makes a new one of
 * the newest one (cache/gha.c).
 *
 * Bytes: "varve-index-1\n", the length of the JSON that follows as 8 hex digits and "\n", the JSON
 *     {"base":N,"segments":[{"digest","size","created","at"?}],
 *      "packs":[{"key","blobs":[{"digest","at","size"}]}]}
 * and the embedded segments; "at" is a segment's place behind the JSON, or a blob's in its pack. */
#ifndef VARVE_CACHE_GHAINDEX_H
#define VARVE_CACHE_GHAINDEX_H

#include "base/digest.h"

#define GHAINDEX_MAX (64 * 1024 * 1024) /* bytes of one, as stored */

struct ghaindex_segment {
    struct digest digest;
    guint64 size;   /* bytes */
    gint64 created; /* seconds since the epoch */
    GBytes *bytes;  /* NULL: it is an entry of its own */
};
struct ghaindex_blob {
    struct digest digest;
    guint64 at, size; /* in its pack, bytes */
};
struct ghaindex_pack {
    char *key;     /* of its entry */
    GArray *blobs; /* struct ghaindex_blob */
};
struct ghaindex {
    guint base;          /* the number of the one that it was made of; 0: none */
    GPtrArray *segments; /* struct ghaindex_segment* */
    GPtrArray *packs;    /* struct ghaindex_pack* */
};
struct ghaindex *ghaindex_new(void);
void ghaindex_free(struct ghaindex *x);
/* VARVE_ERROR_INVALID says what is wrong. */
struct ghaindex *ghaindex_parse(GBytes *bytes, GError **err);
GBytes *ghaindex_write(const struct ghaindex *x);

/* Adds a segment that it does not have; bytes (may be NULL) are referred to. */
void ghaindex_add_segment(struct ghaindex *x, const struct digest *d, guint64 size, gint64 created,
                          GBytes *bytes);
gboolean ghaindex_has_segment(const struct ghaindex *x, const struct digest *d);
void ghaindex_drop_segment(struct ghaindex *x, const struct digest *d);
/* Adds a copy of p, if its key is new. */
void ghaindex_add_pack(struct ghaindex *x, const struct ghaindex_pack *p);
void ghaindex_drop_pack(struct ghaindex *x, const char *key);
/* The newest pack with a blob, and where in it; NULL: none. */
const struct ghaindex_pack *ghaindex_find(const struct ghaindex *x, const struct digest *d,
                                          const struct ghaindex_blob **blob);
/* Adds all that from has. */
void ghaindex_merge(struct ghaindex *into, const struct ghaindex *from);

struct ghaindex_pack *ghaindex_pack_new(const char *key);
void ghaindex_pack_free(struct ghaindex_pack *p);

typedef struct ghaindex ghaindex;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ghaindex, ghaindex_free)
typedef struct ghaindex_pack ghaindex_pack;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ghaindex_pack, ghaindex_pack_free)

#endif
