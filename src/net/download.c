#include "net/download.h"

#include "base/error.h"

#include <string.h>

#define MAX_VALIDATOR 512 /* bytes of an ETag or a date worth keeping */
#define SETTLED_S 2 /* a file younger than this may change again without its date showing it */

static const struct http_patience usual = {.tries = 4, .unreachable_tries = 4};

void download_info_clear(struct download_info *i)
{
    g_free(i->etag);
    g_free(i->last_modified);
    *i = (struct download_info){0};
}

static gboolean refuse_status(int s, GError **err)
{
    enum varve_error code = http_status_is_temporary(s) ? VARVE_ERROR_OUTSIDE
                            : s == 401 || s == 403      ? VARVE_ERROR_DENIED
                            : s == 404 || s == 410      ? VARVE_ERROR_NOT_FOUND
                                                        : VARVE_ERROR_FAILED;
    const char *what = s == 401 || s == 403   ? ": it needs a login"
                       : s == 404 || s == 410 ? ": there is no such file"
                       : s == 429             ? ": too many requests"
                       : s >= 500             ? ": the server failed"
                                              : "";
    return error_set(err, code, "the server answered %d%s", s, what);
}

/* "Name: value", or NULL where there is no value. */
static char *request_field(const char *name, const char *value)
{
    return value ? g_strconcat(name, ": ", value, NULL) : NULL;
}

/* The value of an Authorization field, or NULL. */
static char *make_auth(const struct download_options *o)
{
    g_autofree char *login = o->auth ? NULL : url_userinfo(o->url);
    if (!login)
        return g_strdup(o->auth);
    g_autofree char *coded = g_base64_encode((const guchar *)login, strlen(login));
    return g_strconcat("Basic ", coded, NULL);
}

static gboolean ask(const struct download_options *o, const struct url *u, struct http_sink *sink,
                    struct http_response *a, GError **err)
{
    g_autofree char *auth = make_auth(o), *secret = request_field("Authorization", auth);
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    g_autofree char *match = request_field("If-None-Match", o->etag);
    g_autofree char *since = request_field("If-Modified-Since", o->last_modified);
    if (match)
        g_strv_builder_add(b, match);
    if (since)
        g_strv_builder_add(b, since);
    g_auto(GStrv) fields = g_strv_builder_end(b);
    const char *const secrets[] = {secret, NULL};
    struct http_request rq = {.method = "GET",
                              .url = u,
                              .plain = TRUE,
                              .secrets = secrets,
                              .fields = (const char *const *)fields,
                              .sink = sink,
                              .cancel = o->cancel};
    if (!http_send(o->client, &rq, o->patience ? o->patience : &usual, a, err)) {
        if (a->untrusted)
            error_add_next(err, "name its CA certificate in SSL_CERT_FILE");
        return FALSE;
    }
    gboolean unchanged = a->status == 304 && (o->etag || o->last_modified);
    return unchanged || a->status == 200 || refuse_status(a->status, err);
}

/* One that can be sent back as it is. */
static char *validator(const struct http_response *a, const char *name)
{
    const char *value = http_response_field(a, name);
    if (!value || !*value || strlen(value) > MAX_VALIDATOR)
        return NULL;
    for (const char *p = value; *p; p++)
        if (g_ascii_iscntrl(*p))
            return NULL;
    return g_strdup(value);
}

static void describe(const struct http_response *a, struct http_file_sink *sink,
                     struct download_info *out)
{
    out->unchanged = a->status == 304;
    if (out->unchanged)
        return;
    hasher_final(sink->hasher, &out->digest);
    out->size = sink->size;
    out->etag = validator(a, "ETag");
    out->last_modified = validator(a, "Last-Modified");
    out->mtime_s = MAX(http_date(out->last_modified), 0);
    if (http_date(http_response_field(a, "Date")) - out->mtime_s < SETTLED_S)
        g_clear_pointer(&out->last_modified, g_free);
}

static void add_next(GError **err, const char *shown)
{
    if (!err || !*err || error_next(*err) ||
        g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        return;
    if (g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_OUTSIDE))
        error_add_next(err, "check the address and the network, then run the same command again");
    else if (g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_DENIED))
        error_add_next(err, "give a secret HTTP_AUTH_TOKEN_HOST or HTTP_AUTH_HEADER_HOST: man "
                            "varve, Sources on the network");
    else
        error_add_next(err, "check the address: curl -I %s", shown);
}

gboolean download(const struct download_options *o, int fd, struct download_info *out, GError **err)
{
    g_autofree char *shown = url_shown(o->url);
    g_autoptr(url) u = url_parse(shown, err);
    struct transfer transfer;
    struct http_file_sink sink;
    g_auto(http_response) a;
    http_response_init(&a);
    transfer_init(&transfer, o->events, shown, 0);
    http_file_sink_init(&sink, fd, o->max_bytes ? o->max_bytes : DOWNLOAD_MAX_BYTES, &transfer);
    gboolean ok = u && ask(o, u, &sink.base, &a, err);
    *out = (struct download_info){0};
    if (ok)
        describe(&a, &sink, out);
    transfer_finish(&transfer, sink.size);
    http_file_sink_clear(&sink);
    if (ok)
        return TRUE;
    g_prefix_error(err, "cannot get %s: ", shown);
    add_next(err, shown);
    return FALSE;
}
