/* A reference in GitHub's cache, whose entries are immutable, found by key or by the beginning of
 * one (then the newest), and written into the scope of the job's own branch.
 *
 *     varve-index-1-<scope>#<ref>#<n>   what there is (cache/ghaindex.h); the newest counts
 *     varve-pack-<digest>               small blobs together: the number of uploads is limited
 *     varve-blob-<digest>[.<random>]    others, and large segments
 *
 * A branch has a chain of indexes of its own; it reads its own and those of the branches that its
 * token lets it read. Who adds a segment reads the newest index n, and makes n+1 from it. When n+1
 * exists somebody was faster: its index is read, and n+2 made. When it exists, but does not appear
 * for a while, its writer died and n+1 is passed over; or it was slow, and then it finds n+2 when
 * it is done, and makes another index that has both. So nothing is lost. */
#include "cache/backend.h"
#include "cache/ghachain.h"

#include "base/error.h"
#include "cache/sign.h"
#include "image/jsonin.h"
#include "store/blob.h"

#include <string.h>

#define SMALL (64 * 1024)          /* blobs below are packed */
#define PACK_MAX (4 * 1024 * 1024) /* bytes of a pack, about */
#define PACK_BLOBS 5000            /* in a pack */
#define PACKS_KEPT 4               /* in memory, for what is asked for next */
#define EMBEDDED (1024 * 1024)     /* segments up to so many bytes are in the index */
#define EMBEDDED_ALL (16 * 1024 * 1024)
#define MAX_REFS 8
#define MAX_KEY 512
#define MAX_KEYS 3 /* that are tried for one blob */

struct gha {
    struct cache_backend backend; /* first, so that one is the other */
    struct ghacache cache;
    char *label;
    GPtrArray *chains;                   /* char*: "varve-index-1-scope#ref#", the own one first */
    GMutex lock;                         /* guards what follows */
    struct ghaindex *known;              /* what was read of all chains; NULL: nothing yet */
    struct ghaindex *fresh;              /* packs that were made, and are in no index yet */
    GByteArray *pending;                 /* small blobs that are in no pack yet */
    struct ghaindex_pack *pending_blobs; /* which; its key is not known */
    GHashTable *checked; /* pack's key → GINT_TO_POINTER(1: it is there, 2: it is not) */
    GQueue *packs;       /* struct kept_pack*, the last used first */
};

struct kept_pack {
    char *key;
    GBytes *bytes;
};

static void kept_pack_free(gpointer data)
{
    struct kept_pack *k = data;
    g_free(k->key);
    g_bytes_unref(k->bytes);
    g_free(k);
}

static struct gha *gha_of(struct cache_backend *b)
{
    return (struct gha *)b;
}

static char *blob_entry_key(const struct digest *d)
{
    g_autofree char *digest = digest_text(d);
    return g_strconcat("varve-blob-", digest, NULL);
}

static void remember_index(struct gha *g, const struct ghaindex *x)
{
    g_mutex_lock(&g->lock);
    if (!g->known)
        g->known = ghaindex_new();
    ghaindex_merge(g->known, x);
    g_mutex_unlock(&g->lock);
}

static void add_listed(GPtrArray *out, GHashTable *seen, const struct ghaindex *x)
{
    for (guint i = 0; i < x->segments->len; i++) {
        const struct ghaindex_segment *s = x->segments->pdata[i];
        char *name = digest_text(&s->digest);
        if (!g_hash_table_add(seen, g_strdup(name))) {
            g_free(name);
            continue;
        }
        struct cache_listed l = {.name = name,
                                 .digest = s->digest,
                                 .created = s->created,
                                 .bytes = s->bytes ? g_bytes_ref(s->bytes) : NULL};
        g_ptr_array_add(out, g_memdup2(&l, sizeof l));
    }
}

static GPtrArray *gha_list(struct cache_backend *self, char **foreign, GError **err)
{
    struct gha *g = gha_of(self);
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)cache_listed_free);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (foreign)
        *foreign = NULL;
    for (guint i = 0; i < g->chains->len; i++) {
        g_autoptr(ghaindex) x = ghachain_read(&g->cache, g->chains->pdata[i], err);
        if (!x)
            return NULL;
        add_listed(out, seen, x);
        remember_index(g, x);
    }
    return g_steal_pointer(&out);
}

static GBytes *gha_segment(struct cache_backend *self, const struct cache_listed *l, GError **err)
{
    struct gha *g = gha_of(self);
    struct digest got;
    GError *why = NULL;
    if (l->bytes)
        return g_bytes_ref(l->bytes);
    g_autofree char *key = blob_entry_key(&l->digest);
    g_autoptr(GBytes) bytes = ghacache_read(&g->cache, key, TRUE, CACHE_SEGMENT_MAX, NULL, &why);
    if (why) {
        g_propagate_error(err, why);
        return NULL;
    }
    if (!bytes) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "%s no longer has it", g->cache.service.name);
        return NULL;
    }
    digest_of_bytes(&got, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    if (digest_cmp(&got, &l->digest) == 0)
        return g_steal_pointer(&bytes);
    error_set(err, VARVE_ERROR_INVALID, "%s sent something else than was stored as %s",
              g->cache.service.name, l->name);
    return NULL;
}

/* The key of the pack that holds d, and where in it; NULL: none that is known. pending: it is in
 * none yet. */
static char *find_packed(struct gha *g, const struct digest *d, struct ghaindex_blob *at)
{
    const struct ghaindex_blob *b = NULL;
    g_mutex_lock(&g->lock);
    const struct ghaindex_pack *p = ghaindex_find(g->fresh, d, &b);
    if (!p && g->known)
        p = ghaindex_find(g->known, d, &b);
    char *key = p ? g_strdup(p->key) : NULL;
    if (p)
        *at = *b;
    g_mutex_unlock(&g->lock);
    return key;
}

static gboolean is_pending(struct gha *g, const struct digest *d)
{
    gboolean found = FALSE;
    g_mutex_lock(&g->lock);
    for (guint i = 0; i < g->pending_blobs->blobs->len && !found; i++)
        found = digest_cmp(&g_array_index(g->pending_blobs->blobs, struct ghaindex_blob, i).digest,
                           d) == 0;
    g_mutex_unlock(&g->lock);
    return found;
}

static gboolean entry_exists(struct gha *g, const char *key, gboolean *there, GError **err)
{
    struct url *u = NULL;
    if (!ghacache_find(&g->cache, key, TRUE, &u, NULL, err))
        return FALSE;
    *there = u != NULL;
    url_free(u);
    return TRUE;
}

/* Asked once for each pack. */
static gboolean pack_exists(struct gha *g, const char *key, gboolean *there, GError **err)
{
    g_mutex_lock(&g->lock);
    int known = GPOINTER_TO_INT(g_hash_table_lookup(g->checked, key));
    g_mutex_unlock(&g->lock);
    *there = known == 1;
    if (known)
        return TRUE;
    if (!entry_exists(g, key, there, err))
        return FALSE;
    g_mutex_lock(&g->lock);
    g_hash_table_insert(g->checked, g_strdup(key), GINT_TO_POINTER(*there ? 1 : 2));
    g_mutex_unlock(&g->lock);
    return TRUE;
}

static gboolean know_something(struct gha *g, GError **err)
{
    g_mutex_lock(&g->lock);
    gboolean known = g->known != NULL;
    g_mutex_unlock(&g->lock);
    if (known)
        return TRUE;
    g_autoptr(GPtrArray) list = gha_list(&g->backend, NULL, err);
    return list != NULL;
}

static gboolean gha_has(struct cache_backend *self, const struct descriptor *d, gboolean *there,
                        GError **err)
{
    struct gha *g = gha_of(self);
    struct ghaindex_blob at;
    *there = FALSE;
    if (d->size >= SMALL) {
        g_autofree char *key = blob_entry_key(&d->digest);
        return entry_exists(g, key, there, err);
    }
    if (is_pending(g, &d->digest)) {
        *there = TRUE;
        return TRUE;
    }
    if (!know_something(g, err))
        return FALSE;
    g_autofree char *pack = find_packed(g, &d->digest, &at);
    return !pack || pack_exists(g, pack, there, err);
}

/* A pack's bytes, from memory if they were used lately. */
static GBytes *read_pack_bytes(struct gha *g, const char *key, GError **err)
{
    GError *why = NULL;
    GBytes *bytes = NULL;
    g_mutex_lock(&g->lock);
    for (GList *l = g->packs->head; l && !bytes; l = l->next)
        if (g_str_equal(((struct kept_pack *)l->data)->key, key))
            bytes = g_bytes_ref(((struct kept_pack *)l->data)->bytes);
    g_mutex_unlock(&g->lock);
    if (bytes)
        return bytes;
    bytes = ghacache_read(&g->cache, key, TRUE, PACK_MAX + SMALL, NULL, &why);
    if (!bytes && !why)
        error_set(&why, VARVE_ERROR_NOT_FOUND, "%s no longer has it", g->cache.service.name);
    if (why) {
        g_propagate_error(err, why);
        return NULL;
    }
    struct kept_pack kept = {g_strdup(key), g_bytes_ref(bytes)};
    g_mutex_lock(&g->lock);
    g_queue_push_head(g->packs, g_memdup2(&kept, sizeof kept));
    if (g->packs->length > PACKS_KEPT)
        kept_pack_free(g_queue_pop_tail(g->packs));
    g_mutex_unlock(&g->lock);
    return bytes;
}

/* It is not what it should be: it is asked for anew the next time. */
static void forget_pack(struct gha *g, const char *key)
{
    g_mutex_lock(&g->lock);
    for (GList *l = g->packs->head; l; l = l->next) {
        if (!g_str_equal(((struct kept_pack *)l->data)->key, key))
            continue;
        kept_pack_free(l->data);
        g_queue_delete_link(g->packs, l);
        break;
    }
    g_mutex_unlock(&g->lock);
}

static gboolean take_packed(struct gha *g, const char *key, const struct ghaindex_blob *at,
                            const struct descriptor *d, struct blob_tap *tap, GError **err)
{
    struct digest got = {0};
    g_autoptr(GBytes) bytes = read_pack_bytes(g, key, err);
    if (!bytes)
        return FALSE;
    gsize len;
    const guint8 *data = g_bytes_get_data(bytes, &len);
    gboolean inside = at->at <= len && at->size <= len - at->at;
    if (inside)
        digest_of_bytes(&got, data + at->at, at->size);
    if (!inside || digest_cmp(&got, &d->digest) != 0) {
        forget_pack(g, key);
        return error_set(err, VARVE_ERROR_INVALID, "%s sent a wrong blob", g->cache.service.name);
    }
    if (tap)
        tap->bytes(tap, 0, data + at->at, at->size);
    return store_blob_put(g->cache.service.env.store, data + at->at, at->size, NULL, err);
}

static gboolean gha_fetch(struct cache_backend *self, const struct descriptor *d,
                          struct blob_tap *tap, GError **err)
{
    struct gha *g = gha_of(self);
    struct ghaindex_blob at = {0};
    if (store_blob_has(g->cache.service.env.store, &d->digest, NULL))
        return TRUE;
    if (d->size < SMALL && !know_something(g, err))
        return FALSE;
    g_autofree char *pack = d->size < SMALL ? find_packed(g, &d->digest, &at) : NULL;
    g_autofree char *key = blob_entry_key(&d->digest);
    g_autoptr(GError) why = NULL;
    if (!pack)
        return ghacache_fetch(&g->cache, key, d, tap, err);
    /* Wrong bytes are worth a second request. */
    if (take_packed(g, pack, &at, d, tap, &why))
        return TRUE;
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID))
        return take_packed(g, pack, &at, d, tap, err);
    g_propagate_error(err, g_steal_pointer(&why));
    return FALSE;
}

/* Somebody has begun to send it: waits for it. */
static gboolean appears(struct gha *g, const char *key, gboolean *there, GError **err)
{
    gint64 waited_ms = 0;
    for (guint i = 0; waited_ms < ghacache_patience_ms(&g->cache); i++) {
        if (!entry_exists(g, key, there, err))
            return FALSE;
        if (*there)
            return TRUE;
        if (!ghacache_wait(&g->cache, i, &waited_ms, err))
            return FALSE;
    }
    return TRUE;
}

/* Makes an entry of content that key names, under key or one that begins so. *sent: whether it was
 * sent from here. */
static gboolean make_content(struct gha *g, const char *key, GBytes *bytes,
                             struct service_upload *u, gboolean *sent, GError **err)
{
    g_autoptr(GError) why = NULL;
    *sent = FALSE;
    for (guint i = 0; i < MAX_KEYS; i++) {
        gboolean there = FALSE;
        g_autofree char *another = i ? g_strdup_printf("%s.%08x", key, g_random_int()) : NULL;
        g_clear_error(&why);
        switch (ghacache_make(&g->cache, another ? another : key, bytes, u, &why)) {
        case GHACACHE_MADE:
            return *sent = TRUE;
        case GHACACHE_EXISTS:
            if (!appears(g, key, &there, err))
                return FALSE;
            if (there)
                return TRUE;
            break;
        case GHACACHE_BURNT:
            break;
        case GHACACHE_FAILED:
            g_propagate_error(err, g_steal_pointer(&why));
            return FALSE;
        }
    }
    if (why)
        g_propagate_error(err, g_steal_pointer(&why));
    else
        error_set(err, VARVE_ERROR_OUTSIDE, "%s did not take it under any key",
                  g->cache.service.name);
    return FALSE;
}

/* What could not be sent is sent with the next pack. */
static void put_back(struct gha *g, const struct ghaindex_pack *blobs, GBytes *bytes)
{
    g_mutex_lock(&g->lock);
    guint64 before = g->pending->len;
    g_byte_array_append(g->pending, g_bytes_get_data(bytes, NULL), (guint)g_bytes_get_size(bytes));
    for (guint i = 0; i < blobs->blobs->len; i++) {
        struct ghaindex_blob b = g_array_index(blobs->blobs, struct ghaindex_blob, i);
        b.at += before;
        g_array_append_val(g->pending_blobs->blobs, b);
    }
    g_mutex_unlock(&g->lock);
}

/* Sends the small blobs that were put as one entry. */
static gboolean flush_pending(struct gha *g, GError **err)
{
    g_mutex_lock(&g->lock);
    g_autoptr(ghaindex_pack) blobs = g_steal_pointer(&g->pending_blobs);
    g_autoptr(GByteArray) content = g_steal_pointer(&g->pending);
    g->pending_blobs = ghaindex_pack_new("");
    g->pending = g_byte_array_new();
    g_mutex_unlock(&g->lock);
    if (content->len == 0)
        return TRUE;
    struct digest d;
    gboolean sent;
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(g_steal_pointer(&content));
    digest_of_bytes(&d, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_autofree char *digest = digest_text(&d);
    g_free(blobs->key);
    blobs->key = g_strconcat("varve-pack-", digest, NULL);
    if (!make_content(g, blobs->key, bytes, NULL, &sent, err)) {
        put_back(g, blobs, bytes);
        return FALSE;
    }
    g_mutex_lock(&g->lock);
    ghaindex_add_pack(g->fresh, blobs);
    g_hash_table_insert(g->checked, g_strdup(blobs->key), GINT_TO_POINTER(1));
    g_mutex_unlock(&g->lock);
    return TRUE;
}

static gboolean put_small(struct gha *g, const struct descriptor *d, guint64 *sent, GError **err)
{
    g_autoptr(GBytes) bytes = store_blob_read(g->cache.service.env.store, &d->digest, SMALL, err);
    if (!bytes)
        return FALSE;
    gsize len;
    const guint8 *data = g_bytes_get_data(bytes, &len);
    g_mutex_lock(&g->lock);
    struct ghaindex_blob b = {.digest = d->digest, .at = g->pending->len, .size = len};
    g_byte_array_append(g->pending, data, (guint)len);
    g_array_append_val(g->pending_blobs->blobs, b);
    gboolean full =
        g->pending->len > PACK_MAX - SMALL || g->pending_blobs->blobs->len >= PACK_BLOBS;
    g_mutex_unlock(&g->lock);
    if (sent)
        *sent = len;
    return !full || flush_pending(g, err);
}

static gboolean gha_put(struct cache_backend *self, const struct descriptor *d, guint64 *sent,
                        GError **err)
{
    struct gha *g = gha_of(self);
    struct service_upload u;
    gboolean by_us = FALSE;
    if (sent)
        *sent = 0;
    if (d->size < SMALL)
        return is_pending(g, &d->digest) || put_small(g, d, sent, err);
    g_autofree char *key = blob_entry_key(&d->digest);
    if (!service_upload_begin(&g->cache.service, d, &u, err))
        return FALSE;
    gboolean ok = make_content(g, key, NULL, &u, &by_us, err);
    service_upload_end(&u);
    if (sent && by_us)
        *sent = d->size;
    return ok;
}

/* A change of the newest index. */
struct gha_change {
    struct ghachange base; /* first, so that one is the other */
    struct gha *g;
    GBytes *segment; /* to add; or NULL */
    struct digest digest;
    gboolean embed;        /* its bytes, too */
    const GPtrArray *drop; /* struct cache_listed*; or NULL */
};

static void update_packs(struct gha *g, struct ghaindex *x)
{
    GHashTableIter i;
    gpointer key, known;
    g_mutex_lock(&g->lock);
    ghaindex_merge(x, g->fresh);
    g_hash_table_iter_init(&i, g->checked);
    while (g_hash_table_iter_next(&i, &key, &known))
        if (GPOINTER_TO_INT(known) == 2)
            ghaindex_drop_pack(x, key);
    g_mutex_unlock(&g->lock);
}

static gboolean apply_change(const struct ghachange *base, struct ghaindex *x)
{
    const struct gha_change *c = (const struct gha_change *)base;
    gboolean changed = FALSE;
    for (guint i = 0; c->drop && i < c->drop->len; i++) {
        const struct cache_listed *l = c->drop->pdata[i];
        changed |= ghaindex_has_segment(x, &l->digest);
        ghaindex_drop_segment(x, &l->digest);
    }
    if (c->segment && !ghaindex_has_segment(x, &c->digest)) {
        ghaindex_add_segment(x, &c->digest, g_bytes_get_size(c->segment),
                             g_get_real_time() / G_USEC_PER_SEC, c->embed ? c->segment : NULL);
        changed = TRUE;
    }
    update_packs(c->g, x);
    return changed;
}

static gboolean change_index(struct gha *g, struct gha_change *c, GError **err)
{
    c->base.apply = apply_change;
    c->g = g;
    g_autoptr(ghaindex) x = ghachain_change(&g->cache, g->chains->pdata[0], &c->base, err);
    if (x)
        remember_index(g, x);
    return x != NULL;
}

static gsize embedded_bytes(const struct ghaindex *x)
{
    gsize n = 0;
    for (guint i = 0; i < x->segments->len; i++) {
        const struct ghaindex_segment *s = x->segments->pdata[i];
        n += s->bytes ? g_bytes_get_size(s->bytes) : 0;
    }
    return n;
}

static gboolean gha_publish(struct cache_backend *self, GBytes *segment, const GPtrArray *blobs,
                            GError **err)
{
    struct gha *g = gha_of(self);
    struct gha_change c = {.segment = segment};
    gsize len;
    const void *data = g_bytes_get_data(segment, &len);
    gboolean sent;
    digest_of_bytes(&c.digest, data, len);
    g_mutex_lock(&g->lock);
    gsize others = g->known ? embedded_bytes(g->known) : 0;
    g_mutex_unlock(&g->lock);
    c.embed = len <= EMBEDDED && others + len <= EMBEDDED_ALL;
    g_autofree char *key = blob_entry_key(&c.digest);
    return flush_pending(g, err) && (c.embed || make_content(g, key, segment, NULL, &sent, err)) &&
           change_index(g, &c, err);
}

static gboolean gha_retire(struct cache_backend *self, const GPtrArray *segments, GError **err)
{
    struct gha_change c = {.drop = segments};
    return segments->len == 0 || change_index(gha_of(self), &c, err);
}

static void gha_free(struct cache_backend *self)
{
    struct gha *g = gha_of(self);
    ghacache_clear(&g->cache);
    g_ptr_array_unref(g->chains);
    ghaindex_free(g->known);
    ghaindex_free(g->fresh);
    g_byte_array_unref(g->pending);
    ghaindex_pack_free(g->pending_blobs);
    g_hash_table_unref(g->checked);
    g_queue_free_full(g->packs, kept_pack_free);
    g_mutex_clear(&g->lock);
    g_free(g->label);
    g_free(g);
}

/* What a token's claims say in "ac": JSON in a string. Signatures are the service's to check. */
static json_t *token_scopes(const char *token)
{
    g_auto(GStrv) parts = g_strsplit(token, ".", 3);
    if (!parts[0] || !parts[1])
        return NULL;
    g_autoptr(GString) text = g_string_new(parts[1]);
    g_string_replace(text, "-", "+", 0);
    g_string_replace(text, "_", "/", 0);
    while (text->len % 4)
        g_string_append_c(text, '=');
    gsize len = 0;
    const char *ac = NULL;
    g_autofree guchar *claims = g_base64_decode(text->str, &len);
    json_t *doc = jsonin_parse(claims, len, 1024 * 1024, "token", NULL);
    json_t *list =
        doc && jsonin_string(doc, "ac", &ac, NULL) && ac ? json_loads(ac, 0, NULL) : NULL;
    json_decref(doc);
    return list;
}

/* The chains to read, the one to write first. A token that does not say: one for all. */
static void find_chains(struct gha *g, const char *scope, const char *token)
{
    g_autofree char *escaped = sign_escape(scope, TRUE);
    json_t *list = token_scopes(token), *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        const char *ref = json_string_value(json_object_get(item, "Scope"));
        gboolean writes = json_integer_value(json_object_get(item, "Permission")) & 2;
        g_autofree char *name = ref ? sign_escape(ref, TRUE) : NULL;
        if (!name || g->chains->len >= MAX_REFS)
            continue;
        char *chain = g_strdup_printf("varve-index-1-%s#%s#", escaped, name);
        g_ptr_array_insert(g->chains, writes ? 0 : -1, chain);
    }
    if (g->chains->len == 0)
        g_ptr_array_add(g->chains, g_strdup_printf("varve-index-1-%s##", escaped));
    json_decref(list);
}

static gboolean check_keys(const struct gha *g, const char *scope, GError **err)
{
    for (guint i = 0; i < g->chains->len; i++)
        if (strlen(g->chains->pdata[i]) + 8 > MAX_KEY)
            return error_set(err, VARVE_ERROR_USAGE, "the scope %.40s… is too long", scope);
    return TRUE;
}

struct cache_backend *cache_gha_open(const struct cache_spec *spec, const struct cache_env *env,
                                     GError **err)
{
    const char *scope = cache_spec_get(spec, "scope"), *token = cache_spec_get(spec, "token");
    struct gha *g = g_new0(struct gha, 1);
    g_mutex_init(&g->lock);
    g->label = g_strdup(spec->label);
    g->chains = g_ptr_array_new_with_free_func(g_free);
    g->fresh = ghaindex_new();
    g->pending = g_byte_array_new();
    g->pending_blobs = ghaindex_pack_new("");
    g->checked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g->packs = g_queue_new();
    g->backend = (struct cache_backend){.label = g->label,
                                        .list = gha_list,
                                        .segment = gha_segment,
                                        .has = gha_has,
                                        .fetch = gha_fetch,
                                        .put = gha_put,
                                        .publish = gha_publish,
                                        .retire = gha_retire,
                                        .free = gha_free};
    if (ghacache_init(&g->cache, spec, env, err)) {
        find_chains(g, scope, token);
        if (check_keys(g, scope, err))
            return &g->backend;
    }
    gha_free(&g->backend);
    return NULL;
}
