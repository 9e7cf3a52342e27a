#include "registry/repository.h"

#include "base/error.h"
#include "image/jsonin.h"
#include "registry/fetch.h"
#include "registry/upload.h"
#include "store/blob.h"

#include <string.h>

#define MAX_PAGES 100 /* of a list of tags */
#define PAGE 1000     /* tags asked for at a time; servers may give fewer */

struct repository {
    struct registry *r;
    GPtrArray *routes;
    const struct route *route; /* the only one */
    char *doing, *scope;
};

struct repository *repository_new(struct registry *r, const struct reference *ref,
                                  const char *purpose, gboolean writing, GError **err)
{
    GPtrArray *routes = client_routes(r, ref->domain, ref->path, FALSE, TRUE, err);
    if (!routes)
        return NULL;
    struct repository *p = g_new0(struct repository, 1);
    p->r = r;
    p->routes = routes;
    p->route = g_ptr_array_index(routes, 0);
    p->doing = g_strdup(purpose);
    p->scope = client_scope(p->route->repository, writing ? "pull,push" : "pull");
    return p;
}

void repository_free(struct repository *p)
{
    if (!p)
        return;
    g_ptr_array_unref(p->routes);
    g_free(p->doing);
    g_free(p->scope);
    g_free(p);
}

const char *repository_host(const struct repository *p)
{
    return p->route->name;
}

const char *repository_path(const struct repository *p)
{
    return p->route->repository;
}

static struct errand errand_of(const struct repository *p)
{
    return (struct errand){.r = p->r, .route = p->route, .doing = p->doing, .scopes = p->scope};
}

static char *target_of(const struct repository *p, const char *kind, const char *name)
{
    return g_strconcat("/v2/", p->route->repository, "/", kind, "/", name, NULL);
}

static gboolean is_expected(const struct errand *e, const struct http_response *a,
                            const struct digest *expected, GError **err)
{
    struct digest is;
    digest_of_bytes(&is, a->body->data, a->body->len);
    if (!expected || digest_cmp(&is, expected) == 0)
        return TRUE;
    error_set(err, VARVE_ERROR_INVALID, "it sent another document than was asked for");
    client_prefix(e, err);
    return FALSE;
}

/* Asks the registry; out->bytes stays NULL when it has none. d: the digest that name is; or NULL.
 */
static gboolean get_document(struct repository *p, const char *name, const struct digest *d,
                             struct repository_document *out, GError **err)
{
    struct errand e = errand_of(p);
    g_autofree char *target = target_of(p, "manifests", name);
    struct http_request rq = {.method = "GET", .accept = FETCH_ACCEPT, .max_body = MAX_DOCUMENT};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!client_send(&e, &rq, target, NULL, NULL, &a, err))
        return FALSE;
    if (a.status == 404)
        return TRUE;
    if (a.status != 200)
        return client_refuse(&e, &a, name, err);
    if (!is_expected(&e, &a, d, err))
        return FALSE;
    digest_of_bytes(&out->digest, a.body->data, a.body->len);
    out->bytes = g_bytes_new(a.body->data, a.body->len);
    return TRUE;
}

gboolean repository_peek(struct repository *p, const char *name, struct repository_document *out,
                         GError **err)
{
    *out = (struct repository_document){NULL};
    return get_document(p, name, NULL, out, err);
}

gboolean repository_get(struct repository *p, const char *name, struct repository_document *out,
                        GError **err)
{
    struct digest d;
    gsize len;
    gboolean by_digest = digest_parse(&d, name, NULL);
    *out = (struct repository_document){NULL};
    if (by_digest && store_blob_has(p->r->store, &d, NULL)) {
        out->digest = d;
        out->bytes = store_blob_read(p->r->store, &d, MAX_DOCUMENT, NULL);
        if (out->bytes)
            return TRUE;
    }
    if (!get_document(p, name, by_digest ? &d : NULL, out, err))
        return FALSE;
    const void *bytes = out->bytes ? g_bytes_get_data(out->bytes, &len) : NULL;
    if (!bytes || store_blob_put(p->r->store, bytes, len, NULL, err))
        return TRUE;
    g_clear_pointer(&out->bytes, g_bytes_unref);
    return FALSE;
}

gboolean repository_put(struct repository *p, const char *name, const char *media_type,
                        GBytes *bytes, gboolean *subject, GError **err)
{
    struct errand e = errand_of(p);
    g_autofree char *target = target_of(p, "manifests", name);
    struct http_request rq = {.method = "PUT", .content_type = media_type};
    g_auto(http_response) a;
    http_response_init(&a);
    rq.body = g_bytes_get_data(bytes, &rq.body_len);
    if (!client_send(&e, &rq, target, NULL, NULL, &a, err))
        return FALSE;
    if (subject)
        *subject = http_response_field(&a, "OCI-Subject") != NULL;
    return a.status == 201 || a.status == 200 || a.status == 202 ||
           client_refuse(&e, &a, name, err);
}

gboolean repository_delete(struct repository *p, const struct digest *d, gboolean *removed,
                           GError **err)
{
    g_autofree char *digest = digest_text(d), *target = target_of(p, "manifests", digest);
    g_autofree char *scope = client_scope(p->route->repository, "pull,push,delete");
    struct errand e = errand_of(p);
    struct http_request rq = {.method = "DELETE"};
    g_auto(http_response) a;
    http_response_init(&a);
    e.scopes = scope;
    if (!client_send(&e, &rq, target, NULL, NULL, &a, err))
        return FALSE;
    *removed = a.status == 202 || a.status == 200 || a.status == 404;
    /* 405 and 400: not supported; 401 and 403: not for us */
    return *removed || (a.status >= 400 && a.status < 500 && a.status != 429) ||
           client_refuse(&e, &a, digest, err);
}

/* Adds the tags of one page; *last gets the last one, for the next page. */
static gboolean take_tags(const struct http_response *a, const char *prefix, GPtrArray *out,
                          char **last, GError **err)
{
    g_auto(GStrv) tags = NULL;
    json_t *doc = jsonin_parse(a->body->data, a->body->len, MAX_DOCUMENT, "list of tags", err);
    gboolean ok = doc && jsonin_strv(doc, "tags", &tags, err);
    json_decref(doc);
    for (char **t = tags; ok && t && *t; t++) {
        if (g_str_has_prefix(*t, prefix))
            g_ptr_array_add(out, g_strdup(*t));
        g_free(*last);
        *last = g_strdup(*t);
    }
    return ok;
}

static char *page_target(const struct repository *p, const char *last)
{
    g_autofree char *escaped = last ? g_uri_escape_string(last, NULL, FALSE) : NULL;
    return g_strdup_printf("/v2/%s/tags/list?n=%d%s%s", p->route->repository, PAGE,
                           last ? "&last=" : "", last ? escaped : "");
}

/* One page. *more: there are further ones, which may still have such tags (lists are sorted). */
static gboolean read_page(struct repository *p, const char *prefix, GPtrArray *out, char **last,
                          gboolean *more, GError **err)
{
    struct errand e = errand_of(p);
    g_autofree char *target = page_target(p, *last), *before = g_strdup(*last);
    struct http_request rq = {.method = "GET", .max_body = MAX_DOCUMENT};
    g_auto(http_response) a;
    http_response_init(&a);
    *more = FALSE;
    if (!client_send(&e, &rq, target, NULL, NULL, &a, err))
        return FALSE;
    if (a.status == 404)
        return TRUE;
    if (a.status != 200)
        return client_refuse(&e, &a, "its list of tags", err);
    if (!take_tags(&a, prefix, out, last, err)) {
        client_prefix(&e, err);
        return FALSE;
    }
    *more = http_response_field(&a, "Link") && *last && g_strcmp0(*last, before) != 0 &&
            (strcmp(*last, prefix) < 0 || g_str_has_prefix(*last, prefix));
    return TRUE;
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *repository_tags(struct repository *p, const char *prefix, guint max, GError **err)
{
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *last = g_strdup(prefix);
    gboolean more = TRUE;
    for (guint i = 0; more && i < MAX_PAGES && out->len < max; i++)
        if (!read_page(p, prefix, out, &last, &more, err))
            return NULL;
    g_ptr_array_sort(out, by_text);
    if (out->len > max)
        g_ptr_array_set_size(out, (gint)max);
    return g_steal_pointer(&out);
}

GBytes *repository_referrers(struct repository *p, const struct digest *d, GError **err)
{
    struct errand e = errand_of(p);
    g_autofree char *digest = digest_text(d), *target = target_of(p, "referrers", digest);
    struct http_request rq = {.method = "GET", .accept = MEDIA_OCI_INDEX, .max_body = MAX_DOCUMENT};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!client_send(&e, &rq, target, NULL, NULL, &a, err))
        return NULL;
    if (a.status == 200 && g_strcmp0(a.content_type, MEDIA_OCI_INDEX) == 0)
        return g_bytes_new(a.body->data, a.body->len);
    if (a.status < 500 && a.status != 401 && a.status != 403 && a.status != 429)
        return NULL;
    client_refuse(&e, &a, "its referrers", err);
    return NULL;
}

gboolean repository_has_blob(struct repository *p, const struct digest *d, gboolean *there,
                             GError **err)
{
    struct errand e = errand_of(p);
    g_autofree char *digest = digest_text(d);
    return blob_is_there(&e, digest, there, err);
}

gboolean repository_fetch_blob(struct repository *p, const struct descriptor *d,
                               struct blob_tap *tap, GError **err)
{
    struct errand e = errand_of(p);
    return fetch_blob(&e, d, tap, err);
}

gboolean repository_push_blob(struct repository *p, const struct descriptor *d,
                              struct push_stats *stats, GError **err)
{
    struct errand e = errand_of(p);
    return push_blob(&e, d, stats, err);
}
