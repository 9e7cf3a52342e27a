#include "net/exchange.h"

#include "base/error.h"
#include "text/fit.h"

#include <stdio.h>
#include <string.h>

#define MAX_BODY (4 * 1024 * 1024)
#define MAX_ERROR_BODY (64 * 1024)
#define MAX_CONNECT_S 15
#define MIN_BYTES_PER_S 1024
/* A server may hash and store what it got before it answers an upload. */
#define UPLOAD_PATIENCE 10
#define RECEIVE_BUFFER (256L * 1024)
#define SEND_BUFFER (512L * 1024)

/* What the callbacks share. All of them run in the thread that drives the transfer. */
struct exchange {
    const struct curl_api *curl;
    CURL *easy;
    const struct hop *hop;
    const struct http_request *rq;
    struct http_response *a;
    gboolean begun;       /* the sink knows of the answer */
    guint64 came;         /* bytes, of headers and body */
    guint64 sent;         /* of the source */
    gint64 window_start;  /* monotonic: stall detection */
    guint64 window_moved; /* bytes that had come and gone at window_start */
    GError *error;        /* of a callback */
    guint stalled_s;      /* how long it has been too slow, or 0 */
    gboolean enough;      /* what else comes is not wanted: an answer all the same */
    char text[CURL_ERROR_SIZE];
};

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    x->came += n;
    if (http_response_header(x->a, bytes, n))
        return n;
    error_set(&x->error, VARVE_ERROR_INVALID, "its answer's headers are larger than 128 KiB");
    return 0;
}

static gboolean goes_to_sink(const struct exchange *x)
{
    return x->rq->sink && (x->a->status == 200 || x->a->status == 206);
}

static gboolean begin_sink(struct exchange *x)
{
    if (x->begun)
        return TRUE;
    x->begun = TRUE;
    return x->rq->sink->begin(x->rq->sink, x->a, &x->error);
}

static gboolean keep_body(struct exchange *x, const char *bytes, gsize n)
{
    gboolean good = x->a->status >= 200 && x->a->status < 300;
    gsize max = good ? (x->rq->max_body ? x->rq->max_body : MAX_BODY) : MAX_ERROR_BODY;
    gsize room = max - x->a->body->len;
    g_byte_array_append(x->a->body, (const guint8 *)bytes, MIN(n, room));
    if (n <= room)
        return TRUE;
    x->a->truncated = TRUE;
    x->enough = !good;
    return good ? error_set(&x->error, VARVE_ERROR_INVALID,
                            "its answer is longer than %" G_GSIZE_FORMAT " bytes", max)
                : FALSE;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    x->came += n;
    gboolean ok = goes_to_sink(x)
                      ? begin_sink(x) && x->rq->sink->data(x->rq->sink, bytes, n, &x->error)
                      : keep_body(x, bytes, n);
    return ok ? n : 0;
}

static size_t on_read(char *buffer, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    struct http_source *source = x->rq->source;
    gsize want = MIN(size * n, source->len - x->sent);
    gssize got = want ? source->read(source, x->sent, buffer, want, &x->error) : 0;
    if (want && got == 0)
        error_set(&x->error, VARVE_ERROR_FAILED,
                  "cannot read the data to send: the file became shorter");
    if (x->error)
        return CURL_READFUNC_ABORT;
    x->sent += got;
    if (source->sent && got)
        source->sent(source, x->sent);
    return got;
}

/* libcurl (8.x more than 7.x) sends a body again by itself when a kept connection breaks. The
 * server may have kept what it got of it: who sends it decides what is sent again. */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    const struct exchange *x = ctx;
    gboolean there = origin == SEEK_SET && offset >= 0 && (guint64)offset == x->sent;
    return there ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

/* Nothing may end the line early: what stands behind would be a field of its own. */
static gboolean add_line(struct exchange *x, struct curl_slist **list, const char *line)
{
    for (const char *p = line; *p; p++)
        if (g_ascii_iscntrl(*p) && *p != '\t')
            return error_set(&x->error, VARVE_ERROR_INVALID,
                             "a header field to send holds a control character");
    *list = x->curl->slist_append(*list, line);
    return TRUE;
}

static gboolean add_lines(struct exchange *x, struct curl_slist **list, const char *const *lines)
{
    for (; lines && *lines; lines++)
        if (!add_line(x, list, *lines))
            return FALSE;
    return TRUE;
}

static gboolean add_header(struct exchange *x, struct curl_slist **list, const char *name,
                           const char *value)
{
    g_autofree char *line = g_strconcat(name, ": ", value, NULL);
    return add_line(x, list, line);
}

/* "Name:" keeps libcurl from sending a field of its own. */
static gboolean make_headers(struct exchange *x, struct curl_slist **list)
{
    const struct http_request *rq = x->rq;
    gboolean ours = url_same_origin(x->hop->url, rq->url);
    return add_header(x, list, "Accept", rq->accept ? rq->accept : "*/*") &&
           (!ours || add_lines(x, list, rq->secrets)) && add_lines(x, list, rq->fields) &&
           (rq->content_type ? add_header(x, list, "Content-Type", rq->content_type)
                             : add_line(x, list, "Content-Type:"));
}

static void set_trust(struct exchange *x, CURL *easy)
{
    const struct trust *trust = x->hop->trust;
    const struct curl_api *curl = x->curl;
    if (x->rq->insecure) {
        curl->easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl->easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    } else if (trust->bundle) {
        struct curl_blob blob = {(void *)g_bytes_get_data(trust->bundle, NULL),
                                 g_bytes_get_size(trust->bundle), CURL_BLOB_NOCOPY};
        curl->easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
    } else if (trust->ca_file || trust->ca_path) {
        curl->easy_setopt(easy, CURLOPT_CAINFO, trust->ca_file);
        curl->easy_setopt(easy, CURLOPT_CAPATH, trust->ca_path);
    }
    if (trust->cert) {
        curl->easy_setopt(easy, CURLOPT_SSLCERT, trust->cert);
        curl->easy_setopt(easy, CURLOPT_SSLKEY, trust->key);
    }
}

static void set_body(struct exchange *x, CURL *easy)
{
    const struct http_request *rq = x->rq;
    const struct curl_api *curl = x->curl;
    if (rq->source) {
        curl->easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl->easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl->easy_setopt(easy, CURLOPT_READDATA, x);
        curl->easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl->easy_setopt(easy, CURLOPT_SEEKDATA, x);
        curl->easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)rq->source->len);
        curl->easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    } else if (rq->body || strcmp(rq->method, "POST") == 0 || strcmp(rq->method, "PUT") == 0) {
        curl->easy_setopt(easy, CURLOPT_POSTFIELDS, rq->body ? rq->body : "");
        curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len);
    }
    if (strcmp(rq->method, "HEAD") == 0)
        curl->easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, rq->method);
}

/* Where to, and on which way. */
static void set_place(struct exchange *x, CURL *easy)
{
    const struct curl_api *curl = x->curl;
    const struct url *u = x->hop->url;
    g_autofree char *text = url_text(u);
    curl->easy_setopt(easy, CURLOPT_URL, text);
    if (x->rq->socket)
        curl->easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, x->rq->socket);
    /* Both are set even where there are none: else libcurl asks the environment. */
    curl->easy_setopt(easy, CURLOPT_PROXY, x->hop->proxy);
    curl->easy_setopt(easy, CURLOPT_NOPROXY, x->hop->no_proxy ? x->hop->no_proxy : "");
    curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)MIN(x->hop->stall_s, MAX_CONNECT_S));
    set_trust(x, easy);
}

static void set_options(struct exchange *x, CURL *easy, struct curl_slist *headers)
{
    const struct curl_api *curl = x->curl;
    curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl->easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl->easy_setopt(easy, CURLOPT_USERAGENT, "varve/" VARVE_VERSION);
    curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, x->text);
    curl->easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl->easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl->easy_setopt(easy, CURLOPT_HEADERDATA, x);
    curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl->easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl->easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that is still being looked up must not hold up a cancelled command. */
    curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    g_autofree char *range =
        x->rq->range_from ? g_strdup_printf("%" G_GUINT64_FORMAT "-", x->rq->range_from) : NULL;
    if (range)
        curl->easy_setopt(easy, CURLOPT_RANGE, range);
    set_place(x, easy);
    set_body(x, easy);
}

/* Whether the transfer has been too slow for too long. */
static gboolean is_stalled(struct exchange *x)
{
    gint64 now = g_get_monotonic_time();
    const struct http_source *source = x->rq->source;
    gboolean waiting_for_verdict = source && source->len > 0 && x->sent >= source->len;
    guint64 window_s = (guint64)x->hop->stall_s * (waiting_for_verdict ? UPLOAD_PATIENCE : 1);
    if (x->hop->stall_s == HTTP_NO_STALL ||
        now - x->window_start < (gint64)window_s * G_USEC_PER_SEC)
        return FALSE;
    curl_off_t went = 0;
    x->curl->easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &went);
    guint64 moved = x->came + went;
    if (moved - x->window_moved < window_s * MIN_BYTES_PER_S) {
        x->stalled_s = window_s;
        return TRUE;
    }
    x->window_start = now;
    x->window_moved = moved;
    return FALSE;
}

/* Runs the transfer that is set up in s; CURLE_ABORTED_BY_CALLBACK when cancelled or stalled. */
static CURLcode drive(struct exchange *x, struct slot *s)
{
    struct curl_waitfd wake = {cancel_fd(x->rq->cancel), CURL_WAIT_POLLIN, 0};
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    x->window_start = g_get_monotonic_time();
    if (x->curl->multi_add_handle(s->multi, s->easy))
        return CURLE_FAILED_INIT;
    while (!cancel_is_set(x->rq->cancel) && !is_stalled(x)) {
        int running = 0, left = 0;
        if (x->curl->multi_perform(s->multi, &running)) {
            result = CURLE_FAILED_INIT;
            break;
        }
        CURLMsg *msg = x->curl->multi_info_read(s->multi, &left);
        if (msg && msg->msg == CURLMSG_DONE) {
            result = msg->data.result;
            break;
        }
        x->curl->multi_poll(s->multi, &wake, wake.fd >= 0, 200, NULL);
    }
    x->curl->multi_remove_handle(s->multi, s->easy);
    return result;
}

static gboolean is_trust_problem(CURLcode code)
{
    return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
           code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_ISSUER_ERROR;
}

/* What plain http gets from a server that wants TLS: an alert, or a closed connection. */
static gboolean is_gibberish(CURLcode code)
{
    return code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY ||
           code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR;
}

static const char *reason_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return "its name is not known";
    case CURLE_COULDNT_CONNECT:
        return "it does not accept connections";
    case CURLE_OPERATION_TIMEDOUT:
        return "connecting timed out";
    case CURLE_PARTIAL_FILE:
        return "the answer was cut short";
    case CURLE_GOT_NOTHING:
        return "it closed the connection without an answer";
    case CURLE_PEER_FAILED_VERIFICATION:
        return "its certificate is not trusted";
    case CURLE_SSL_CONNECT_ERROR:
        return "no TLS connection can be made";
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
    case CURLE_RECV_ERROR:
        return "the connection broke";
    default:
        return "the transfer failed";
    }
}

/* What a proxy said to CONNECT, or in place of the host; 0: nothing against it. */
static int proxy_refusal(const struct exchange *x, CURLcode code)
{
    long said = 0;
    if (!*x->hop->proxy)
        return 0;
    if (code == CURLE_OK)
        return x->a->status == 407 ? 407 : 0;
    x->curl->easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &said);
    return said / 100 == 2 ? 0 : (int)said;
}

static void report_refusal(struct exchange *x, int status, const char *proxy, GError **err)
{
    g_autofree char *text = http_status_text(status);
    x->a->temporary = http_status_is_temporary(status);
    error_set(err, VARVE_ERROR_OUTSIDE, "the proxy %s answered %s", proxy, text);
    if (status == 407)
        error_add_next(err,
                       "put the user name and password into the proxy's URL: "
                       "https_proxy=http://USER:PASSWORD@%s",
                       proxy);
    else
        error_add_next(err, "ask who runs the proxy, or name the host in no_proxy to reach it "
                            "without one");
}

/* FALSE when the proxy has nothing to do with it. What libcurl says of a proxy may hold its
 * password. */
static gboolean report_proxy(struct exchange *x, CURLcode code, GError **err)
{
    g_autofree char *proxy = http_proxy_shown(x->hop->proxy);
    int status = proxy_refusal(x, code);
    if (status)
        report_refusal(x, status, proxy, err);
    else if (*proxy && g_str_has_prefix(x->text, "Unsupported proxy"))
        error_set(err, VARVE_ERROR_OUTSIDE,
                  "the proxy %s cannot be used: its URL is malformed, or of an unknown kind",
                  proxy);
    else if (code == CURLE_COULDNT_RESOLVE_PROXY)
        error_set(err, VARVE_ERROR_OUTSIDE, "the name of the proxy %s is not known", proxy);
    else
        return FALSE;
    x->a->unreachable = code == CURLE_COULDNT_RESOLVE_PROXY;
    x->a->temporary = status ? x->a->temporary : !g_str_has_prefix(x->text, "Unsupported");
    if (err && !error_next(*err))
        error_add_next(err, "correct the proxy's URL, as in https_proxy=http://proxy.example:3128");
    return TRUE;
}

/* How libcurl says that a single header line is longer than 100 KiB: 7.x, and 8.x. */
static gboolean is_long_header(CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY || (int)code == 100;
}

static gboolean report(struct exchange *x, CURLcode code, GError **err)
{
    const struct trust *trust = x->hop->trust;
    if (x->error) {
        g_propagate_error(err, g_steal_pointer(&x->error));
        return FALSE;
    }
    if (!cancel_check(x->rq->cancel, err))
        return FALSE;
    x->a->untrusted = is_trust_problem(code);
    x->a->temporary = !x->a->untrusted;
    if (x->stalled_s)
        return error_set(err, VARVE_ERROR_OUTSIDE, "it sent less than 1 KiB a second for %u s",
                         x->stalled_s);
    if (report_proxy(x, code, err))
        return FALSE;
    if (is_long_header(code)) {
        x->a->temporary = FALSE;
        return error_set(err, VARVE_ERROR_INVALID,
                         "a line of its answer's headers is larger than 100 KiB");
    }
    x->a->other_scheme = x->hop->url->tls ? code == CURLE_SSL_CONNECT_ERROR : is_gibberish(code);
    x->a->unreachable = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT;
    g_autofree char *detail = text_one_line(*x->text ? x->text : x->curl->easy_strerror(code), 200);
    g_autofree char *proxy = http_proxy_shown(x->hop->proxy);
    if (*proxy && code == CURLE_COULDNT_CONNECT) {
        error_set(err, VARVE_ERROR_OUTSIDE, "it, or the proxy %s, does not accept connections (%s)",
                  proxy, detail);
        error_add_next(err, "check the proxy's URL, or name the host in no_proxy to reach it "
                            "without one");
        return FALSE;
    }
    return error_set(err, VARVE_ERROR_OUTSIDE, "%s (%s)", reason_of(code),
                     trust->problem ? trust->problem : detail);
}

gboolean exchange_run(const struct curl_api *curl, struct slot *s, const struct hop *hop,
                      struct http_response *a, GError **err)
{
    struct exchange x = {.curl = curl, .easy = s->easy, .hop = hop, .rq = hop->rq, .a = a};
    struct curl_slist *headers = NULL;
    CURLcode code = CURLE_BAD_FUNCTION_ARGUMENT;
    if (make_headers(&x, &headers)) {
        set_options(&x, s->easy, headers);
        code = drive(&x, s);
    }
    if (code == CURLE_WRITE_ERROR && x.enough)
        code = CURLE_OK;
    if (code == CURLE_OK && goes_to_sink(&x) && !begin_sink(&x))
        code = CURLE_WRITE_ERROR;
    curl->easy_setopt(s->easy, CURLOPT_HTTPHEADER, NULL);
    curl->slist_free_all(headers);
    g_byte_array_append(a->body, (const guint8 *)"", 1);
    g_byte_array_set_size(a->body, a->body->len - 1);
    return code == CURLE_OK && !proxy_refusal(&x, code) ? TRUE : report(&x, code, err);
}
