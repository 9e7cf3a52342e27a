#include "cache/import.h"

#include "base/error.h"
#include "cache/describe.h"
#include "layer/apply.h"
#include "layer/index.h"
#include "registry/origin.h"
#include "store/blob.h"
#include "text/reference.h"

#include <string.h>

#define MAX_INDEX (64 * 1024 * 1024) /* bytes of a layer's index, compressed */

struct claims {
    GMutex lock;
    GHashTable *by_id; /* char* → struct cache_layer*; guarded by lock */
};

struct claims *claims_new(void)
{
    struct claims *c = g_new0(struct claims, 1);
    g_mutex_init(&c->lock);
    c->by_id =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)cache_layer_free);
    return c;
}

void claims_free(struct claims *c)
{
    if (!c)
        return;
    g_hash_table_unref(c->by_id);
    g_mutex_clear(&c->lock);
    g_free(c);
}

static void claims_add(struct claims *c, const char *id, const struct cache_layer *l)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
    g_hash_table_replace(c->by_id, g_strdup(id), cache_layer_copy(l));
}

/* Where others saw a base layer's blob; only what can be a repository is noted. */
static void note_origins(struct store *s, const struct cache_layer *l)
{
    for (char **o = l->origins; o && *o; o++) {
        const char *blank = strchr(*o, ' ');
        if (!blank || blank == *o)
            continue;
        g_autofree char *host = g_strndup(*o, (gsize)(blank - *o));
        g_autofree char *name = g_strconcat(host, "/", blank + 1, NULL);
        g_autoptr(reference) ref = reference_parse(name, NULL);
        if (ref && strcmp(ref->domain, host) == 0 && strcmp(ref->path, blank + 1) == 0)
            origin_add(s, &l->blob.digest, host, blank + 1);
    }
}

static struct absent_layer absent_of(const struct cache_layer *l, struct chain *below)
{
    struct absent_layer a = {.blob = l->blob.digest,
                             .size = l->blob.size,
                             .diff_id = l->diff_id,
                             .below = below,
                             .created = l->created};
    g_strlcpy(a.media_type, l->blob.media_type, sizeof a.media_type);
    g_strlcpy(a.variant, l->variant, sizeof a.variant);
    a.index = l->index.digest;
    a.index_size = l->index.size;
    a.content = l->content;
    a.bytes = l->bytes;
    a.entries = l->entries;
    return a;
}

static gboolean is_below(const struct cache_segment *seg, const struct cache_record *rec, guint n)
{
    const struct cache_layer *l = segment_layer(seg, rec->layers[n]);
    for (guint i = 0; i < n; i++)
        if (digest_cmp(&segment_layer(seg, rec->layers[i])->diff_id, &l->diff_id) == 0)
            return TRUE;
    return FALSE;
}

/* A layer of an image: what the store knows of it counts, and what the cache says of its files
 * serves this build alone. */
static gboolean import_base(struct store *s, const struct cache_layer *l, gboolean repeated,
                            struct chain *chain, struct claims *claims, GError **err)
{
    struct layer_info info;
    const struct layer_want w = {.store = s,
                                 .diff_id = &l->diff_id,
                                 .parents = chain,
                                 .repeated = repeated,
                                 .blob = &l->blob.digest,
                                 .blob_size = l->blob.size,
                                 .blob_type = l->blob.media_type,
                                 .created = l->created};
    if (!layer_describe(&w, &info, err))
        return FALSE;
    note_origins(s, l);
    if (l->index.media_type && !digest_is_zero(&l->content))
        claims_add(claims, info.id, l);
    chain_append(chain, info.id);
    return TRUE;
}

/* All that the cache says of the layer: one that lies harms no other. */
static char *own_source(const struct cache_layer *l)
{
    char hex[DIGEST_HEX_LEN + 1];
    struct digest key;
    g_autoptr(hasher) h = hasher_new();
    hasher_add_digest(h, &l->diff_id);
    hasher_add_digest(h, &l->index.digest);
    hasher_add_u64(h, l->index.size);
    hasher_add_digest(h, &l->content);
    hasher_add_digest(h, &l->blob.digest);
    hasher_add_u64(h, l->blob.size);
    hasher_add_str(h, l->blob.media_type);
    hasher_add_str(h, l->variant);
    hasher_final(h, &key);
    return g_strconcat(STORE_OWN_SOURCE, digest_hex(&key, hex), NULL);
}

static gboolean import_own(struct store *s, const struct cache_layer *l, struct chain *chain,
                           GError **err)
{
    struct absent_layer a = absent_of(l, chain);
    g_autofree char *source = own_source(l);
    if (!store_absent_put(s, &a, source, err))
        return FALSE;
    chain_append(chain, a.id);
    return TRUE;
}

static gboolean import_layer(struct store *s, const struct cache_backend *from,
                             const struct cache_segment *seg, const struct cache_record *rec,
                             guint n, struct chain *chain, struct claims *claims, GError **err)
{
    const struct cache_layer *l = segment_layer(seg, rec->layers[n]);
    gboolean ok = l->base ? import_base(s, l, is_below(seg, rec, n), chain, claims, err)
                          : import_own(s, l, chain, err);
    if (!ok || !from->host)
        return ok;
    if (!l->base || !l->origins)
        origin_add(s, &l->blob.digest, from->host, from->repository);
    if (l->index.media_type)
        origin_add(s, &l->index.digest, from->host, from->repository);
    return TRUE;
}

struct record *cache_import(struct store *s, const struct cache_backend *from,
                            const struct cache_segment *seg, const struct cache_record *rec,
                            struct claims *claims, GError **err)
{
    g_autoptr(chain) chain = chain_new();
    for (guint i = 0; i < rec->n_layers; i++)
        if (!import_layer(s, from, seg, rec, i, chain, claims, err))
            return NULL;
    struct record *r = g_new0(struct record, 1);
    r->chain = g_steal_pointer(&chain);
    r->content = rec->content;
    r->content_key = rec->content_key;
    r->created = rec->created;
    r->duration_us = rec->duration_us;
    r->inputs = g_strdup(rec->inputs);
    return r;
}

static struct cache_layer *claims_find(struct claims *c, const char *id)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&c->lock);
    const struct cache_layer *l = g_hash_table_lookup(c->by_id, id);
    return l ? cache_layer_copy(l) : NULL;
}

/* The index in blob d, as layer id's. */
static gboolean fetch_index(struct store *s, const char *id, const struct descriptor *d,
                            const struct digest *content, gboolean claim, struct blob_source *blobs,
                            GError **err)
{
    if (d->size > MAX_INDEX)
        return error_set(err, VARVE_ERROR_INVALID, "its index is too large");
    if (!store_blob_has(s, &d->digest, NULL) && !blobs->fetch(blobs, d, err))
        return FALSE;
    g_autoptr(GBytes) index = describe_unpack(s, &d->digest, err);
    if (!index)
        return FALSE;
    gsize len;
    const void *bytes = g_bytes_get_data(index, &len);
    return layer_index_take(s, id, bytes, len, content, claim, err);
}

static gboolean fetch_own_index(struct store *s, const char *id, const struct absent_layer *a,
                                struct blob_source *blobs, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    const struct descriptor d = {
        .media_type = (char *)CACHE_INDEX_TYPE, .digest = a->index, .size = a->index_size};
    g_autofree char *name = g_strconcat("index-", digest_hex(&a->index, hex), NULL);
    g_autoptr(store_lock) lock = store_lock_take(s, name, NULL, NULL, err);
    g_autoptr(chain) one = chain_new();
    gboolean missing;
    chain_append(one, id);
    return lock && store_chain_lacks(s, one, NEED_TREE, &missing, err) &&
           (!missing || fetch_index(s, id, &d, &a->content, FALSE, blobs, err));
}

/* One that is only said: without it the layer is read itself. */
static void fetch_claimed_index(struct store *s, const char *id, struct claims *claims,
                                struct blob_source *blobs)
{
    g_autoptr(cache_layer) l = claims ? claims_find(claims, id) : NULL;
    if (l)
        fetch_index(s, id, &l->index, &l->content, TRUE, blobs, NULL);
}

gboolean cache_fetch_indexes(struct store *s, const struct chain *c, enum layer_need need,
                             struct blob_source *blobs, struct claims *claims, GError **err)
{
    for (guint i = 0; i < c->n; i++) {
        gboolean missing, absent;
        g_autoptr(chain) one = chain_new();
        g_auto(absent_layer) a = {.size = 0};
        chain_append(one, c->ids[i]);
        if (!store_chain_lacks(s, one, NEED_TREE, &missing, err) ||
            !store_absent_get(s, c->ids[i], &absent, &a, err))
            return FALSE;
        if (!missing || !absent)
            continue;
        if (!*a.variant && need == NEED_TREE)
            fetch_claimed_index(s, c->ids[i], claims, blobs);
        else if (*a.variant && !fetch_own_index(s, c->ids[i], &a, blobs, err))
            return FALSE;
    }
    return TRUE;
}
