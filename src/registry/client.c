#include "registry/client.h"

#include "base/error.h"
#include "base/work.h"

#include <stdatomic.h>
#include <string.h>

#define MAX_AUTH_ROUNDS 3

enum { SPEAKS_HTTP = 1, SPEAKS_HTTPS = 2 };

/* The state of one client_send(). */
struct sending {
    struct http_effort effort;
    const struct errand *e;
    struct http_request *rq;
    const char *target;         /* or */
    const struct url *location; /* one of both */
    struct retry_hook *hook;    /* or NULL */
    gint64 started;             /* monotonic */
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

char *client_transfer_name(const struct errand *e, const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strdup_printf("%s %.12s", e->doing, digest_hex(d, hex));
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
static gboolean try_other(const struct errand *e, const struct http_response *a, gboolean sent,
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

static gboolean send_to(struct sending *s, const struct url *u, struct http_response *a,
                        GError **err)
{
    s->rq->url = u;
    gboolean ok = http_exchange(s->e->r->http, s->rq, a, err);
    s->rq->url = NULL;
    if (!ok)
        answer_advise_trust(a, err);
    return ok;
}

static gboolean send_by(struct sending *s, gboolean tls, struct http_response *a, GError **err)
{
    g_autoptr(url) u = make_url(s->e, s->target, tls, err);
    return u && send_to(s, u, a, err);
}

/* One request whose scheme is not known yet: loopback hosts mostly speak http, others rather https.
 */
static gboolean send_first(struct sending *s, struct http_response *a, GError **err)
{
    const struct errand *e = s->e;
    gboolean tls = !e->route->plain && !url_host_is_loopback(e->route->host);
    g_autoptr(GError) first = NULL, second = NULL;
    gboolean sent = send_by(s, tls, a, &first);
    if (try_other(e, a, sent, tls)) {
        tls = !tls;
        sent = send_by(s, tls, a, &second);
    }
    if (sent)
        learn_scheme(e, tls);
    else
        /* With neither, what the likelier one said tells more, unless only the other one spoke at
         * all. */
        g_propagate_error(err, second && tls && !a->other_scheme ? g_steal_pointer(&second)
                                                                 : g_steal_pointer(&first));
    return sent;
}

static gboolean send_raw(struct sending *s, struct http_response *a, GError **err)
{
    int scheme = known_scheme(s->e);
    if (s->location)
        return send_to(s, s->location, a, err);
    return scheme ? send_by(s, scheme == SPEAKS_HTTPS, a, err) : send_first(s, a, err);
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

/* Sends it with what the host wants to see. */
static gboolean send_authorized(struct sending *s, const char *header, struct http_response *a,
                                GError **err)
{
    g_autofree char *line = header ? g_strconcat("Authorization: ", header, NULL) : NULL;
    const char *const secrets[] = {line, NULL};
    s->rq->secrets = secrets;
    gboolean ok = send_raw(s, a, err);
    s->rq->secrets = NULL;
    return ok;
}

/* Whether it makes sense to send again after a 401: it told what it wants to see. */
static gboolean learns(const struct errand *e, const struct http_response *a,
                       const struct auth_grant *grant)
{
    g_auto(challenge) c = {0};
    answer_challenge(a, &c);
    gboolean learned = auth_refused(e->r->auth, e->route, e->scopes, grant->header, &c);
    return learned && !(grant->header && grant->fresh);
}

/* As many rounds as authorization needs. */
static gboolean send_rounds(struct sending *s, struct http_response *a, GError **err)
{
    const struct errand *e = s->e;
    gboolean authorize = wants_authorization(s);
    for (guint round = 0;; round++) {
        g_auto(auth_grant) grant = {0};
        if (authorize && !auth_take(e->r->auth, e->route, e->scopes, &grant, err)) {
            http_response_reset(a);
            a->temporary = grant.temporary;
            a->retry_after_s = grant.retry_after_s;
            return FALSE;
        }
        if (!send_authorized(s, grant.header, a, err))
            return FALSE;
        if (a->status != 401 || !authorize || !learns(e, a, &grant) || round == MAX_AUTH_ROUNDS)
            return TRUE;
    }
}

/* One try. */
static gboolean try_once(struct http_effort *self, struct http_response *a, GError **err)
{
    struct sending *s = (struct sending *)self;
    if (s->hook)
        s->hook->adjust(s->hook, s->rq);
    gboolean ok = send_rounds(s, a, err);
    if (s->hook)
        s->hook->adjust(s->hook, s->rq);
    self->there = s->rq->range_from;
    return ok;
}

static char *effort_text(const struct sending *s)
{
    gint64 seconds = (g_get_monotonic_time() - s->started + 500000) / 1000000;
    guint tries = s->effort.tries;
    return tries > 1 ? g_strdup_printf(" %u times in %" G_GINT64_FORMAT " s", tries, seconds)
                     : g_strdup("");
}

static void advise_outside(const struct sending *s, const struct http_response *a, GError **err)
{
    g_autoptr(GString) next = g_string_new(NULL);
    if (a->retry_after_s > 0)
        g_string_append_printf(next, "it asks to wait %" G_GINT64_FORMAT " s", a->retry_after_s);
    if (a->status == 429)
        g_string_append_printf(next, "%sa login may raise the limit (varve login %s)",
                               next->len ? "; " : "", s->e->route->name);
    if (next->len == 0 && a->unreachable)
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
static gboolean give_up(const struct sending *s, const struct http_response *a, GError *why,
                        GError **err)
{
    g_autofree char *effort = effort_text(s);
    if (why && !a->temporary) {
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
        g_autofree char *status = http_status_text(a->status);
        g_autofree char *reason = answer_reason(a);
        error_set(err, VARVE_ERROR_OUTSIDE, "cannot %s: registry %s answered %s%s%s%s", s->e->doing,
                  s->e->route->name, status, effort, reason ? ": " : "", reason ? reason : "");
    }
    advise_outside(s, a, err);
    return FALSE;
}

gboolean client_send(const struct errand *e, struct http_request *rq, const char *target,
                     const struct url *location, struct retry_hook *hook, struct http_response *a,
                     GError **err)
{
    const struct registry_config *c = e->r->config;
    struct http_patience patience = c ? c->patience : (struct http_patience){0};
    struct sending s = {.effort.run = try_once,
                        .e = e,
                        .rq = rq,
                        .target = target,
                        .location = location,
                        .hook = hook,
                        .started = g_get_monotonic_time()};
    GError *why = NULL;
    if (e->tries)
        patience.tries = e->tries;
    rq->insecure = e->route->insecure;
    rq->cancel = e->r->cancel;
    gboolean came = http_effort_run(&s.effort, &patience, e->r->cancel, a, &why);
    if (came && !http_status_is_temporary(a->status))
        return TRUE;
    return give_up(&s, a, why, err);
}

gboolean client_refuse(const struct errand *e, const struct http_response *a, const char *thing,
                       GError **err)
{
    g_autofree char *status = http_status_text(a->status);
    g_autofree char *reason = answer_reason(a);
    enum varve_error code = a->status == 401 || a->status == 403  ? VARVE_ERROR_DENIED
                            : a->status == 404                    ? VARVE_ERROR_NOT_FOUND
                            : http_status_is_temporary(a->status) ? VARVE_ERROR_OUTSIDE
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
