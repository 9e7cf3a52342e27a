#include "registry/fetch.h"

#include "base/error.h"
#include "registry/origin.h"
#include "base/transfer.h"
#include "store/blob.h"

#include <string.h>

#define ACCEPT                                                                                     \
    MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST
/* Bodies that end early without the protocol noticing. */
#define MAX_SHORT 3
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
    struct http_request rq = {.method = "HEAD", .accept = ACCEPT};
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
    struct http_request rq = {.method = "GET", .accept = ACCEPT, .max_body = MAX_DOCUMENT};
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

gboolean stored_document(struct store *s, const struct digest *d, struct document *out)
{
    out->manifest = NULL;
    if (!store_blob_has(s, d, NULL))
        return FALSE;
    g_autoptr(GBytes) bytes = store_blob_read(s, d, MAX_DOCUMENT, NULL);
    if (!bytes)
        return FALSE;
    out->digest = *d;
    out->manifest =
        manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, NULL);
    return out->manifest != NULL;
}

/* One blob being fetched: the sink of its bytes and the hook of its retries. */
struct blob_get {
    struct http_sink sink;
    struct retry_hook hook;
    const struct errand *e;
    const struct descriptor *d;
    struct blob_tap *tap; /* or NULL */
    struct blob_writer *writer;
    struct transfer transfer;
};

static void adjust_range(struct retry_hook *hook, struct http_request *rq)
{
    struct blob_get *g = (struct blob_get *)((char *)hook - offsetof(struct blob_get, hook));
    rq->range_from = blob_writer_size(g->writer);
}

static gboolean on_begin(struct http_sink *sink, const struct http_response *a, GError **err)
{
    struct blob_get *g = (struct blob_get *)sink;
    if (a->status == 200 && blob_writer_size(g->writer) > 0 && !blob_writer_restart(g->writer, err))
        return FALSE;
    guint64 have = blob_writer_size(g->writer);
    if (a->status == 206 && a->range_start != have)
        return error_set(err, VARVE_ERROR_INVALID,
                         "it sent a different part of the blob than requested");
    if (a->content_length == HTTP_UNKNOWN || have + a->content_length == g->d->size)
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID,
                     "it has %" G_GUINT64_FORMAT
                     " bytes for a blob that the manifest says has %" G_GUINT64_FORMAT,
                     have + a->content_length, g->d->size);
}

static gboolean on_data(struct http_sink *sink, const void *bytes, gsize len, GError **err)
{
    struct blob_get *g = (struct blob_get *)sink;
    if (len > g->d->size - blob_writer_size(g->writer))
        return error_set(err, VARVE_ERROR_INVALID,
                         "it sends more than the %" G_GUINT64_FORMAT
                         " bytes that the manifest says",
                         g->d->size);
    guint64 at = blob_writer_size(g->writer);
    if (!blob_writer_write(g->writer, bytes, len, err))
        return FALSE;
    if (g->tap)
        g->tap->bytes(g->tap, at, bytes, len);
    transfer_tell(&g->transfer, blob_writer_size(g->writer));
    return TRUE;
}

static gboolean get_rest(struct blob_get *g, GError **err)
{
    g_autofree char *digest = digest_text(&g->d->digest);
    g_autofree char *target = g_strconcat("/v2/", g->e->route->repository, "/blobs/", digest, NULL);
    g_auto(http_response) a;
    http_response_init(&a);
    for (guint i = 0; i < MAX_SHORT && blob_writer_size(g->writer) < g->d->size; i++) {
        struct http_request rq = {.method = "GET", .sink = &g->sink};
        if (!client_send(g->e, &rq, target, NULL, &g->hook, &a, err))
            return FALSE;
        if (a.status == 416 && blob_writer_size(g->writer) > 0) {
            if (!blob_writer_restart(g->writer, err))
                return FALSE;
        } else if (a.status != 200 && a.status != 206) {
            return client_refuse(g->e, &a, digest, err);
        }
    }
    return TRUE;
}

static gboolean is_invalid(const GError *err)
{
    return g_error_matches(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

/* Everything of one blob once; the writer is gone afterwards. */
static gboolean get_blob(const struct errand *e, const struct descriptor *d, struct blob_tap *tap,
                         GError **err)
{
    struct blob_get g = {
        .sink = {on_begin, on_data}, .hook = {adjust_range}, .e = e, .d = d, .tap = tap};
    guint64 have;
    g.writer = blob_writer_resume(e->r->store, &d->digest, &have, err);
    if (!g.writer)
        return FALSE;
    if (have > d->size && !blob_writer_restart(g.writer, err)) {
        blob_writer_abort(g.writer, FALSE);
        return FALSE;
    }
    g_autofree char *name = client_transfer_name(e, &d->digest);
    transfer_init(&g.transfer, e->r->events, name, d->size);
    GError *why = NULL;
    gboolean ok = get_rest(&g, &why);
    transfer_finish(&g.transfer, blob_writer_size(g.writer));
    if (ok)
        return blob_writer_commit(g.writer, &d->digest, NULL, err);
    blob_writer_abort(g.writer, !is_invalid(why));
    g_propagate_error(err, why);
    return FALSE;
}

static gboolean get_verified(const struct errand *e, const struct descriptor *d,
                             struct blob_tap *tap, GError **err)
{
    GError *why = NULL;
    /* Wrong bytes: none were kept. Retry once, since they may come from a damaged earlier part. */
    for (guint i = 0; i < 2; i++) {
        g_clear_error(&why);
        if (get_blob(e, d, tap, &why))
            return TRUE;
        if (!is_invalid(why))
            break;
    }
    if (is_invalid(why)) {
        if (!g_str_has_prefix(why->message, "cannot "))
            g_prefix_error(&why, "cannot %s: registry %s sent a wrong blob, twice: ", e->doing,
                           e->route->name);
        error_add_next(&why, "run the same command again; if this persists, the registry or a "
                             "proxy in front of it is broken");
    }
    g_propagate_error(err, why);
    return FALSE;
}

gboolean fetch_blob(const struct errand *e, const struct descriptor *d, struct blob_tap *tap,
                    GError **err)
{
    struct store *s = e->r->store;
    char hex[DIGEST_HEX_LEN + 1];
    if (store_blob_has(s, &d->digest, NULL))
        return TRUE;
    g_autofree char *name = g_strconcat("pull-", digest_hex(&d->digest, hex), NULL);
    g_autoptr(store_lock) lock = store_lock_take(s, name, e->r->cancel, NULL, err);
    if (!lock)
        return FALSE;
    if (store_blob_has(s, &d->digest, NULL))
        return TRUE;
    if (!get_verified(e, d, tap, err))
        return FALSE;
    origin_add(s, &d->digest, e->route->name, e->route->repository);
    return TRUE;
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
