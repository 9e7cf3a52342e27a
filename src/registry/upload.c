#include "registry/upload.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/transfer.h"
#include "store/blob.h"

#include <string.h>

#define CHUNK (16 * 1024 * 1024)
#define MAX_FAILURES 5
#define FIRST_DELAY_MS 400
#define OCTETS "application/octet-stream"

struct upload {
    const struct errand *e;
    const struct digest *d;
    guint64 size;
    int fd;
    struct url *location; /* of the session; NULL: none */
    guint64 offset;       /* bytes that the server has */
    guint64 chunk;        /* longest PATCH; 0: everything in one PUT */
    guint64 min_chunk;    /* what the server asks for, or 0 */
    guint64 furthest;     /* the most that any session had of it */
    guint failures;       /* since furthest last grew */
    struct transfer transfer;
};

/* As for redirects: only this machine itself sends anybody to it. */
static gboolean may_be_plain(const struct errand *e, const struct url *from, const struct url *to)
{
    if (url_host_is_loopback(to->host))
        return url_host_is_loopback(from->host);
    return !from->tls && e->route->insecure;
}

struct url *upload_location(const struct errand *e, const struct http_response *a, GError **err)
{
    const char *location = http_response_field(a, "Location");
    struct url *u = location && a->url ? url_resolve(a->url, location, err) : NULL;
    if (!u) {
        if (err && !*err)
            error_set(err, VARVE_ERROR_INVALID, "it began an upload without saying where");
        client_prefix(e, err);
        return NULL;
    }
    /* A registry behind a proxy that ends TLS may not know that it is used over https. */
    if (!u->tls && a->url->tls && strcmp(u->host, a->url->host) == 0) {
        u->tls = TRUE;
        u->port = a->url->port;
    }
    if (u->tls || may_be_plain(e, a->url, u))
        return u;
    g_autofree char *host = url_authority(u);
    error_set(err, VARVE_ERROR_INVALID,
              "it wants an upload sent to %s without TLS, which is refused", host);
    client_prefix(e, err);
    url_free(u);
    return NULL;
}

/* A part of the blob on its way. */
struct part {
    struct http_file_source source;
    struct upload *u;
};

static void on_sent(struct http_source *self, guint64 bytes)
{
    struct upload *u = ((struct part *)self)->u;
    transfer_tell(&u->transfer, u->offset + bytes);
}

static gboolean set_location(struct upload *u, const struct http_response *a, GError **err)
{
    struct url *to = upload_location(u->e, a, err);
    if (!to)
        return FALSE;
    url_free(u->location);
    u->location = to;
    return TRUE;
}

/* The server said which bytes it has ("0-1023"): the next one is wanted. */
static void set_offset(struct upload *u, const struct http_response *a, guint64 otherwise)
{
    const char *range = http_response_field(a, "Range"), *dash = range ? strchr(range, '-') : NULL;
    guint64 last, next = otherwise;
    if (dash && g_ascii_string_to_unsigned(dash + 1, 10, 0, G_MAXINT64 - 1, &last, NULL))
        next = last + 1;
    /* Some report "0-0" for nothing; one byte sent twice would break the digest, nothing sent does
     * no harm. */
    if (next == 1 && otherwise != 1)
        next = 0;
    next = MIN(next, u->size);
    if (next > u->furthest) {
        u->failures = 0;
        u->furthest = next;
    }
    u->offset = next;
}

static gboolean begin_upload(struct upload *u, GError **err)
{
    g_autofree char *target = g_strconcat("/v2/", u->e->route->repository, "/blobs/uploads/", NULL);
    struct http_request rq = {.method = "POST"};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!client_send(u->e, &rq, target, NULL, NULL, &a, err))
        return FALSE;
    if (a.status != 202)
        return client_refuse(u->e, &a, "beginning an upload", err);
    const char *min = http_response_field(&a, "OCI-Chunk-Min-Length");
    if (!min || !g_ascii_string_to_unsigned(min, 10, 0, G_MAXINT64, &u->min_chunk, NULL))
        u->min_chunk = 0;
    u->offset = 0;
    return set_location(u, &a, err);
}

/* One request with bytes [offset, offset+len) of the file, without retries. */
static gboolean send_bytes(struct upload *u, const char *method, const struct url *to, guint64 len,
                           struct http_response *a, GError **err)
{
    struct errand once = *u->e;
    once.tries = 1;
    struct part part = {.u = u};
    http_file_source_init(&part.source, u->fd, u->offset, len);
    part.source.base.sent = on_sent;
    g_autofree char *range = g_strdup_printf(
        "Content-Range: %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, u->offset, u->offset + len - 1);
    const char *const fields[] = {range, NULL};
    struct http_request rq = {.method = method,
                              .content_type = OCTETS,
                              .fields = strcmp(method, "PATCH") == 0 ? fields : NULL,
                              .source = len ? &part.source.base : NULL};
    return client_send(&once, &rq, NULL, to, NULL, a, err);
}

/* What came of one step of an upload. */
enum step { STEP_FAILED, STEP_AGAIN, STEP_GO_ON, STEP_DONE };

static enum step after_failure(const GError *why)
{
    return g_error_matches(why, VARVE_ERROR, VARVE_ERROR_OUTSIDE) ? STEP_AGAIN : STEP_FAILED;
}

/* The last request: names the digest, and carries what is still missing. */
static enum step put_rest(struct upload *u, struct http_response *a, GError **err)
{
    g_autofree char *digest = digest_text(u->d);
    g_autoptr(url) to = url_copy(u->location);
    url_add_query(to, "digest", digest);
    if (!send_bytes(u, "PUT", to, u->size - u->offset, a, err))
        return after_failure(*err);
    if (a->status == 201 || a->status == 204)
        return STEP_DONE;
    client_refuse(u->e, a, "an upload", err);
    if (a->status == 413 && !u->chunk) {
        u->chunk = MAX(CHUNK, u->min_chunk);
        return STEP_AGAIN;
    }
    return a->status == 404 || a->status == 416 ? STEP_AGAIN : STEP_FAILED;
}

static enum step patch_next(struct upload *u, struct http_response *a, GError **err)
{
    guint64 len = MIN(u->size - u->offset, u->chunk ? u->chunk : u->size);
    if (!send_bytes(u, "PATCH", u->location, len, a, err))
        return after_failure(*err);
    if (a->status == 416 || a->status == 404) {
        client_refuse(u->e, a, "a part of an upload", err);
        return STEP_AGAIN;
    }
    if (a->status != 202 && a->status != 201 && a->status != 204) {
        client_refuse(u->e, a, "a part of an upload", err);
        return STEP_FAILED;
    }
    if (!set_location(u, a, err))
        return STEP_FAILED;
    guint64 before = u->offset;
    set_offset(u, a, before + len);
    if (u->offset > before)
        return STEP_GO_ON;
    error_set(err, VARVE_ERROR_OUTSIDE,
              "it does not keep what is sent: of a part of an upload it has no more than before");
    client_prefix(u->e, err);
    error_add_next(err, "run the same command again later; if this persists, the registry or a "
                        "proxy in front of it is broken");
    return STEP_AGAIN;
}

/* Asks the server what it has; starts again if it lost the session. */
static gboolean recover(struct upload *u, GError **err)
{
    struct http_request rq = {.method = "GET"};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!client_send(u->e, &rq, NULL, u->location, NULL, &a, err))
        return FALSE;
    if ((a.status == 204 || a.status == 202) && http_response_field(&a, "Location")) {
        set_offset(u, &a, 0);
        return set_location(u, &a, err);
    }
    return begin_upload(u, err);
}

static gboolean pause_and_recover(struct upload *u, const struct http_response *a, GError **why,
                                  GError **err)
{
    const struct registry_config *c = u->e->r->config;
    gint64 first_ms = c && c->patience.first_delay_ms ? c->patience.first_delay_ms : FIRST_DELAY_MS;
    gint64 delay = MAX(first_ms << MIN(u->failures, 6), a->retry_after_s * 1000);
    if (++u->failures >= MAX_FAILURES ||
        g_error_matches(*why, VARVE_ERROR, VARVE_ERROR_CANCELLED)) {
        g_propagate_error(err, g_steal_pointer(why));
        return FALSE;
    }
    g_clear_error(why);
    return cancel_wait(u->e->r->cancel, MIN(delay, 60000), err) && recover(u, err);
}

/* One request of the whole in one PUT; or, once that failed in the middle or was too large, of its
 * parts. */
static enum step next_step(struct upload *u, struct http_response *a, GError **err)
{
    gboolean parts = u->offset > 0 || u->chunk;
    return parts && u->offset < u->size ? patch_next(u, a, err) : put_rest(u, a, err);
}

static gboolean run_upload(struct upload *u, GError **err)
{
    g_auto(http_response) a;
    http_response_init(&a);
    if (!u->location && !begin_upload(u, err))
        return FALSE;
    for (;;) {
        g_autoptr(GError) why = NULL;
        enum step step = next_step(u, &a, &why);
        if (step == STEP_DONE)
            return TRUE;
        if (step == STEP_GO_ON)
            continue;
        if (step == STEP_FAILED) {
            g_propagate_error(err, g_steal_pointer(&why));
            return FALSE;
        }
        if (!pause_and_recover(u, &a, &why, err))
            return FALSE;
    }
}

gboolean upload_blob(const struct errand *e, const struct digest *d, guint64 size,
                     struct url *location, GError **err)
{
    struct upload u = {.e = e, .d = d, .size = size, .location = location};
    fd_auto int fd = store_blob_open(e->r->store, d, err);
    gboolean ok = fd >= 0;
    u.fd = fd;
    if (ok) {
        g_autofree char *name = client_transfer_name(e, d);
        transfer_init(&u.transfer, e->r->events, name, size);
        ok = run_upload(&u, err);
        transfer_finish(&u.transfer, ok ? size : u.offset);
    }
    url_free(u.location);
    return ok;
}
