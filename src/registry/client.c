#include "registry/client.h"

#include "base/error.h"
#include "base/work.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#define DEFAULT_TRIES 5
#define UNREACHABLE_TRIES 3
#define DEFAULT_MAX_WAIT_S 60
#define FIRST_DELAY_MS 400
#define PROGRESS (64 * 1024)
#define MAX_AUTH_ROUNDS 3

enum { SPEAKS_HTTP = 1, SPEAKS_HTTPS = 2 };

/* The state of one client_send(). */
struct sending {
    const struct errand *e;
    struct http_request *rq;
    const char *target;         /* or */
    const struct url *location; /* one of both */
    struct answer *a;
    guint tries;          /* made so far, since the last progress */
    gint64 waited_ms;     /* in all */
    gint64 started;       /* monotonic */
    guint64 range_from;   /* of the try before */
    gint64 asked_s;       /* the last Retry-After, or -1 */
    gboolean temporary;   /* the last failure may go away */
    gboolean unreachable; /* the last failure: no connection */
};

char *client_scope(const char *repository, const char *actions)
{
    return g_strconcat("repository:", repository, ":", actions, NULL);
}

GPtrArray *client_routes(const struct registry *r, const char *domain, const char *path,
                         gboolean by_digest, gboolean pushing, GError **err)
{
    GPtrArray *routes = registry_config_routes(r->config, domain, path, by_digest, pushing, err);
    for (guint i = 0; routes && i < routes->len; i++) {
        struct route *route = g_ptr_array_index(routes, i);
        route->insecure |= g_hash_table_contains(r->insecure, route->name);
    }
    return routes;
}

void client_prefix(const struct errand *e, GError **err)
{
    g_prefix_error(err, "cannot %s: registry %s: ", e->doing, e->route->name);
}

gboolean client_sleep(struct registry *r, gint64 ms, GError **err)
{
    gint64 end = g_get_monotonic_time() + ms * 1000;
    while (cancel_check(r->cancel, err)) {
        gint64 left_ms = (end - g_get_monotonic_time() + 999) / 1000;
        if (left_ms <= 0)
            return TRUE;
        struct pollfd fd = {cancel_fd(r->cancel), POLLIN, 0};
        poll(&fd, 1, MIN(left_ms, 1000));
    }
    return FALSE;
}

static int known_scheme(const struct errand *e)
{
    struct registry *r = e->r;
    g_mutex_lock(&r->lock);
    int scheme = GPOINTER_TO_INT(g_hash_table_lookup(r->plain, e->route->host));
    g_mutex_unlock(&r->lock);
    return scheme;
}

static void learn_scheme(const struct errand *e, gboolean tls)
{
    struct registry *r = e->r;
    g_mutex_lock(&r->lock);
    g_hash_table_insert(r->plain, g_strdup(e->route->host),
                        GINT_TO_POINTER(tls ? SPEAKS_HTTPS : SPEAKS_HTTP));
    g_mutex_unlock(&r->lock);
}

static gboolean plain_allowed(const struct errand *e)
{
    return e->route->insecure || e->route->plain || url_host_is_loopback(e->route->host);
}

static struct url *make_url(const struct errand *e, const char *target, gboolean tls, GError **err)
{
    g_autofree char *text = g_strconcat(tls ? "https://" : "http://", e->route->host, target, NULL);
    return url_parse(text, err);
}

/* Whether the other scheme should be tried after a first request by this one. */
static gboolean try_other(const struct errand *e, const struct answer *a, gboolean sent,
                          gboolean tls)
{
    if (e->route->plain || cancel_is_set(e->r->cancel) || (tls && !plain_allowed(e)))
        return FALSE;
    /* Go's servers and nginx answer plain http on a TLS port like this; to HEAD without the text.
     */
    gboolean told =
        a->status == 400 && (a->body->len == 0 || strstr((const char *)a->body->data, "HTTPS"));
    return sent ? !tls && told : a->other_scheme;
}

static gboolean send_by(struct sending *s, gboolean tls, GError **err)
{
    g_autoptr(url) u = make_url(s->e, s->target, tls, err);
    if (!u)
        return FALSE;
    s->rq->url = u;
    gboolean ok = transport_send(s->e->r->transport, s->rq, s->a, err);
    s->rq->url = NULL;
    return ok;
}

/* One request whose scheme is not known yet: loopback hosts mostly speak http, others rather https.
 */
static gboolean send_first(struct sending *s, GError **err)
{
    const struct errand *e = s->e;
    gboolean tls = !e->route->plain && !url_host_is_loopback(e->route->host);
    g_autoptr(GError) first = NULL, second = NULL;
    gboolean sent = send_by(s, tls, &first);
    if (try_other(e, s->a, sent, tls)) {
        tls = !tls;
        sent = send_by(s, tls, &second);
    }
    if (sent)
        learn_scheme(e, tls);
    else
        /* With neither, what the likelier one said tells more, unless only the other one spoke at
         * all. */
        g_propagate_error(err, second && tls && !s->a->other_scheme ? g_steal_pointer(&second)
                                                                    : g_steal_pointer(&first));
    return sent;
}

static gboolean send_raw(struct sending *s, GError **err)
{
    const struct errand *e = s->e;
    int scheme = known_scheme(e);
    s->rq->insecure = e->route->insecure;
    if (!s->location && !scheme)
        return send_first(s, err);
    if (!s->location)
        return send_by(s, scheme == SPEAKS_HTTPS, err);
    s->rq->url = s->location;
    gboolean ok = transport_send(e->r->transport, s->rq, s->a, err);
    s->rq->url = NULL;
    return ok;
}

/* An upload's location may be at another host (a storage service): its URL is authorization enough.
 */
static gboolean wants_authorization(const struct sending *s)
{
    if (!s->location)
        return TRUE;
    g_autoptr(url) home = make_url(s->e, "/", s->location->tls, NULL);
    return home && url_same_origin(home, s->location);
}

/* One try, with as many rounds as authorization needs. FALSE: *err says why, s->temporary whether
 * to try again. */
static gboolean try_once(struct sending *s, GError **err)
{
    const struct errand *e = s->e;
    gboolean authorize = wants_authorization(s);
    for (guint round = 0;; round++) {
        g_auto(auth_grant) grant = {0};
        if (authorize && !auth_take(e->r->auth, e->route, e->scopes, &grant, err)) {
            s->temporary = grant.temporary;
            s->asked_s = grant.retry_after_s;
            return FALSE;
        }
        s->rq->authorization = grant.header;
        gboolean sent = send_raw(s, err);
        s->rq->authorization = NULL;
        s->temporary = s->a->temporary;
        s->unreachable = s->a->unreachable;
        if (!sent)
            return FALSE;
        if (s->a->status != 401 || !authorize)
            return TRUE;
        gboolean learned =
            auth_refused(e->r->auth, e->route, e->scopes, grant.header, &s->a->challenge);
        if ((grant.header && grant.fresh) || !learned || round == MAX_AUTH_ROUNDS)
            return TRUE;
    }
}

static gboolean is_temporary_status(int status)
{
    return status == 429 || status == 408 || (status >= 500 && status != 501);
}

static guint max_tries(const struct sending *s)
{
    const struct registry_config *c = s->e->r->config;
    guint tries = s->e->tries ? s->e->tries : c && c->tries ? c->tries : DEFAULT_TRIES;
    return s->unreachable ? MIN(tries, UNREACHABLE_TRIES) : tries;
}

/* How long to wait before the next try; -1 when there shall be none. */
static gint64 next_delay_ms(struct sending *s)
{
    const struct registry_config *c = s->e->r->config;
    gint64 max_ms = (c && c->max_wait_s ? c->max_wait_s : DEFAULT_MAX_WAIT_S) * 1000LL;
    if (s->rq->range_from >= s->range_from + PROGRESS)
        s->tries = 0;
    s->range_from = s->rq->range_from;
    s->tries++;
    guint first_ms = c && c->first_delay_ms ? c->first_delay_ms : FIRST_DELAY_MS;
    if (s->tries >= max_tries(s))
        return -1;
    gint64 delay =
        (gint64)(first_ms * (1 << MIN(s->tries - 1, 10)) * g_random_double_range(0.75, 1.25));
    delay = MAX(delay, s->asked_s * 1000);
    return s->waited_ms + delay > max_ms ? -1 : delay;
}

static char *effort_text(const struct sending *s)
{
    gint64 seconds = (g_get_monotonic_time() - s->started + 500000) / 1000000;
    return s->tries > 1 ? g_strdup_printf(" %u times in %" G_GINT64_FORMAT " s", s->tries, seconds)
                        : g_strdup("");
}

static void advise_outside(const struct sending *s, GError **err)
{
    g_autoptr(GString) next = g_string_new(NULL);
    if (s->asked_s > 0)
        g_string_append_printf(next, "it asks to wait %" G_GINT64_FORMAT " s", s->asked_s);
    if (s->a->status == 429)
        g_string_append_printf(next, "%sa login may raise the limit (varve login %s)",
                               next->len ? "; " : "", s->e->route->name);
    if (next->len == 0 && s->unreachable)
        g_string_append(
            next, "check the registry's name and the network, then run the same command again");
    if (next->len == 0)
        g_string_append(next, "run the same command again later; what was transferred is kept");
    error_add_next(err, "%s", next->str);
}

static void advise_denied(const struct errand *e, int status, GError **err)
{
    g_autofree char *login = auth_login_text(e->r->auth, e->route);
    if (!*e->scopes)
        error_add_next(
            err,
            "check the user name and the password; many registries want an access token instead");
    else if (status == 401)
        error_add_next(err, "log in with `varve login %s` (%s)", e->route->name, login);
    else
        error_add_next(err, "log in with an account that may %s (varve login %s; %s)", e->doing,
                       e->route->name, login);
}

/* No more tries: why, of the last one, is NULL when an answer came. */
static gboolean give_up(struct sending *s, GError *why, GError **err)
{
    g_autofree char *effort = effort_text(s);
    if (why && !s->temporary) {
        if (!g_error_matches(why, VARVE_ERROR, VARVE_ERROR_CANCELLED))
            client_prefix(s->e, &why);
        if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_DENIED))
            advise_denied(s->e, 401, &why);
        g_propagate_error(err, why);
        return FALSE;
    }
    if (why) {
        error_set(err, VARVE_ERROR_OUTSIDE, "cannot %s: registry %s failed%s: %s", s->e->doing,
                  s->e->route->name, effort, why->message);
        error_copy_next(err, why);
        g_error_free(why);
    } else {
        g_autofree char *status = answer_status_text(s->a);
        g_autofree char *reason = answer_reason(s->a);
        error_set(err, VARVE_ERROR_OUTSIDE, "cannot %s: registry %s answered %s%s%s%s", s->e->doing,
                  s->e->route->name, status, effort, reason ? ": " : "", reason ? reason : "");
    }
    advise_outside(s, err);
    return FALSE;
}

gboolean client_send(const struct errand *e, struct http_request *rq, const char *target,
                     const struct url *location, struct retry_hook *hook, struct answer *a,
                     GError **err)
{
    struct sending s = {.e = e,
                        .rq = rq,
                        .target = target,
                        .location = location,
                        .a = a,
                        .started = g_get_monotonic_time()};
    for (;;) {
        GError *why = NULL;
        s.asked_s = -1;
        s.unreachable = FALSE;
        if (hook)
            hook->before(hook, rq);
        gboolean sent = try_once(&s, &why);
        if (sent && !is_temporary_status(a->status))
            return TRUE;
        if (sent)
            s.asked_s = a->retry_after_s;
        if (hook)
            hook->before(hook, rq);
        gboolean again = sent || s.temporary;
        gint64 delay_ms = again ? next_delay_ms(&s) : -1;
        if (delay_ms < 0)
            return give_up(&s, why, err);
        g_clear_error(&why);
        if (!client_sleep(e->r, delay_ms, err))
            return FALSE;
        s.waited_ms += delay_ms;
    }
}

gboolean client_refuse(const struct errand *e, const struct answer *a, const char *thing,
                       GError **err)
{
    g_autofree char *status = answer_status_text(a);
    g_autofree char *reason = answer_reason(a);
    enum varve_error code = a->status == 401 || a->status == 403 ? VARVE_ERROR_DENIED
                            : a->status == 404                   ? VARVE_ERROR_NOT_FOUND
                            : is_temporary_status(a->status)     ? VARVE_ERROR_OUTSIDE
                                                                 : VARVE_ERROR_INVALID;
    error_set(err, code, "cannot %s: registry %s answered %s%s%s%s%s", e->doing, e->route->name,
              status, thing ? " for " : "", thing ? thing : "", reason ? ": " : "",
              reason ? reason : "");
    if (code == VARVE_ERROR_DENIED)
        advise_denied(e, a->status, err);
    else if (code == VARVE_ERROR_NOT_FOUND)
        error_add_next(err,
                       "check the name and the tag; a private repository may need `varve login %s`",
                       e->route->name);
    else
        error_add_next(err, "the registry's own log may say more; if this persists, the registry "
                            "or a proxy in front of it does not follow the distribution protocol");
    return FALSE;
}

struct fan {
    gboolean (*fn)(gpointer ctx, gsize i, GError **err);
    gpointer ctx;
    guint n;
    atomic_uint next;
    GMutex lock;
    GError *error; /* the first; guarded by lock */
};

static gpointer run_fan(gpointer data)
{
    struct fan *f = data;
    for (guint i = atomic_fetch_add(&f->next, 1); i < f->n; i = atomic_fetch_add(&f->next, 1)) {
        GError *err = NULL;
        if (f->fn(f->ctx, i, &err))
            continue;
        g_mutex_lock(&f->lock);
        if (f->error)
            g_clear_error(&err);
        else
            f->error = err;
        g_mutex_unlock(&f->lock);
        atomic_store(&f->next, f->n);
    }
    return NULL;
}

gboolean client_fan_out(guint n, guint max, gboolean (*fn)(gpointer ctx, gsize i, GError **err),
                        gpointer ctx, GError **err)
{
    struct fan f = {.fn = fn, .ctx = ctx, .n = n};
    g_mutex_init(&f.lock);
    g_autoptr(GPtrArray) threads = g_ptr_array_new();
    for (guint i = 1; i < MIN(n, max); i++) {
        GThread *helper = work_helper("registry", run_fan, &f);
        if (helper)
            g_ptr_array_add(threads, helper);
    }
    run_fan(&f);
    for (guint i = 0; i < threads->len; i++)
        g_thread_join(g_ptr_array_index(threads, i));
    g_mutex_clear(&f.lock);
    if (f.error)
        g_propagate_error(err, f.error);
    return f.error == NULL;
}
