#include "net/http.h"

#include "base/error.h"
#include "base/fs.h"
#include "net/curl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_TRIES 4
#define DEFAULT_DELAY_MS 400
#define DEFAULT_STALL_S 30
#define MIN_BYTES_PER_S 1024
#define CONNECT_S 15L
#define MAX_HOPS 10L
#define MAX_WAIT_S 30     /* longest Retry-After that is waited for */
#define MAX_VALIDATOR 512 /* bytes of an ETag or a date worth keeping */
#define SETTLED_S 2    /* a file younger than this may change again without its date showing it */
#define TELL_US 100000 /* between two transfer events */

/* One try. Callbacks run in the thread that drives it. */
struct get {
    const struct curl_api *curl;
    const struct http_options *o;
    const char *shown; /* the URL, for people */
    int fd;
    struct hasher *hasher;
    struct http_file_info *out;
    long status; /* of the answer at hand */
    guint retry_after_s;
    guint64 expected;   /* Content-Length, 0: unknown */
    gint64 date_s;      /* the server's clock, 0: unknown */
    gint64 told_us;     /* last transfer event */
    gboolean temporary; /* it failed in a way that may pass */
    GError *error;      /* of a callback */
    char text[CURL_ERROR_SIZE];
};

void http_file_info_clear(struct http_file_info *i)
{
    g_clear_pointer(&i->etag, g_free);
    g_clear_pointer(&i->last_modified, g_free);
    *i = (struct http_file_info){0};
}

/* Where the authority of a URL begins and how long it is; NULL when there is none. */
static const char *authority(const char *url, gsize *len)
{
    const char *p = strstr(url, "://");
    if (!p)
        return NULL;
    *len = strcspn(p + 3, "/?#");
    return p + 3;
}

char *http_shown(const char *url)
{
    gsize len;
    const char *start = authority(url, &len), *at = NULL;
    for (const char *p = start; p && p < start + len; p++)
        if (*p == '@')
            at = p;
    if (!at)
        return g_strdup(url);
    return g_strdup_printf("%.*s%s", (int)(start - url), url, at + 1);
}

char *http_host(const char *url)
{
    gsize len;
    g_autofree char *plain = http_shown(url);
    const char *start = authority(plain, &len);
    return start ? g_strndup(start, len) : g_strdup("");
}

gint64 http_date(const char *text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm t = {0};
    char month[4];
    if (!text || sscanf(text, "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &t.tm_mday, month, &t.tm_year,
                        &t.tm_hour, &t.tm_min, &t.tm_sec) != 6)
        return 0;
    const char *at = strlen(month) == 3 ? strstr(months, month) : NULL;
    if (!at || (at - months) % 3 != 0)
        return 0;
    t.tm_mon = (at - months) / 3;
    t.tm_year -= 1900;
    return timegm(&t);
}

static void tell(struct get *g, gboolean finished)
{
    gint64 now = g_get_monotonic_time();
    if (!g->o->events || (!finished && now - g->told_us < TELL_US))
        return;
    g->told_us = now;
    event_emit(g->o->events, &(struct event){.type = EVENT_TRANSFER,
                                             .vertex = -1,
                                             .name = g->shown,
                                             .current = g->out->size,
                                             .target = g->expected,
                                             .finished = finished});
}

/* The value of the header line when it has this name, newly allocated; else NULL. */
static char *header_value(const char *line, gsize n, const char *name)
{
    gsize len = strlen(name);
    if (n <= len || line[len] != ':' || g_ascii_strncasecmp(line, name, len) != 0 ||
        n > MAX_VALIDATOR)
        return NULL;
    return g_strstrip(g_strndup(line + len + 1, n - len - 1));
}

static void take(char **field, char *value)
{
    if (!value)
        return;
    g_free(*field);
    *field = value;
}

/* Called for each line of each answer: those of redirects come first, and count for nothing. */
static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
    struct get *g = ctx;
    if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
        http_file_info_clear(g->out);
        g->retry_after_s = 0;
        g->expected = 0;
        g->date_s = 0;
        return n;
    }
    take(&g->out->etag, header_value(line, n, "ETag"));
    take(&g->out->last_modified, header_value(line, n, "Last-Modified"));
    g_autofree char *wait = header_value(line, n, "Retry-After");
    g_autofree char *length = header_value(line, n, "Content-Length");
    g_autofree char *date = header_value(line, n, "Date");
    if (date)
        g->date_s = http_date(date);
    if (wait)
        g->retry_after_s = MIN(g_ascii_strtoull(wait, NULL, 10), 24 * 3600);
    if (length)
        g->expected = g_ascii_strtoull(length, NULL, 10);
    return n;
}

static gboolean keep(struct get *g, const char *p, gsize n)
{
    guint64 max = g->o->max_bytes ? g->o->max_bytes : HTTP_MAX_BYTES;
    if (n > max - MIN(max, g->out->size))
        return error_set(&g->error, VARVE_ERROR_INVALID,
                         "it is larger than %" G_GUINT64_FORMAT " bytes", max);
    hasher_update(g->hasher, p, n);
    g->out->size += n;
    if (!fs_write_all(g->fd, p, n, &g->error)) {
        g_prefix_error(&g->error, "storing it: ");
        return FALSE;
    }
    tell(g, FALSE);
    return TRUE;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    return keep(ctx, bytes, n) ? n : 0;
}

static void set_trust(struct get *g, CURL *easy)
{
    const struct http_options *o = g->o;
    if (o->ca_bundle) {
        struct curl_blob blob = {(void *)g_bytes_get_data(o->ca_bundle, NULL),
                                 g_bytes_get_size(o->ca_bundle), CURL_BLOB_NOCOPY};
        g->curl->easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    } else if (o->ca_file || o->ca_path) {
        g->curl->easy_setopt(easy, CURLOPT_CAINFO, o->ca_file);
        g->curl->easy_setopt(easy, CURLOPT_CAPATH, o->ca_path);
    }
}

static gboolean is_loopback(const char *url)
{
    g_autofree char *host = http_host(url);
    if (*host != '[')
        host[strcspn(host, ":")] = '\0';
    return g_str_equal(host, "localhost") || g_str_has_prefix(host, "127.") ||
           g_str_has_prefix(host, "[::1]");
}

static void set_options(struct get *g, CURL *easy, const char *url, struct curl_slist *headers)
{
    const struct curl_api *curl = g->curl;
    curl->easy_setopt(easy, CURLOPT_URL, url);
    curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl->easy_setopt(easy, CURLOPT_MAXREDIRS, MAX_HOPS);
    curl->easy_setopt(easy, CURLOPT_FAILONERROR, 1L); /* bodies of errors are not wanted */
    curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(easy, CURLOPT_USERAGENT, "varve/" VARVE_VERSION);
    curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, g->text);
    curl->easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl->easy_setopt(easy, CURLOPT_HEADERDATA, g);
    curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(easy, CURLOPT_WRITEDATA, g);
    curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl->easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)MIN_BYTES_PER_S);
    curl->easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                      (long)(g->o->stall_s ? g->o->stall_s : DEFAULT_STALL_S));
#if LIBCURL_VERSION_NUM >= 0x075700
    curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    if (is_loopback(url))
        curl->easy_setopt(easy, CURLOPT_NOPROXY, "*");
    set_trust(g, easy);
}

static struct curl_slist *make_headers(const struct curl_api *curl, const char *auth,
                                       const char *etag, const char *last_modified)
{
    struct curl_slist *list = curl->slist_append(NULL, "Accept: */*");
    g_autofree char *match = etag ? g_strconcat("If-None-Match: ", etag, NULL) : NULL;
    g_autofree char *since =
        last_modified ? g_strconcat("If-Modified-Since: ", last_modified, NULL) : NULL;
    g_autofree char *login = auth ? g_strconcat("Authorization: ", auth, NULL) : NULL;
    if (login) /* libcurl keeps it from other hosts, ports and protocols */
        list = curl->slist_append(list, login);
    if (match)
        list = curl->slist_append(list, match);
    if (since)
        list = curl->slist_append(list, since);
    return list;
}

/* Runs the transfer; CURLE_ABORTED_BY_CALLBACK when the command is cancelled. */
static CURLcode drive(struct get *g, CURL *easy, CURLM *multi)
{
    struct curl_waitfd wake = {cancel_fd(g->o->cancel), CURL_WAIT_POLLIN, 0};
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    if (g->curl->multi_add_handle(multi, easy))
        return CURLE_FAILED_INIT;
    while (!cancel_is_set(g->o->cancel)) {
        int running = 0, left = 0;
        if (g->curl->multi_perform(multi, &running)) {
            result = CURLE_FAILED_INIT;
            break;
        }
        CURLMsg *msg = g->curl->multi_info_read(multi, &left);
        if (msg && msg->msg == CURLMSG_DONE) {
            result = msg->data.result;
            break;
        }
        g->curl->multi_poll(multi, &wake, wake.fd >= 0, 200, NULL);
    }
    g->curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &g->status);
    g->curl->multi_remove_handle(multi, easy);
    return result;
}

static gboolean refuse_status(struct get *g, GError **err)
{
    long s = g->status;
    g->temporary = s == 408 || s == 429 || s >= 500;
    enum varve_error code = g->temporary           ? VARVE_ERROR_OUTSIDE
                            : s == 401 || s == 403 ? VARVE_ERROR_DENIED
                            : s == 404 || s == 410 ? VARVE_ERROR_NOT_FOUND
                                                   : VARVE_ERROR_FAILED;
    const char *what = s == 401 || s == 403   ? ": it may not be read without logging in"
                       : s == 404 || s == 410 ? ": there is no such file"
                       : s == 429             ? ": too many requests"
                       : s >= 500             ? ": the server failed"
                                              : "";
    return error_set(err, code, "the server answered %ld%s", s, what);
}

static gboolean is_trust_problem(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_ISSUER_ERROR;
}

static gboolean report(struct get *g, CURLcode code, GError **err)
{
    if (g->error) {
        g_propagate_error(err, g_steal_pointer(&g->error));
        return FALSE;
    }
    if (!cancel_check(g->o->cancel, err))
        return FALSE;
    if (code == CURLE_HTTP_RETURNED_ERROR)
        return refuse_status(g, err);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_TOO_MANY_REDIRECTS)
        return error_set(err, VARVE_ERROR_INVALID, "%s", g->curl->easy_strerror(code));
    g->temporary = !is_trust_problem(code);
    error_set(err, VARVE_ERROR_OUTSIDE, "%s", *g->text ? g->text : g->curl->easy_strerror(code));
    if (is_trust_problem(code))
        error_add_next(err, "give its CA certificate with SSL_CERT_FILE");
    return FALSE;
}

/* One try. */
static gboolean get_once(struct get *g, const char *url, const char *etag,
                         const char *last_modified, GError **err)
{
    CURL *easy = g->curl->easy_init();
    CURLM *multi = g->curl->multi_init();
    struct curl_slist *headers = make_headers(g->curl, g->o->auth, etag, last_modified);
    gboolean ok = easy && multi;
    if (ok) {
        set_options(g, easy, url, headers);
        CURLcode code = drive(g, easy, multi);
        ok = code == CURLE_OK ? TRUE : report(g, code, err);
        gboolean unchanged = g->status == 304 && (etag || last_modified);
        if (ok && !unchanged && (g->status < 200 || g->status > 299))
            ok = refuse_status(g, err);
    } else {
        error_set(err, VARVE_ERROR_FAILED, "libcurl could not start (out of memory?)");
    }
    if (multi)
        g->curl->multi_cleanup(multi);
    if (easy)
        g->curl->easy_cleanup(easy);
    g->curl->slist_free_all(headers);
    return ok;
}

/* Waits before the next try; FALSE with *err when cancelled. */
static gboolean wait_ms(struct cancel *c, guint ms, GError **err)
{
    struct pollfd p = {cancel_fd(c), POLLIN, 0};
    poll(&p, 1, (int)ms);
    return cancel_check(c, err);
}

static void finish(struct get *g)
{
    if (g->status == 304) {
        http_file_info_clear(g->out);
        g->out->unchanged = TRUE;
        return;
    }
    hasher_final(g->hasher, &g->out->digest);
    g->out->mtime_s = http_date(g->out->last_modified);
    if (g->date_s - g->out->mtime_s < SETTLED_S)
        g_clear_pointer(&g->out->last_modified, g_free);
    tell(g, TRUE);
}

/* Makes everything ready for a first or a further try. */
static gboolean start_over(struct get *g, GError **err)
{
    struct digest unused;
    hasher_final(g->hasher, &unused);
    http_file_info_clear(g->out);
    g->status = 0;
    g->temporary = FALSE;
    *g->text = '\0';
    if (ftruncate(g->fd, 0) == 0 && lseek(g->fd, 0, SEEK_SET) == 0)
        return TRUE;
    return error_set_errno(err, errno, "cannot empty a temporary file");
}

static gboolean get_retrying(struct get *g, const char *url, const char *etag,
                             const char *last_modified, GError **err)
{
    guint tries = g->o->tries ? g->o->tries : DEFAULT_TRIES;
    guint delay = g->o->first_delay_ms ? g->o->first_delay_ms : DEFAULT_DELAY_MS;
    for (guint i = 1;; i++, delay *= 2) {
        GError *local = NULL;
        if (!start_over(g, err))
            return FALSE;
        if (get_once(g, url, etag, last_modified, &local))
            return TRUE;
        if (!g->temporary || i >= tries || g->retry_after_s > MAX_WAIT_S) {
            g_propagate_error(err, local);
            return FALSE;
        }
        g_error_free(local);
        if (!wait_ms(g->o->cancel, MAX(delay, g->retry_after_s * 1000), err))
            return FALSE;
    }
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

gboolean http_get(const struct http_options *o, const char *url, const char *etag,
                  const char *last_modified, int fd, struct http_file_info *out, GError **err)
{
    const struct curl_api *curl = curl_api_load(err);
    if (!curl)
        return FALSE;
    g_autofree char *shown = http_shown(url);
    g_autoptr(hasher) h = hasher_new();
    struct get g = {.curl = curl, .o = o, .shown = shown, .fd = fd, .hasher = h, .out = out};
    if (get_retrying(&g, url, etag, last_modified, err)) {
        finish(&g);
        return TRUE;
    }
    http_file_info_clear(out);
    g_prefix_error(err, "cannot get %s: ", shown);
    add_next(err, shown);
    return FALSE;
}
