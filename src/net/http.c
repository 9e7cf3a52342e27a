#include "net/http.h"

#include "base/error.h"
#include "net/exchange.h"

#include <string.h>

#define MAX_HOPS 10
#define DEFAULT_STALL_S 30
#define MAX_IDLE_SLOTS 16

struct http_client {
    struct http_options o;
    GMutex lock;
    GPtrArray *idle;   /* struct slot*; guarded by lock */
    GHashTable *trust; /* authority → struct trust*; guarded by lock */
};

struct http_client *http_client_new(const struct http_options *o)
{
    struct http_client *c = g_new0(struct http_client, 1);
    if (o)
        c->o = *o;
    g_mutex_init(&c->lock);
    c->idle = g_ptr_array_new();
    c->trust = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)trust_free);
    return c;
}

static void slot_free(const struct curl_api *curl, struct slot *s)
{
    if (s->multi)
        curl->multi_cleanup(s->multi);
    if (s->easy)
        curl->easy_cleanup(s->easy);
    g_free(s);
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    for (guint i = 0; i < c->idle->len; i++)
        slot_free(curl_api_load(NULL), g_ptr_array_index(c->idle, i));
    g_ptr_array_unref(c->idle);
    g_hash_table_unref(c->trust);
    g_mutex_clear(&c->lock);
    g_free(c);
}

static struct slot *take_slot(struct http_client *c, const struct curl_api *curl, GError **err)
{
    g_mutex_lock(&c->lock);
    struct slot *s = c->idle->len ? g_ptr_array_steal_index(c->idle, c->idle->len - 1) : NULL;
    g_mutex_unlock(&c->lock);
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
static void put_slot(struct http_client *c, const struct curl_api *curl, struct slot *s)
{
    curl->easy_reset(s->easy);
    g_mutex_lock(&c->lock);
    gboolean keep = c->idle->len < MAX_IDLE_SLOTS;
    if (keep)
        g_ptr_array_add(c->idle, s);
    g_mutex_unlock(&c->lock);
    if (!keep)
        slot_free(curl, s);
}

/* Owned by c. */
static const struct trust *find_trust(struct http_client *c, const struct url *u)
{
    g_autofree char *host = url_authority(u);
    g_mutex_lock(&c->lock);
    struct trust *trust = g_hash_table_lookup(c->trust, host);
    if (!trust) {
        trust = trust_find(c->o.trust, host);
        g_hash_table_insert(c->trust, g_steal_pointer(&host), trust);
    }
    g_mutex_unlock(&c->lock);
    return trust;
}

/* One request to at, without following redirects. */
static gboolean hop_run(struct http_client *c, const struct http_request *rq, const struct url *at,
                        struct http_response *a, GError **err)
{
    const struct curl_api *curl = curl_api_load(err);
    struct slot *s = curl ? take_slot(c, curl, err) : NULL;
    if (!s)
        return FALSE;
    guint stall_s = rq->stall_s ? rq->stall_s : c->o.stall_s;
    struct hop hop = {.rq = rq,
                      .url = at,
                      .trust = find_trust(c, at),
                      .proxy = rq->socket ? "" : http_proxy_for(c->o.proxies, at),
                      .no_proxy = c->o.proxies ? c->o.proxies->none : NULL,
                      .stall_s = stall_s ? stall_s : DEFAULT_STALL_S};
    gboolean ok = exchange_run(curl, s, &hop, a, err);
    put_slot(c, curl, s);
    return ok;
}

/* A redirect from elsewhere must not lead to this machine. */
static gboolean may_be_plain(const struct http_request *rq, const struct url *u)
{
    if (url_host_is_loopback(u->host))
        return url_host_is_loopback(rq->url->host);
    return rq->plain || rq->insecure;
}

/* What a Location says, when it is to be followed; else NULL. */
static const char *redirection(const struct http_request *rq, const struct http_response *a)
{
    gboolean safe = strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "HEAD") == 0;
    gboolean keeps_method = a->status == 307 || a->status == 308;
    gboolean follows = keeps_method || (safe && a->status >= 301 && a->status <= 303);
    return follows ? http_response_field(a, "Location") : NULL;
}

static struct url *next_hop(const struct http_request *rq, const struct url *from,
                            const char *location, GError **err)
{
    g_autoptr(url) to = url_resolve(from, location, err);
    if (!to) {
        g_prefix_error(err, "it redirects to a bad URL: ");
        return NULL;
    }
    g_autofree char *host = url_authority(to);
    if (rq->secret_body && rq->body && !url_same_origin(to, rq->url)) {
        error_set(err, VARVE_ERROR_INVALID, "it redirects a login to %s, which is refused", host);
        return NULL;
    }
    if (to->tls || (!from->tls && may_be_plain(rq, to)))
        return g_steal_pointer(&to);
    error_set(err, VARVE_ERROR_INVALID, "it redirects to %s without TLS, which is refused", host);
    return NULL;
}

gboolean http_exchange(struct http_client *c, const struct http_request *rq,
                       struct http_response *a, GError **err)
{
    g_autoptr(url) at = url_copy(rq->url);
    http_response_reset(a);
    if (!at->tls && !rq->socket && !may_be_plain(rq, at))
        return error_set(err, VARVE_ERROR_DENIED,
                         "it is only reachable without TLS, and it is not marked insecure");
    for (guint hop = 0; hop <= MAX_HOPS; hop++) {
        http_response_reset(a);
        gboolean ok = hop_run(c, rq, at, a, err);
        a->url = url_copy(at);
        if (!ok)
            return FALSE;
        const char *location = redirection(rq, a);
        if (!location)
            return TRUE;
        struct url *to = next_hop(rq, at, location, err);
        if (!to)
            return FALSE;
        url_free(at);
        at = to;
    }
    return error_set(err, VARVE_ERROR_INVALID, "it redirects more than %d times", MAX_HOPS);
}

struct sending {
    struct http_effort effort;
    struct http_client *client;
    const struct http_request *rq;
};

static gboolean send_try(struct http_effort *self, struct http_response *a, GError **err)
{
    struct sending *s = (struct sending *)self;
    return http_exchange(s->client, s->rq, a, err);
}

gboolean http_send(struct http_client *c, const struct http_request *rq,
                   const struct http_patience *p, struct http_response *a, GError **err)
{
    struct sending s = {.effort.run = send_try, .client = c, .rq = rq};
    return http_effort_run(&s.effort, p, rq->cancel, a, err);
}
