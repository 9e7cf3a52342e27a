#include "cache/ghaentry.h"

#include "base/error.h"
#include "image/jsonin.h"
#include "image/jsonout.h"
#include "text/duration.h"
#include "text/fit.h"

#include <string.h>

#define METHODS "twirp/github.actions.results.api.v1.CacheService/"
#define MAX_ANSWER (1024 * 1024)
#define PATIENT_TRIES 9 /* of who may write only so often */
#define MUTE_TRIES 3
#define PARALLEL 4
#define FIRST_DELAY_MS 400
#define PATIENCE 25 /* times the first delay */

static void sign_twirp(struct service *s, const struct service_call *c, GPtrArray *fields)
{
    g_ptr_array_add(fields, g_strdup(((struct ghacache *)s)->bearer));
}

gboolean ghacache_init(struct ghacache *g, const struct cache_spec *spec,
                       const struct cache_env *env, GError **err)
{
    const char *at = cache_spec_get(spec, "url_v2"), *token = cache_spec_get(spec, "token");
    gint64 ns = 0;
    if (!at || !token) {
        error_set(err, VARVE_ERROR_USAGE,
                  "%s works in GitHub Actions alone: it needs url_v2=… and "
                  "token=…, or ACTIONS_RESULTS_URL and ACTIONS_RUNTIME_TOKEN",
                  spec->label);
        error_add_next(err, "in a workflow, pass both to the step that runs varve");
        return FALSE;
    }
    if (!duration_parse(cache_spec_get(spec, "timeout"), &ns, err))
        return FALSE;
    g->url = url_parse(at, err);
    if (!g->url)
        return FALSE;
    service_init(&g->service, env, "GitHub's cache service", g->url);
    g->service.sign = sign_twirp;
    g->service.what_if_denied = "the token is only valid while its job runs";
    g->bearer = g_strconcat("Authorization: Bearer ", token, NULL);
    guint delay_ms = env->registry ? env->registry->patience.first_delay_ms : 0;
    g->first_delay_ms = delay_ms ? delay_ms : FIRST_DELAY_MS;
    g->timeout_s = (guint)CLAMP(ns / 1000000000, 1, 3600);
    return TRUE;
}

void ghacache_clear(struct ghacache *g)
{
    if (g->url)
        service_clear(&g->service);
    url_free(g->url);
    g_free(g->bearer);
}

/* An answer of the service. */
struct twirp_answer {
    json_t *doc;     /* of a 200 */
    gboolean exists; /* it said already_exists */
    gboolean absent; /* it said not_found */
};

static gboolean is_full(const char *code, const char *msg)
{
    return code && msg && g_str_equal(code, "resource_exhausted") && strstr(msg, "quota");
}

/* A full quota may come as 429, as too many requests do, but does not pass. */
static gboolean is_full_answer(const struct http_response *a)
{
    const char *code = NULL, *msg = NULL;
    json_t *doc = jsonin_parse(a->body->data, a->body->len, MAX_ANSWER, "answer", NULL);
    gboolean full = doc && jsonin_string(doc, "code", &code, NULL) &&
                    jsonin_string(doc, "msg", &msg, NULL) && is_full(code, msg);
    json_decref(doc);
    return full;
}

/* {"code":…,"msg":…} */
static gboolean refuse_twirp(struct ghacache *g, const struct http_response *a,
                             struct twirp_answer *out, GError **err)
{
    const char *code = NULL, *msg = NULL;
    json_t *doc = jsonin_parse(a->body->data, a->body->len, MAX_ANSWER, "answer", NULL);
    if (doc && (!jsonin_string(doc, "code", &code, NULL) || !jsonin_string(doc, "msg", &msg, NULL)))
        code = msg = NULL;
    out->exists = code && g_str_equal(code, "already_exists");
    out->absent = code && g_str_equal(code, "not_found");
    g_autofree char *why = text_one_line(msg ? msg : "", 300);
    if (is_full(code, msg)) {
        error_set(err, VARVE_ERROR_OUTSIDE, "%s takes nothing more: %s", g->service.name, why);
        error_add_next(err, "delete old caches of this repository, or write less (mode=min)");
    } else if (!out->exists) {
        service_refuse(&g->service, a, err);
        if (*why && err && *err) {
            char *whole = g_strconcat((*err)->message, ": ", why, NULL);
            g_free((*err)->message);
            (*err)->message = whole;
        }
    }
    json_decref(doc);
    return out->exists || out->absent;
}

/* body is taken. FALSE: err says why, and neither exists nor absent is set. */
static gboolean call_twirp(struct ghacache *g, const char *method, GBytes *body, gboolean patient,
                           struct twirp_answer *out, GError **err)
{
    g_autoptr(GBytes) taken = body;
    g_autofree char *target = g_strconcat(METHODS, method, NULL);
    g_autoptr(url) base = url_copy(g->url), u = NULL;
    if (!g_str_has_suffix(base->target, "/")) {
        char *slashed = g_strconcat(base->target, "/", NULL);
        g_free(base->target);
        base->target = slashed;
    }
    u = url_resolve(base, target, err);
    struct service_call c = {.rq = {.method = "POST",
                                    .content_type = "application/json",
                                    .accept = "application/json",
                                    .body = g_bytes_get_data(body, NULL),
                                    .body_len = g_bytes_get_size(body),
                                    .max_body = MAX_ANSWER},
                             .url = u,
                             .tries = patient ? PATIENT_TRIES : 0,
                             .max_wait_s = patient ? g->timeout_s : 0,
                             .mute_tries = patient ? MUTE_TRIES : 0,
                             .is_final = is_full_answer};
    g_auto(http_response) a;
    http_response_init(&a);
    *out = (struct twirp_answer){0};
    if (!u || !service_send(&g->service, &c, &a, err))
        return FALSE;
    if (a.status != 200) {
        g_autoptr(GError) why = NULL;
        if (refuse_twirp(g, &a, out, &why))
            return TRUE;
        g_propagate_error(err, g_steal_pointer(&why));
        return FALSE;
    }
    out->doc = jsonin_parse(a.body->data, a.body->len, MAX_ANSWER, "answer", err);
    if (out->doc)
        return TRUE;
    g_prefix_error(err, "%s: ", g->service.name);
    return FALSE;
}

/* What all requests say; of what else they say the caller adds. */
static void begin_request(struct jsonout *j, const char *key)
{
    g_autofree char *version =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, "varve-cache-1", -1);
    jsonout_init(j, 0);
    jsonout_open(j, NULL, '{');
    jsonout_str(j, "key", key);
    jsonout_str(j, "version", version);
}

static GBytes *end_request(struct jsonout *j)
{
    jsonout_close(j, '}');
    return jsonout_finish(j);
}

/* A signed URL of an answer; it is a secret. */
static struct url *answer_url(struct ghacache *g, const json_t *doc, const char *name, GError **err)
{
    const char *text = NULL;
    struct url *u = jsonin_string(doc, name, &text, NULL) && text ? url_parse(text, NULL) : NULL;
    if (!u)
        error_set(err, VARVE_ERROR_INVALID, "%s gave no usable URL", g->service.name);
    return u;
}

static gboolean read_found(struct ghacache *g, const json_t *doc, const char *key, gboolean prefix,
                           struct url **url, char **matched, GError **err)
{
    gboolean ok = FALSE;
    const char *name = NULL;
    if (!jsonin_bool(doc, "ok", &ok, err) || !jsonin_string(doc, "matched_key", &name, err)) {
        g_prefix_error(err, "%s: ", g->service.name);
        return FALSE;
    }
    if (!name)
        name = key;
    /* The service may take an exact key for a prefix, too. */
    if (!ok || !(prefix ? g_str_has_prefix(name, key) : g_str_equal(name, key)))
        return TRUE;
    *url = answer_url(g, doc, "signed_download_url", err);
    if (*url && matched)
        *matched = g_strdup(name);
    return *url != NULL;
}

gboolean ghacache_find(struct ghacache *g, const char *key, gboolean prefix, struct url **url,
                       char **matched, GError **err)
{
    struct twirp_answer answer;
    struct jsonout j;
    begin_request(&j, key);
    jsonout_open(&j, "restore_keys", '[');
    if (prefix)
        jsonout_str(&j, NULL, key);
    jsonout_close(&j, ']');
    *url = NULL;
    if (matched)
        *matched = NULL;
    if (!call_twirp(g, "GetCacheEntryDownloadURL", end_request(&j), FALSE, &answer, err))
        return FALSE;
    gboolean ok = !answer.doc || read_found(g, answer.doc, key, prefix, url, matched, err);
    json_decref(answer.doc);
    return ok;
}

/* A download under way, whose URL may have to be asked for again. */
struct gha_download {
    struct ghacache *g;
    char *key; /* exactly */
};

static gboolean renew_download(struct service_call *c)
{
    struct gha_download *d = c->ctx;
    struct url *fresh = NULL;
    if (!ghacache_find(d->g, d->key, FALSE, &fresh, NULL, NULL) || !fresh)
        return FALSE;
    url_free(c->url);
    c->url = fresh;
    return TRUE;
}

GBytes *ghacache_read(struct ghacache *g, const char *key, gboolean prefix, gsize max,
                      char **matched, GError **err)
{
    g_autofree char *found = NULL;
    struct url *u = NULL;
    if (!ghacache_find(g, key, prefix, &u, &found, err) || !u)
        return NULL;
    struct gha_download d = {.g = g, .key = found};
    struct service_call c = {.rq = {.method = "GET", .max_body = max},
                             .url = u,
                             .unsigned_url = TRUE,
                             .renew = renew_download,
                             .ctx = &d};
    g_auto(http_response) a;
    http_response_init(&a);
    GBytes *bytes = NULL;
    if (service_send(&g->service, &c, &a, err) && service_check(&g->service, &a, err))
        bytes = g_bytes_new(a.body->data, a.body->len);
    url_free(c.url);
    if (bytes && matched)
        *matched = g_steal_pointer(&found);
    return bytes;
}

gboolean ghacache_fetch(struct ghacache *g, const char *key, const struct descriptor *d,
                        struct blob_tap *tap, GError **err)
{
    g_autofree char *found = NULL;
    struct url *u = NULL;
    if (!ghacache_find(g, key, TRUE, &u, &found, err))
        return FALSE;
    if (!u)
        return error_set(err, VARVE_ERROR_NOT_FOUND, "%s no longer has it", g->service.name);
    struct gha_download download = {.g = g, .key = found};
    struct service_call c = {
        .url = u, .unsigned_url = TRUE, .renew = renew_download, .ctx = &download};
    gboolean ok = service_fetch(&g->service, &c, d, tap, err);
    url_free(c.url);
    return ok;
}

/* TRUE without *url: it exists. */
static gboolean create_entry(struct ghacache *g, const char *key, struct url **url, GError **err)
{
    struct twirp_answer answer;
    struct jsonout j;
    begin_request(&j, key);
    *url = NULL;
    if (!call_twirp(g, "CreateCacheEntry", end_request(&j), TRUE, &answer, err))
        return FALSE;
    if (answer.exists)
        return TRUE;
    *url = answer.doc ? answer_url(g, answer.doc, "signed_upload_url", err) : NULL;
    json_decref(answer.doc);
    if (!*url && err && !*err)
        error_set(err, VARVE_ERROR_INVALID, "%s made no entry", g->service.name);
    return *url != NULL;
}

/* One whose answer was lost was done all the same. */
static gboolean finalize_entry(struct ghacache *g, const char *key, guint64 size, GError **err)
{
    struct twirp_answer answer;
    struct jsonout j;
    g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, size);
    g_autoptr(url) there = NULL;
    begin_request(&j, key);
    jsonout_str(&j, "size_bytes", number);
    if (!call_twirp(g, "FinalizeCacheEntryUpload", end_request(&j), TRUE, &answer, err))
        return FALSE;
    gboolean ok = FALSE;
    if (answer.doc && !jsonin_bool(answer.doc, "ok", &ok, NULL))
        ok = FALSE;
    json_decref(answer.doc);
    if (ok || !ghacache_find(g, key, FALSE, &there, NULL, err) || there)
        return ok || there;
    return error_set(err, VARVE_ERROR_OUTSIDE, "%s did not finish an entry", g->service.name);
}

enum ghacache_made ghacache_make(struct ghacache *g, const char *key, GBytes *bytes,
                                 struct service_upload *u, GError **err)
{
    g_autoptr(url) at = NULL;
    if (!create_entry(g, key, &at, err))
        return GHACACHE_FAILED;
    if (!at)
        return GHACACHE_EXISTS;
    struct blockblob b = {
        .service = &g->service, .url = at, .unsigned_url = TRUE, .parallel = PARALLEL};
    gboolean sent = bytes ? blockblob_put_bytes(&b, bytes, err) : blockblob_put_file(&b, u, err);
    if (!sent)
        return b.refused ? GHACACHE_BURNT : GHACACHE_FAILED;
    guint64 size = bytes ? g_bytes_get_size(bytes) : u->size;
    return finalize_entry(g, key, size, err) ? GHACACHE_MADE : GHACACHE_FAILED;
}

gint64 ghacache_patience_ms(const struct ghacache *g)
{
    return (gint64)g->first_delay_ms * PATIENCE;
}

gboolean ghacache_wait(struct ghacache *g, guint round, gint64 *waited_ms, GError **err)
{
    /* As many as wait do not come back at once. */
    gint64 ms = (gint64)(g->first_delay_ms * MIN(round + 1, 8) * g_random_double_range(0.25, 1));
    *waited_ms += ms;
    return cancel_wait(g->service.env.cancel, MAX(ms, 1), err);
}
