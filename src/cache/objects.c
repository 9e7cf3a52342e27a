#include "cache/objects.h"

#include "base/error.h"
#include "cache/claim.h"
#include "cache/sign.h"

#include <string.h>

#define MAX_PAGE (16 * 1024 * 1024) /* bytes of one page of a list */
#define MAX_OBJECTS (1000 * 1000)
#define DEFAULT_PARALLEL 4

static struct objects *objects_of(struct cache_backend *b)
{
    return (struct objects *)b;
}

struct url *objects_url(const struct objects *o, const char *key, const char *query)
{
    struct url *u = url_copy(o->base);
    g_autofree char *escaped = sign_escape(key, TRUE);
    g_autoptr(GString) target = g_string_new(u->target);
    if (*key || !target->len)
        g_string_append_printf(target, "/%s", escaped);
    if (query)
        g_string_append_printf(target, "?%s", query);
    if (o->query)
        g_string_append_printf(target, "%c%s", query ? '&' : '?', o->query);
    g_free(u->target);
    u->target = g_strdup(target->str);
    return u;
}

gboolean objects_send(struct objects *o, struct service_call *c, const char *key, const char *query,
                      struct http_response *a, GError **err)
{
    c->url = objects_url(o, key, query);
    gboolean ok = service_send(&o->service, c, a, err);
    g_clear_pointer(&c->url, url_free);
    return ok;
}

static gboolean take_page(struct objects *o, const char *prefix, char **marker, GPtrArray *out,
                          GError **err)
{
    struct service_call c = {.rq = {.method = "GET", .max_body = MAX_PAGE}};
    g_auto(http_response) a;
    http_response_init(&a);
    g_autofree char *from = *marker ? sign_escape(*marker, FALSE) : NULL;
    g_autofree char *more = from ? g_strdup_printf("%s=%s&", o->marker, from) : g_strdup("");
    g_autofree char *below = sign_escape(prefix, FALSE);
    g_autofree char *query = g_strdup_printf("%s%s&prefix=%s", more, o->list_query, below);
    g_clear_pointer(marker, g_free);
    if (!objects_send(o, &c, "", query, &a, err))
        return FALSE;
    if (a.status == 404)
        return TRUE; /* no bucket, no objects */
    if (!service_check(&o->service, &a, err))
        return FALSE;
    if (objectlist_parse(o->listing, (const char *)a.body->data, a.body->len, out, marker, err))
        return TRUE;
    g_prefix_error(err, "%s: ", o->service.name);
    return FALSE;
}

/* All objects below prefix, at most max (struct object_entry*). */
static GPtrArray *list_objects(struct objects *o, const char *prefix, guint max, GError **err)
{
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)object_entry_free);
    g_autofree char *marker = NULL;
    guint before;
    do {
        before = out->len;
        if (!take_page(o, prefix, &marker, out, err))
            return NULL;
    } while (marker && out->len > before && out->len < max);
    if (out->len > max)
        g_ptr_array_set_size(out, max);
    return g_steal_pointer(&out);
}

/* The digest that a key ends with. */
static gboolean key_digest(const char *key, struct digest *out)
{
    const char *slash = strrchr(key, '/');
    return digest_parse(out, slash ? slash + 1 : key, NULL);
}

/* Those of entries that are segments, of this reference or of others. */
static GPtrArray *listed_segments(const struct objects *o, const GPtrArray *entries, gboolean own)
{
    GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)cache_listed_free);
    gsize len = strlen(o->name);
    for (guint i = 0; i < entries->len; i++) {
        const struct object_entry *e = entries->pdata[i];
        struct cache_listed l = {.created = e->modified};
        gboolean here = g_str_has_prefix(e->key, o->name) && e->key[len] == '/' &&
                        !strchr(e->key + len + 1, '/');
        if (here != own || !g_str_has_prefix(e->key, o->manifests) ||
            !key_digest(e->key, &l.digest))
            continue;
        l.name = g_strdup(e->key);
        g_ptr_array_add(out, g_memdup2(&l, sizeof l));
    }
    return out;
}

static gboolean look_at(struct objects *o, const char *key, struct http_response *a,
                        gboolean *there, GError **err)
{
    struct service_call c = {.rq = {.method = "HEAD"}};
    *there = FALSE;
    if (!objects_send(o, &c, key, NULL, a, err))
        return FALSE;
    *there = a->status == 200;
    return a->status == 404 || service_check(&o->service, a, err);
}

static GPtrArray *objects_list(struct cache_backend *self, char **foreign, GError **err)
{
    struct objects *o = objects_of(self);
    g_autofree char *below = g_strconcat(o->name, "/", NULL);
    g_autoptr(GPtrArray) entries = list_objects(o, below, CACHE_SEGMENTS_MAX, err);
    if (foreign)
        *foreign = NULL;
    if (!entries)
        return NULL;
    if (entries->len == 0 && foreign) {
        g_auto(http_response) a;
        http_response_init(&a);
        gboolean there;
        if (look_at(o, o->name, &a, &there, NULL) && there)
            *foreign = g_strdup("BuildKit's cache");
    }
    return listed_segments(o, entries, TRUE);
}

static GPtrArray *objects_others(struct cache_backend *self, GError **err)
{
    struct objects *o = objects_of(self);
    g_autoptr(GPtrArray) entries = list_objects(o, o->manifests, MAX_OBJECTS, err);
    return entries ? listed_segments(o, entries, FALSE) : NULL;
}

static GBytes *objects_segment(struct cache_backend *self, const struct cache_listed *l,
                               GError **err)
{
    struct objects *o = objects_of(self);
    struct service_call c = {.rq = {.method = "GET", .max_body = CACHE_SEGMENT_MAX}};
    g_auto(http_response) a;
    http_response_init(&a);
    struct digest got;
    if (!objects_send(o, &c, l->name, NULL, &a, err) || !service_check(&o->service, &a, err))
        return NULL;
    digest_of_bytes(&got, a.body->data, a.body->len);
    if (digest_cmp(&got, &l->digest) == 0)
        return g_bytes_new(a.body->data, a.body->len);
    error_set(err, VARVE_ERROR_INVALID, "%s sent something else than was stored as %s",
              o->service.name, l->name);
    return NULL;
}

static char *blob_key(const struct objects *o, const struct digest *d)
{
    g_autofree char *digest = digest_text(d);
    return g_strconcat(o->blobs, digest, NULL);
}

/* Keeps an object that is about to be used from a rule that removes old ones: what cannot be
 * touched is sent anew. */
static gboolean keep_object(struct objects *o, const char *key, const struct http_response *a)
{
    gint64 modified = http_date(http_response_field(a, "Last-Modified"));
    gint64 now = g_get_real_time() / G_USEC_PER_SEC;
    if (!o->touch || !o->refresh_s || modified < 0 || now - modified < o->refresh_s)
        return TRUE;
    return o->touch(o, key, NULL);
}

static gboolean objects_has(struct cache_backend *self, const struct descriptor *d, gboolean *there,
                            GError **err)
{
    struct objects *o = objects_of(self);
    g_autofree char *key = blob_key(o, &d->digest);
    g_auto(http_response) a;
    http_response_init(&a);
    if (!look_at(o, key, &a, there, err))
        return FALSE;
    /* One of another size was cut short by whoever sent it. */
    *there = *there && (a.content_length == HTTP_UNKNOWN || a.content_length == d->size) &&
             keep_object(o, key, &a);
    return TRUE;
}

static gboolean objects_fetch(struct cache_backend *self, const struct descriptor *d,
                              struct blob_tap *tap, GError **err)
{
    struct objects *o = objects_of(self);
    g_autofree char *key = blob_key(o, &d->digest);
    g_autoptr(url) u = objects_url(o, key, NULL);
    struct service_call c = {.url = u};
    return service_fetch(&o->service, &c, d, tap, err);
}

static gboolean objects_put(struct cache_backend *self, const struct descriptor *d, guint64 *sent,
                            GError **err)
{
    struct objects *o = objects_of(self);
    struct service_upload u;
    g_autofree char *key = blob_key(o, &d->digest);
    if (sent)
        *sent = 0;
    if (!service_upload_begin(&o->service, d, &u, err))
        return FALSE;
    gboolean ok = o->put_file(o, key, &u, &d->digest, err);
    service_upload_end(&u);
    if (ok && sent)
        *sent = d->size;
    return ok;
}

static gboolean objects_publish(struct cache_backend *self, GBytes *segment, const GPtrArray *blobs,
                                GError **err)
{
    struct objects *o = objects_of(self);
    struct digest d;
    digest_of_bytes(&d, g_bytes_get_data(segment, NULL), g_bytes_get_size(segment));
    g_autofree char *digest = digest_text(&d);
    g_autofree char *key = g_strconcat(o->name, "/", digest, NULL);
    return o->put_bytes(o, key, segment, err);
}

static gboolean delete_object(struct objects *o, const char *key, GError **err)
{
    struct service_call c = {.rq = {.method = "DELETE"}};
    g_auto(http_response) a;
    http_response_init(&a);
    return objects_send(o, &c, key, NULL, &a, err) &&
           (a.status == 404 || service_check(&o->service, &a, err));
}

static gboolean objects_retire(struct cache_backend *self, const GPtrArray *segments, GError **err)
{
    struct objects *o = objects_of(self);
    for (guint i = 0; i < segments->len; i++) {
        const struct cache_listed *l = segments->pdata[i];
        g_autoptr(GError) why = NULL;
        if (delete_object(o, l->name, &why) ||
            g_error_matches(why, VARVE_ERROR, VARVE_ERROR_DENIED))
            continue;
        g_propagate_error(err, g_steal_pointer(&why));
        return FALSE;
    }
    return TRUE;
}

static GArray *objects_held(struct cache_backend *self, GError **err)
{
    struct objects *o = objects_of(self);
    g_autoptr(GPtrArray) entries = list_objects(o, o->blobs, MAX_OBJECTS, err);
    if (!entries)
        return NULL;
    GArray *out = g_array_new(FALSE, FALSE, sizeof(struct cache_held));
    for (guint i = 0; i < entries->len; i++) {
        const struct object_entry *e = entries->pdata[i];
        struct cache_held h = {.size = e->size, .written = e->modified};
        if (g_str_has_prefix(e->key, o->blobs) &&
            digest_parse(&h.digest, e->key + strlen(o->blobs), NULL))
            g_array_append_val(out, h);
    }
    return out;
}

static gboolean objects_remove(struct cache_backend *self, const struct digest *d, GError **err)
{
    struct objects *o = objects_of(self);
    g_autofree char *key = blob_key(o, d);
    return delete_object(o, key, err);
}

static char *claim_key(const struct objects *o, const char *name)
{
    return g_strconcat(o->name, "/claim-", name, NULL);
}

static GPtrArray *objects_claims(struct cache_backend *self, GError **err)
{
    struct objects *o = objects_of(self);
    g_autofree char *prefix = claim_key(o, "");
    g_autoptr(GPtrArray) entries = list_objects(o, prefix, CACHE_SEGMENTS_MAX, err);
    GPtrArray *out = entries ? g_ptr_array_new_with_free_func(g_free) : NULL;
    for (guint i = entries ? entries->len : 0; i-- > 0 && out->len < CLAIMS_MAX;) {
        const struct object_entry *e = g_ptr_array_index(entries, i);
        if (g_str_has_prefix(e->key, prefix) && claim_is_name(e->key + strlen(prefix)))
            g_ptr_array_add(out, g_strdup(e->key + strlen(prefix)));
    }
    return out;
}

static GBytes *objects_claim_get(struct cache_backend *self, const char *name, GError **err)
{
    struct objects *o = objects_of(self);
    struct service_call c = {.rq = {.method = "GET", .max_body = CLAIM_BYTES_MAX}};
    g_autofree char *key = claim_key(o, name);
    g_auto(http_response) a;
    http_response_init(&a);
    if (!objects_send(o, &c, key, NULL, &a, err) || !service_check(&o->service, &a, err))
        return NULL;
    return g_bytes_new(a.body->data, a.body->len);
}

static gboolean objects_claim_put(struct cache_backend *self, const char *name, GBytes *bytes,
                                  GError **err)
{
    struct objects *o = objects_of(self);
    g_autofree char *key = claim_key(o, name);
    return o->put_bytes(o, key, bytes, err);
}

static gboolean objects_claim_remove(struct cache_backend *self, const char *name, GError **err)
{
    struct objects *o = objects_of(self);
    g_autofree char *key = claim_key(o, name);
    return delete_object(o, key, err);
}

static void objects_free(struct cache_backend *self)
{
    struct objects *o = objects_of(self);
    if (o->clear)
        o->clear(o);
    service_clear(&o->service);
    url_free(o->base);
    g_free(o->label);
    g_free(o->query);
    g_free(o->blobs);
    g_free(o->manifests);
    g_free(o->name);
    g_free(o);
}

/* Of a kind of objects: as BuildKit, with one '/' at the end whether it was written or not. */
static char *key_prefix(const char *prefix, const char *kind)
{
    gboolean slash = g_str_has_suffix(kind, "/");
    return g_strconcat(prefix ? prefix : "", kind, slash ? "" : "/", NULL);
}

void objects_init(struct objects *o, const struct cache_spec *spec, const struct cache_env *env,
                  const char *what, struct url *base)
{
    const char *prefix = cache_spec_get(spec, "prefix");
    const char *parallel = cache_spec_get(spec, "upload_parallelism");
    gsize len = strlen(base->target);
    service_init(&o->service, env, what, base);
    while (len && base->target[len - 1] == '/')
        base->target[--len] = 0;
    o->base = base;
    o->blobs = key_prefix(prefix, cache_spec_get(spec, "blobs_prefix"));
    o->manifests = key_prefix(prefix, cache_spec_get(spec, "manifests_prefix"));
    o->name = g_strconcat(o->manifests, cache_spec_get(spec, "name"), NULL);
    o->parallel = parallel ? (guint)g_ascii_strtoull(parallel, NULL, 10) : DEFAULT_PARALLEL;
    o->label = g_strdup(spec->label);
    o->backend = (struct cache_backend){.label = o->label,
                                        .list = objects_list,
                                        .others = objects_others,
                                        .segment = objects_segment,
                                        .has = objects_has,
                                        .fetch = objects_fetch,
                                        .put = objects_put,
                                        .publish = objects_publish,
                                        .retire = objects_retire,
                                        .held = objects_held,
                                        .remove = objects_remove,
                                        .claims = objects_claims,
                                        .claim_get = objects_claim_get,
                                        .claim_put = objects_claim_put,
                                        .claim_remove = objects_claim_remove,
                                        .free = objects_free};
}
