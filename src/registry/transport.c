#include "registry/transport.h"

#include "base/error.h"
#include "net/curl.h"
#include "registry/trust.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAX_HOPS 10
#define MAX_BODY (4 * 1024 * 1024)
#define MAX_ERROR_BODY (64 * 1024)
#define DEFAULT_STALL_S 30
#define MAX_CONNECT_S 15
#define MIN_BYTES_PER_S 1024
/* A server may hash and store what it got before it answers an upload. */
#define UPLOAD_PATIENCE 10
#define RECEIVE_BUFFER (256L * 1024)
#define SEND_BUFFER (512L * 1024)
#define MAX_IDLE_SLOTS 16

/* One connection cache, used by one thread at a time. */
struct slot {
    CURL *easy;
    CURLM *multi;
};
struct transport {
    const struct registry_config *config; /* may be NULL */
    struct cancel *cancel;                /* may be NULL */
    guint stall_s;
    GMutex lock;
    GPtrArray *idle;   /* struct slot*; guarded by lock */
    GHashTable *trust; /* authority → struct trust*; guarded by lock */
};
/* What one hop's callbacks share. All of them run in the thread that drives it. */
struct exchange {
    const struct curl_api *curl;
    struct transport *t;
    const struct http_request *rq;
    struct answer *a;
    gboolean begun;       /* the sink knows of the answer */
    guint64 moved;        /* bytes that came and went */
    guint64 sent;         /* of the body */
    guint64 body_len;     /* to send */
    gint64 window_start;  /* monotonic: stall detection */
    guint64 window_moved; /* moved at window_start */
    GError *error;        /* of a callback */
    gboolean stalled;
    char text[CURL_ERROR_SIZE];
};

struct transport *transport_new(const struct registry_config *config, struct cancel *c)
{
    struct transport *t = g_new0(struct transport, 1);
    t->config = config;
    t->cancel = c;
    t->stall_s = config && config->stall_s ? config->stall_s : DEFAULT_STALL_S;
    g_mutex_init(&t->lock);
    t->idle = g_ptr_array_new();
    t->trust = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)trust_free);
    return t;
}

static void slot_free(const struct curl_api *curl, struct slot *s)
{
    if (s->multi)
        curl->multi_cleanup(s->multi);
    if (s->easy)
        curl->easy_cleanup(s->easy);
    g_free(s);
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    for (guint i = 0; i < t->idle->len; i++)
        slot_free(curl_api_load(NULL), g_ptr_array_index(t->idle, i));
    g_ptr_array_unref(t->idle);
    g_hash_table_unref(t->trust);
    g_mutex_clear(&t->lock);
    g_free(t);
}

static struct slot *take_slot(struct transport *t, const struct curl_api *curl, GError **err)
{
    g_mutex_lock(&t->lock);
    struct slot *s = t->idle->len ? g_ptr_array_steal_index(t->idle, t->idle->len - 1) : NULL;
    g_mutex_unlock(&t->lock);
    if (s)
        return s;
    s = g_new0(struct slot, 1);
    s->easy = curl->easy_init();
    s->multi = curl->multi_init();
    if (s->easy && s->multi)
        return s;
    slot_free(curl, s);
    error_set(err, VARVE_ERROR_FAILED, "libcurl could not start (out of memory?)");
    return NULL;
}

/* The last slot put is the first taken: its connection is the likeliest to be alive. */
static void put_slot(struct transport *t, const struct curl_api *curl, struct slot *s)
{
    curl->easy_reset(s->easy);
    g_mutex_lock(&t->lock);
    gboolean keep = t->idle->len < MAX_IDLE_SLOTS;
    if (keep)
        g_ptr_array_add(t->idle, s);
    g_mutex_unlock(&t->lock);
    if (!keep)
        slot_free(curl, s);
}

/* Owned by t. */
static const struct trust *find_trust(struct transport *t, const struct url *u)
{
    g_autofree char *host = url_authority(u);
    g_mutex_lock(&t->lock);
    struct trust *trust = g_hash_table_lookup(t->trust, host);
    if (!trust) {
        trust = trust_find(t->config, host);
        g_hash_table_insert(t->trust, g_steal_pointer(&host), trust);
    }
    g_mutex_unlock(&t->lock);
    return trust;
}

static size_t on_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    x->moved += n;
    if (answer_header(x->a, bytes, n))
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
    return good ? error_set(&x->error, VARVE_ERROR_INVALID,
                            "its answer is longer than %" G_GSIZE_FORMAT " bytes", max)
                : TRUE;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    x->moved += n;
    gboolean ok = goes_to_sink(x)
                      ? begin_sink(x) && x->rq->sink->data(x->rq->sink, bytes, n, &x->error)
                      : keep_body(x, bytes, n);
    return ok ? n : 0;
}

static size_t on_read(char *buffer, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    const struct http_file *f = x->rq->file;
    gsize want = MIN(size * n, f->len - x->sent);
    ssize_t got = want ? pread(f->fd, buffer, want, f->offset + x->sent) : 0;
    if (got < 0 || (want && got == 0)) {
        error_set(&x->error, VARVE_ERROR_FAILED, "cannot read the data to send: %s",
                  got < 0 ? g_strerror(errno) : "the file became shorter");
        return CURL_READFUNC_ABORT;
    }
    x->sent += got;
    x->moved += got;
    if (f->sent && got)
        f->sent(f->ctx, x->sent);
    return got;
}

/* libcurl (8.x more than 7.x) sends a body again by itself when a kept connection breaks. The
 * server may have kept what it got of it: only the upload, which asks, knows what is still missing.
 */
static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    const struct exchange *x = ctx;
    gboolean there = origin == SEEK_SET && offset >= 0 && (guint64)offset == x->sent;
    return there ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static void add_header(struct exchange *x, struct curl_slist **list, const char *name,
                       const char *value)
{
    if (!value)
        return;
    g_autofree char *line = g_strconcat(name, ": ", value, NULL);
    *list = x->curl->slist_append(*list, line);
}

static struct curl_slist *make_headers(struct exchange *x, gboolean same_origin)
{
    struct curl_slist *list = NULL;
    add_header(x, &list, "Accept", x->rq->accept ? x->rq->accept : "*/*");
    add_header(x, &list, "Authorization", same_origin ? x->rq->authorization : NULL);
    add_header(x, &list, "Content-Range", x->rq->content_range);
    if (x->rq->content_type)
        add_header(x, &list, "Content-Type", x->rq->content_type);
    else
        list = x->curl->slist_append(list, "Content-Type:");
    return list;
}

static void set_trust(struct exchange *x, CURL *easy, const struct url *u)
{
    const struct trust *trust = find_trust(x->t, u);
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
    x->body_len = rq->file ? rq->file->len : rq->body_len;
    if (rq->file) {
        curl->easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl->easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
        curl->easy_setopt(easy, CURLOPT_READDATA, x);
        curl->easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl->easy_setopt(easy, CURLOPT_SEEKDATA, x);
        curl->easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)rq->file->len);
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

static void set_options(struct exchange *x, CURL *easy, const struct url *u,
                        struct curl_slist *headers)
{
    const struct curl_api *curl = x->curl;
    g_autofree char *text = url_text(u);
    curl->easy_setopt(easy, CURLOPT_URL, text);
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
    curl->easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)MIN(x->t->stall_s, MAX_CONNECT_S));
#if LIBCURL_VERSION_NUM >= 0x075700
    /* A name that is still being looked up must not hold up a cancelled command. */
    curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
    if (url_host_is_loopback(u->host))
        curl->easy_setopt(easy, CURLOPT_NOPROXY, "*");
    g_autofree char *range =
        x->rq->range_from ? g_strdup_printf("%" G_GUINT64_FORMAT "-", x->rq->range_from) : NULL;
    if (range)
        curl->easy_setopt(easy, CURLOPT_RANGE, range);
    set_trust(x, easy, u);
    set_body(x, easy);
}

/* Whether the transfer has been too slow for too long. */
static gboolean is_stalled(struct exchange *x)
{
    gint64 now = g_get_monotonic_time();
    gboolean waiting_for_verdict = x->body_len > 0 && x->sent >= x->body_len;
    gint64 window_s = (gint64)x->t->stall_s * (waiting_for_verdict ? UPLOAD_PATIENCE : 1);
    if (now - x->window_start < window_s * G_USEC_PER_SEC)
        return FALSE;
    if (x->moved - x->window_moved < (guint64)window_s * MIN_BYTES_PER_S)
        return x->stalled = TRUE;
    x->window_start = now;
    x->window_moved = x->moved;
    return FALSE;
}

/* Runs the transfer that is set up in s; CURLE_ABORTED_BY_CALLBACK when cancelled or stalled. */
static CURLcode drive(struct exchange *x, struct slot *s)
{
    struct curl_waitfd wake = {cancel_fd(x->t->cancel), CURL_WAIT_POLLIN, 0};
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    x->window_start = g_get_monotonic_time();
    if (x->curl->multi_add_handle(s->multi, s->easy))
        return CURLE_FAILED_INIT;
    while (!cancel_is_set(x->t->cancel) && !is_stalled(x)) {
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
    case CURLE_COULDNT_RESOLVE_PROXY:
        return "the proxy's name is not known";
    case CURLE_COULDNT_CONNECT:
        return "it does not accept connections";
    case CURLE_OPERATION_TIMEDOUT:
        return "connecting takes too long";
    case CURLE_PARTIAL_FILE:
        return "the answer broke off";
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

static gboolean report(struct exchange *x, CURLcode code, const struct url *u, GError **err)
{
    const struct trust *trust = find_trust(x->t, u);
    if (x->error) {
        g_propagate_error(err, g_steal_pointer(&x->error));
        return FALSE;
    }
    if (!cancel_check(x->t->cancel, err))
        return FALSE;
    x->a->temporary = !is_trust_problem(code);
    if (x->stalled)
        return error_set(err, VARVE_ERROR_OUTSIDE, "it sent less than 1 KiB a second for %u s",
                         x->t->stall_s);
    x->a->other_scheme = u->tls ? code == CURLE_SSL_CONNECT_ERROR : is_gibberish(code);
    x->a->unreachable = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_CONNECT;
    g_autofree char *detail = answer_clean(*x->text ? x->text : x->curl->easy_strerror(code), 200);
    error_set(err, VARVE_ERROR_OUTSIDE, "%s (%s)", reason_of(code),
              trust->problem ? trust->problem : detail);
    if (is_trust_problem(code))
        error_add_next(err, "give its CA certificate with SSL_CERT_FILE or a certs.d folder, or "
                            "mark the host insecure");
    return FALSE;
}

/* One request to u, without following redirects. */
static gboolean exchange_once(struct transport *t, const struct http_request *rq,
                              const struct url *u, gboolean same_origin, struct answer *a,
                              GError **err)
{
    const struct curl_api *curl = curl_api_load(err);
    struct slot *s = curl ? take_slot(t, curl, err) : NULL;
    if (!s)
        return FALSE;
    struct exchange x = {.curl = curl, .t = t, .rq = rq, .a = a};
    struct curl_slist *headers = make_headers(&x, same_origin);
    set_options(&x, s->easy, u, headers);
    CURLcode code = drive(&x, s);
    if (code == CURLE_OK && goes_to_sink(&x) && !begin_sink(&x))
        code = CURLE_WRITE_ERROR;
    put_slot(t, curl, s);
    curl->slist_free_all(headers);
    g_byte_array_append(a->body, (const guint8 *)"", 1);
    g_byte_array_set_size(a->body, a->body->len - 1);
    return code == CURLE_OK ? TRUE : report(&x, code, u, err);
}

/* http is for loopback and insecure hosts; a redirect from elsewhere must not lead to this machine.
 */
static gboolean may_be_plain(const struct http_request *rq, const struct url *u)
{
    return rq->insecure || (url_host_is_loopback(u->host) && url_host_is_loopback(rq->url->host));
}

static gboolean is_redirect(const struct http_request *rq, const struct answer *a)
{
    gboolean safe = strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "HEAD") == 0;
    gboolean keeps_method = a->status == 307 || a->status == 308;
    return a->location && (keeps_method || (safe && a->status >= 301 && a->status <= 303));
}

static struct url *next_hop(const struct http_request *rq, const struct url *from,
                            const struct answer *a, GError **err)
{
    g_autoptr(url) to = url_resolve(from, a->location, err);
    if (!to) {
        g_prefix_error(err, "it redirects badly: ");
        return NULL;
    }
    if (!to->tls && !may_be_plain(rq, to)) {
        g_autofree char *host = url_authority(to);
        error_set(err, VARVE_ERROR_INVALID, "it redirects to %s without TLS, which is refused",
                  host);
        return NULL;
    }
    return g_steal_pointer(&to);
}

gboolean transport_send(struct transport *t, const struct http_request *rq, struct answer *a,
                        GError **err)
{
    g_autoptr(url) at = url_copy(rq->url);
    answer_reset(a);
    if (!at->tls && !may_be_plain(rq, at))
        return error_set(err, VARVE_ERROR_DENIED,
                         "it is only reachable without TLS, and it is not marked insecure");
    for (guint hop = 0; hop <= MAX_HOPS; hop++) {
        answer_reset(a);
        gboolean same_origin = url_same_origin(at, rq->url);
        gboolean ok = exchange_once(t, rq, at, same_origin, a, err);
        a->url = url_copy(at);
        if (!ok)
            return FALSE;
        if (!is_redirect(rq, a))
            return TRUE;
        struct url *to = next_hop(rq, at, a, err);
        if (!to)
            return FALSE;
        url_free(at);
        at = to;
    }
    return error_set(err, VARVE_ERROR_INVALID, "it redirects more than %d times", MAX_HOPS);
}
