#include "cache/service.h"

#include "base/error.h"
#include "cache/objectlist.h"
#include "registry/answer.h"
#include "registry/blobget.h"
#include "store/blob.h"
#include "text/fit.h"

#include <string.h>
#include <unistd.h>

#define MAX_RENEWALS 3
#define HASH_CHUNK (256 * 1024)

void service_init(struct service *s, const struct cache_env *env, const char *what,
                  const struct url *endpoint)
{
    const struct registry_config *c = env->registry;
    struct http_options o = {.trust = c ? &c->trust : NULL,
                             .proxies = c ? &c->proxies : NULL,
                             .stall_s = c ? c->stall_s : 0};
    g_autofree char *host = url_authority(endpoint);
    s->env = *env;
    s->http = http_client_new(&o);
    s->name = g_strdup_printf("%s %s", what, host);
    s->plain = !endpoint->tls;
}

void service_clear(struct service *s)
{
    http_client_free(s->http);
    g_free(s->name);
}

struct service_try {
    struct http_effort effort;
    struct service *s;
    struct service_call *c;
    guint mute; /* tries that brought no answer */
};

static gboolean try_call(struct http_effort *self, struct http_response *a, GError **err)
{
    struct service_try *t = (struct service_try *)self;
    struct service_call *c = t->c;
    g_autoptr(GPtrArray) fields = g_ptr_array_new_with_free_func(g_free);
    c->rq.url = c->url;
    c->rq.cancel = t->s->env.cancel;
    c->rq.plain = t->s->plain;
    if (c->get)
        c->rq.range_from = blob_get_size(c->get);
    if (t->s->sign && !c->unsigned_url)
        t->s->sign(t->s, c, fields);
    g_ptr_array_add(fields, NULL);
    c->rq.secrets = (const char *const *)fields->pdata;
    gboolean ok = http_exchange(t->s->http, &c->rq, a, err);
    c->rq.secrets = NULL;
    c->rq.url = NULL;
    if (c->get)
        self->there = blob_get_size(c->get);
    if (!ok && ++t->mute >= c->mute_tries && c->mute_tries)
        a->temporary = FALSE;
    if (ok && http_status_is_temporary(a->status) && c->is_final && c->is_final(a))
        a->status = 403;
    return ok;
}

static gboolean is_refusal(const struct http_response *a)
{
    return a->status == 401 || a->status == 403;
}

gboolean service_send(struct service *s, struct service_call *c, struct http_response *a,
                      GError **err)
{
    struct http_patience p =
        s->env.registry ? s->env.registry->patience : (struct http_patience){0};
    if (c->tries)
        p.tries = c->tries;
    if (c->max_wait_s)
        p.max_wait_s = c->max_wait_s;
    for (guint i = 0; i <= MAX_RENEWALS; i++) {
        struct service_try t = {.effort.run = try_call, .s = s, .c = c};
        if (!http_effort_run(&t.effort, &p, s->env.cancel, a, err)) {
            answer_advise_trust(a, err);
            g_prefix_error(err, "%s: ", s->name);
            return FALSE;
        }
        if (!is_refusal(a) || !c->renew || !c->renew(c))
            break;
    }
    return TRUE;
}

/* What the service says of it: <Error><Code> of S3 and Azure. */
static char *service_reason(const struct http_response *a)
{
    const char *body = (const char *)a->body->data;
    g_autofree char *code = a->body->len ? objectlist_element(body, a->body->len, "Code") : NULL;
    g_autofree char *message =
        a->body->len ? objectlist_element(body, a->body->len, "Message") : NULL;
    if (!code)
        return NULL;
    g_autofree char *both =
        g_strdup_printf("%s%s%s", code, message ? ": " : "", message ? message : "");
    both[strcspn(both, "\r\n")] = 0;
    return text_one_line(both, 300);
}

gboolean service_refuse(const struct service *s, const struct http_response *a, GError **err)
{
    g_autofree char *status = http_status_text(a->status), *reason = service_reason(a);
    enum varve_error code = is_refusal(a)                          ? VARVE_ERROR_DENIED
                            : a->status == 404 || a->status == 410 ? VARVE_ERROR_NOT_FOUND
                            : http_status_is_temporary(a->status)  ? VARVE_ERROR_OUTSIDE
                                                                   : VARVE_ERROR_FAILED;
    error_set(err, code, "%s answered %s%s%s", s->name, status, reason ? ": " : "",
              reason ? reason : "");
    if (code == VARVE_ERROR_DENIED && s->what_if_denied)
        error_add_next(err, "%s", s->what_if_denied);
    return FALSE;
}

gboolean service_check(const struct service *s, const struct http_response *a, GError **err)
{
    return (a->status >= 200 && a->status < 300) || service_refuse(s, a, err);
}

/* A blob on its way here. */
struct service_get {
    struct blob_get get;
    struct service *s;
    struct service_call *c;
};

static gboolean ask_service(struct blob_get *g, struct http_response *a, GError **err)
{
    struct service_get *sg = (struct service_get *)g;
    sg->c->rq.sink = &g->sink;
    return service_send(sg->s, sg->c, a, err);
}

static gboolean refuse_object(struct blob_get *g, const struct http_response *a, GError **err)
{
    return service_refuse(((struct service_get *)g)->s, a, err);
}

static char *transfer_name(const struct service *s, const char *doing, const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strdup_printf("%s %s %.12s", doing, s->name, digest_hex(d, hex));
}

gboolean service_fetch(struct service *s, struct service_call *c, const struct descriptor *d,
                       struct blob_tap *tap, GError **err)
{
    g_autofree char *name = transfer_name(s, "get from", &d->digest);
    struct service_get sg = {.get = {.store = s->env.store,
                                     .d = d,
                                     .tap = tap,
                                     .events = s->env.events,
                                     .cancel = s->env.cancel,
                                     .name = name,
                                     .ask = ask_service,
                                     .refuse = refuse_object},
                             .s = s,
                             .c = c};
    GError *why = NULL;
    c->rq.method = "GET";
    c->get = &sg.get;
    if (blob_get_run(&sg.get, &why))
        return TRUE;
    if (g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID) &&
        !g_str_has_prefix(why->message, s->name))
        g_prefix_error(&why, "%s sent a wrong blob, twice: ", s->name);
    g_propagate_error(err, why);
    return FALSE;
}

gboolean service_upload_begin(struct service *s, const struct descriptor *d,
                              struct service_upload *u, GError **err)
{
    g_autofree char *name = transfer_name(s, "send to", &d->digest);
    *u = (struct service_upload){.size = d->size, .fd = -1};
    u->fd = store_blob_open(s->env.store, &d->digest, err);
    if (u->fd < 0)
        return FALSE;
    g_mutex_init(&u->lock);
    transfer_init(&u->transfer, s->env.events, name, d->size);
    return TRUE;
}

void service_upload_end(struct service_upload *u)
{
    transfer_finish(&u->transfer, u->sent);
    g_mutex_clear(&u->lock);
    close(u->fd);
}

/* A part that is sent again counts from its beginning. */
static void part_sent(struct http_source *self, guint64 bytes)
{
    struct service_part *p = (struct service_part *)self;
    g_mutex_lock(&p->u->lock);
    p->u->sent = p->u->sent - p->told + bytes;
    p->told = bytes;
    transfer_tell(&p->u->transfer, p->u->sent);
    g_mutex_unlock(&p->u->lock);
}

void service_part_init(struct service_part *p, struct service_upload *u, guint64 offset,
                       guint64 len)
{
    *p = (struct service_part){.u = u};
    http_file_source_init(&p->source, u->fd, offset, len);
    p->source.base.sent = part_sent;
}

gboolean service_part_digest(const struct service_part *p, struct digest *out, GError **err)
{
    g_autoptr(hasher) h = hasher_new();
    g_autofree char *buffer = g_malloc(HASH_CHUNK);
    struct http_file_source source = p->source;
    for (guint64 at = 0; at < source.base.len;) {
        gsize want = MIN(source.base.len - at, HASH_CHUNK);
        gssize n = source.base.read(&source.base, at, buffer, want, err);
        if (n <= 0)
            return n < 0 ? FALSE
                         : error_set(err, VARVE_ERROR_FAILED,
                                     "cannot read the data to send: the file became shorter");
        hasher_update(h, buffer, n);
        at += n;
    }
    hasher_final(h, out);
    return TRUE;
}
