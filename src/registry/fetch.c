#include "registry/fetch.h"

#include "base/error.h"
#include "registry/blobget.h"
#include "registry/origin.h"
#include "store/blob.h"

#include <string.h>

/* A blob may not be needed, or may come from elsewhere. */
#define ORIGIN_TRIES 2

void document_clear(struct document *d)
{
    g_clear_pointer(&d->manifest, manifest_free);
}

static char *manifest_target(const struct errand *e, const char *name)
{
    return g_strconcat("/v2/", e->route->repository, "/manifests/", name, NULL);
}

gboolean fetch_digest(const struct errand *e, const char *name, struct digest *out, gboolean *known,
                      GError **err)
{
    g_autofree char *target = manifest_target(e, name);
    struct http_request rq = {.method = "HEAD", .accept = FETCH_ACCEPT};
    g_auto(http_response) a;
    http_response_init(&a);
    *known = FALSE;
    if (!client_send(e, &rq, target, NULL, NULL, &a, err))
        return FALSE;
    *known = a.status == 200 && answer_digest(&a, out);
    return TRUE;
}

/* TRUE when body has the digest it must have. */
static gboolean check_digest(const struct errand *e, const char *name,
                             const struct http_response *a, const struct digest *expected,
                             struct digest *out, GError **err)
{
    struct digest said;
    digest_of_bytes(out, a->body->data, a->body->len);
    const struct digest *want = expected;
    if (!want && answer_digest(a, &said))
        want = &said;
    if (!want || digest_cmp(want, out) == 0)
        return TRUE;
    g_autofree char *want_text = digest_text(want), *got = digest_text(out);
    error_set(
        err, VARVE_ERROR_INVALID,
        "cannot %s: registry %s sent a manifest for %s whose digest is wrong: expected %s, got %s",
        e->doing, e->route->name, name, want_text, got);
    error_add_next(err, "run the same command again; if this persists, the registry or a proxy in "
                        "front of it is broken");
    return FALSE;
}

static gboolean keep_document(const struct errand *e, const struct http_response *a,
                              struct document *out, GError **err)
{
    out->manifest = manifest_parse(a->body->data, a->body->len, a->content_type, err);
    if (!out->manifest) {
        client_prefix(e, err);
        return FALSE;
    }
    return store_blob_put(e->r->store, a->body->data, a->body->len, NULL, err);
}

gboolean fetch_document(const struct errand *e, const char *name, const struct digest *expected,
                        struct document *out, GError **err)
{
    g_autofree char *target = manifest_target(e, name);
    struct http_request rq = {.method = "GET", .accept = FETCH_ACCEPT, .max_body = MAX_DOCUMENT};
    g_auto(http_response) a;
    http_response_init(&a);
    out->manifest = NULL;
    /* A wrong digest is worth one retry: a proxy may have sent only a part. */
    for (guint i = 0;; i++) {
        g_autoptr(GError) why = NULL;
        if (!client_send(e, &rq, target, NULL, NULL, &a, err))
            return FALSE;
        if (a.status != 200)
            return client_refuse(e, &a, name, err);
        if (check_digest(e, name, &a, expected, &out->digest, &why))
            return keep_document(e, &a, out, err);
        if (i == 0)
            continue;
        g_propagate_error(err, g_steal_pointer(&why));
        return FALSE;
    }
}

gboolean stored_document_read(struct store *s, const struct digest *d, struct document *out,
                              GError **err)
{
    out->manifest = NULL;
    g_autoptr(GBytes) bytes = store_blob_read(s, d, MAX_DOCUMENT, err);
    if (!bytes)
        return FALSE;
    out->digest = *d;
    out->manifest =
        manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, err);
    return out->manifest != NULL;
}

gboolean stored_document(struct store *s, const struct digest *d, struct document *out)
{
    out->manifest = NULL;
    return store_blob_has(s, d, NULL) && stored_document_read(s, d, out, NULL);
}

/* One blob being fetched, with the hook of its retries. */
struct pull_get {
    struct blob_get get;
    struct retry_hook hook;
    const struct errand *e;
};

static void adjust_range(struct retry_hook *hook, struct http_request *rq)
{
    struct pull_get *p = (struct pull_get *)((char *)hook - offsetof(struct pull_get, hook));
    rq->range_from = blob_get_size(&p->get);
}

static gboolean ask_registry(struct blob_get *g, struct http_response *a, GError **err)
{
    struct pull_get *p = (struct pull_get *)g;
    g_autofree char *digest = digest_text(&g->d->digest);
    g_autofree char *target = g_strconcat("/v2/", p->e->route->repository, "/blobs/", digest, NULL);
    struct http_request rq = {.method = "GET", .sink = &g->sink};
    return client_send(p->e, &rq, target, NULL, &p->hook, a, err);
}

static gboolean refuse_blob(struct blob_get *g, const struct http_response *a, GError **err)
{
    g_autofree char *digest = digest_text(&g->d->digest);
    return client_refuse(((struct pull_get *)g)->e, a, digest, err);
}

gboolean fetch_blob(const struct errand *e, const struct descriptor *d, struct blob_tap *tap,
                    GError **err)
{
    struct store *s = e->r->store;
    if (store_blob_has(s, &d->digest, NULL))
        return TRUE;
    g_autofree char *name = client_transfer_name(e, &d->digest);
    struct pull_get p = {.get = {.store = s,
                                 .d = d,
                                 .tap = tap,
                                 .events = e->r->events,
                                 .cancel = e->r->cancel,
                                 .name = name,
                                 .ask = ask_registry,
                                 .refuse = refuse_blob},
                         .hook = {adjust_range},
                         .e = e};
    GError *why = NULL;
    if (blob_get_run(&p.get, &why)) {
        origin_add(s, &d->digest, e->route->name, e->route->repository);
        return TRUE;
    }
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID)) {
        if (!g_str_has_prefix(why->message, "cannot "))
            g_prefix_error(&why, "cannot %s: registry %s sent a wrong blob, twice: ", e->doing,
                           e->route->name);
        error_add_next(&why, "run the same command again; if this persists, the registry or a "
                             "proxy in front of it is broken");
    }
    g_propagate_error(err, why);
    return FALSE;
}

/* Mirrors count as for a pull. */
static gboolean fetch_from(struct registry *r, const struct origin *o, const struct descriptor *d,
                           struct blob_tap *tap, GError **err)
{
    g_autoptr(GPtrArray) routes = client_routes(r, o->host, o->repository, TRUE, FALSE, err);
    g_autofree char *doing = g_strdup_printf("pull %s/%s", o->host, o->repository);
    g_autoptr(GError) why = NULL;
    for (guint i = 0; routes && i < routes->len && cancel_check(r->cancel, NULL); i++) {
        const struct route *route = g_ptr_array_index(routes, i);
        g_autofree char *scope = client_scope(route->repository, "pull");
        struct errand e = {
            .r = r, .route = route, .doing = doing, .scopes = scope, .tries = ORIGIN_TRIES};
        g_clear_error(&why);
        if (fetch_blob(&e, d, tap, &why))
            return TRUE;
    }
    if (why)
        g_propagate_error(err, g_steal_pointer(&why));
    else if (routes)
        cancel_check(r->cancel, err);
    return FALSE;
}

gboolean fetch_from_origins(struct registry *r, const struct descriptor *d, struct blob_tap *tap,
                            GError **err)
{
    g_autoptr(GPtrArray) origins = origin_list(r->store, &d->digest);
    GError *why = NULL;
    for (guint i = 0; i < origins->len; i++) {
        g_clear_error(&why);
        if (fetch_from(r, g_ptr_array_index(origins, i), d, tap, &why))
            return TRUE;
        if (!cancel_check(r->cancel, NULL))
            break;
    }
    if (!why)
        return error_set(err, VARVE_ERROR_NOT_FOUND, "no registry is known to have it");
    g_propagate_error(err, why);
    return FALSE;
}
