#include "registry/registry.h"

#include "base/error.h"
#include "registry/fetch.h"
#include "registry/origin.h"
#include "store/blob.h"

#include <string.h>

#define MAX_NESTING 3
#define HUB "docker.io"

struct registry *registry_new(struct store *s, const struct registry_config *config,
                              struct event_sink *events, struct cancel *c)
{
    struct registry *r = g_new0(struct registry, 1);
    r->store = s;
    r->config = config;
    r->events = events;
    r->cancel = c;
    struct http_options ho = {.trust = config ? &config->trust : NULL,
                              .proxies = config ? &config->proxies : NULL,
                              .stall_s = config ? config->stall_s : 0};
    r->http = http_client_new(&ho);
    r->auth = auth_new(r->http, config, c);
    g_mutex_init(&r->lock);
    r->insecure = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    r->plain = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return r;
}

void registry_free(struct registry *r)
{
    if (!r)
        return;
    auth_free(r->auth);
    http_client_free(r->http);
    g_hash_table_unref(r->insecure);
    g_hash_table_unref(r->plain);
    g_mutex_clear(&r->lock);
    g_free(r);
}

void registry_allow_insecure(struct registry *r, const char *domain)
{
    g_hash_table_add(r->insecure, g_strdup(domain));
}

/* Does something over one route. */
typedef gboolean (*route_fn)(const struct errand *e, gpointer ctx, GError **err);

/* "…reason" becomes "…reason; its mirror m did not help: …". */
static void add_notes(GError **err, const GString *notes)
{
    if (!err || !*err || notes->len == 0)
        return;
    char *whole = g_strconcat((*err)->message, notes->str, NULL);
    g_free((*err)->message);
    (*err)->message = whole;
}

static void note_mirror(GString *notes, const struct errand *e, const GError *why)
{
    const char *text = why->message;
    g_autofree char *prefix = g_strdup_printf("cannot %s: ", e->doing);
    if (g_str_has_prefix(text, prefix))
        text += strlen(prefix);
    g_string_append_printf(notes, "; its mirror %s failed too: %s", e->route->name, text);
}

/* Tries ref's routes in turn until fn succeeds. */
static gboolean over_routes(struct registry *r, const struct reference *ref, route_fn fn,
                            gpointer ctx, GError **err)
{
    g_autoptr(GPtrArray) routes =
        client_routes(r, ref->domain, ref->path, ref->digest != NULL, FALSE, err);
    g_autofree char *name = reference_familiar(ref);
    g_autofree char *doing = g_strconcat("pull ", name, NULL);
    g_autoptr(GString) notes = g_string_new(NULL);
    for (guint i = 0; routes && i < routes->len; i++) {
        const struct route *route = g_ptr_array_index(routes, i);
        g_autofree char *scope = client_scope(route->repository, "pull");
        struct errand e = {.r = r, .route = route, .doing = doing, .scopes = scope};
        GError *why = NULL;
        if (fn(&e, ctx, &why))
            return TRUE;
        if (!route->mirror || g_error_matches(why, VARVE_ERROR, VARVE_ERROR_CANCELLED)) {
            add_notes(&why, notes);
            g_propagate_error(err, why);
            return FALSE;
        }
        note_mirror(notes, &e, why);
        g_error_free(why);
    }
    return FALSE;
}

struct resolving {
    const struct reference *ref;
    const struct platform *platform;
    struct resolved *out;
};

static gboolean parse_reference_digest(const struct reference *ref, struct digest *out,
                                       GError **err)
{
    if (digest_parse(out, ref->digest, NULL))
        return TRUE;
    return error_set(err, VARVE_ERROR_UNSUPPORTED,
                     "cannot pull %s@%s: only sha256 digests are supported", ref->path,
                     ref->digest);
}

/* What ref names: from the store when the server's digest says that it is there. */
static gboolean take_top(const struct errand *e, const struct reference *ref, struct document *out,
                         GError **err)
{
    struct digest d;
    gboolean known = ref->digest != NULL;
    if (known ? !parse_reference_digest(ref, &d, err) : !fetch_digest(e, ref->tag, &d, &known, err))
        return FALSE;
    if (!known)
        return fetch_document(e, ref->tag, NULL, out, err);
    if (stored_document(e->r->store, &d, out))
        return TRUE;
    g_autofree char *text = digest_text(&d);
    return fetch_document(e, text, &d, out, err);
}

static gboolean lacks_platform(const struct errand *e, const struct manifest *index,
                               const struct platform *p, GError **err)
{
    g_autofree char *want = platform_text(p);
    g_autofree char *offers = manifest_platforms(index);
    error_set(err, VARVE_ERROR_NOT_FOUND, "cannot %s: there is no image for %s; it offers %s",
              e->doing, want, offers && *offers ? offers : "no platform at all");
    error_add_next(err, "choose another with --platform, or another image");
    return FALSE;
}

static gboolean take_child(const struct errand *e, const struct descriptor *d, struct document *out,
                           GError **err)
{
    if (stored_document(e->r->store, &d->digest, out))
        return TRUE;
    g_autofree char *text = digest_text(&d->digest);
    return fetch_document(e, text, &d->digest, out, err);
}

/* Descends from an index to the platform's manifest. */
static gboolean descend(const struct errand *e, struct document *doc, const struct platform *p,
                        GError **err)
{
    for (guint depth = 0; doc->manifest->is_index; depth++) {
        const struct descriptor *d = manifest_choose(doc->manifest, p);
        struct document child = {0};
        if (!d)
            return lacks_platform(e, doc->manifest, p, err);
        if (depth == MAX_NESTING) {
            error_set(err, VARVE_ERROR_INVALID, "its indexes are nested too deeply");
            client_prefix(e, err);
            return FALSE;
        }
        if (!take_child(e, d, &child, err))
            return FALSE;
        document_clear(doc);
        *doc = child;
    }
    return TRUE;
}

/* A layer that is unpacked already is not fetched; but a push may need its blob. */
static void note_origins(const struct errand *e, const struct manifest *m)
{
    for (guint i = 0; i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        if (!store_blob_has(e->r->store, &d->digest, NULL))
            origin_add(e->r->store, &d->digest, e->route->name, e->route->repository);
    }
}

static gboolean resolve_at(const struct errand *e, gpointer ctx, GError **err)
{
    struct resolving *rs = ctx;
    g_auto(document) doc = {0};
    if (!take_top(e, rs->ref, &doc, err))
        return FALSE;
    rs->out->target = doc.digest;
    if (!descend(e, &doc, rs->platform, err))
        return FALSE;
    if (!manifest_check_image(doc.manifest, err)) {
        client_prefix(e, err);
        return FALSE;
    }
    const struct descriptor *config = &doc.manifest->config;
    if (config->size > MAX_DOCUMENT) {
        error_set(err, VARVE_ERROR_INVALID, "its config is larger than 4 MiB");
        client_prefix(e, err);
        return FALSE;
    }
    rs->out->manifest = doc.digest;
    rs->out->config = config->digest;
    note_origins(e, doc.manifest);
    return fetch_blob(e, config, NULL, err);
}

gboolean registry_resolve(struct registry *r, const struct reference *ref, const struct platform *p,
                          struct resolved *out, GError **err)
{
    struct resolving rs = {ref, p, out};
    return over_routes(r, ref, resolve_at, &rs, err);
}

/* Layers come from where their manifest may have come from: mirrors too, digest-only ones included.
 */
struct registry_source {
    struct blob_source base;
    struct registry *r;
    struct reference *ref; /* only its repository matters; NULL: any that had the blob */
};

/* One blob, and who watches it come. */
struct wanted_blob {
    const struct descriptor *d;
    struct blob_tap *tap; /* or NULL */
};

static gboolean fetch_blob_at(const struct errand *e, gpointer ctx, GError **err)
{
    struct wanted_blob *w = ctx;
    return fetch_blob(e, w->d, w->tap, err);
}

static gboolean source_fetch_tapped(struct blob_source *self, const struct descriptor *d,
                                    struct blob_tap *tap, GError **err)
{
    struct registry_source *s = (struct registry_source *)self;
    struct wanted_blob w = {d, tap};
    if (store_blob_has(s->r->store, &d->digest, NULL))
        return TRUE;
    return over_routes(s->r, s->ref, fetch_blob_at, &w, err);
}

static gboolean source_fetch(struct blob_source *self, const struct descriptor *d, GError **err)
{
    return source_fetch_tapped(self, d, NULL, err);
}

struct blob_source *registry_blob_source(struct registry *r, const struct reference *ref)
{
    struct registry_source *s = g_new0(struct registry_source, 1);
    s->base.fetch = source_fetch;
    s->base.fetch_tapped = source_fetch_tapped;
    s->r = r;
    s->ref = g_new0(struct reference, 1);
    s->ref->domain = g_strdup(ref->domain);
    s->ref->path = g_strdup(ref->path);
    s->ref->tag = g_strdup(ref->tag);
    s->ref->digest = g_strdup(ref->digest);
    return &s->base;
}

static gboolean origin_fetch_tapped(struct blob_source *self, const struct descriptor *d,
                                    struct blob_tap *tap, GError **err)
{
    struct registry *r = ((struct registry_source *)self)->r;
    return store_blob_has(r->store, &d->digest, NULL) || fetch_from_origins(r, d, tap, err);
}

static gboolean origin_fetch(struct blob_source *self, const struct descriptor *d, GError **err)
{
    return origin_fetch_tapped(self, d, NULL, err);
}

struct blob_source *registry_origin_source(struct registry *r)
{
    struct registry_source *s = g_new0(struct registry_source, 1);
    s->base.fetch = origin_fetch;
    s->base.fetch_tapped = origin_fetch_tapped;
    s->r = r;
    return &s->base;
}

void registry_blob_source_free(struct blob_source *b)
{
    struct registry_source *s = (struct registry_source *)b;
    if (!s)
        return;
    reference_free(s->ref);
    g_free(s);
}

/* Docker Hub has many names. */
static const char *login_host(const char *host)
{
    gboolean hub = !*host || strcmp(host, "index.docker.io") == 0 ||
                   strcmp(host, "registry-1.docker.io") == 0 ||
                   strcmp(host, "hub.docker.com") == 0 ||
                   g_str_has_prefix(host, "https://index.docker.io/");
    return hub ? HUB : host;
}

gboolean registry_login(struct registry *r, const char *host, const char *username,
                        const char *secret, GError **err)
{
    host = login_host(host);
    g_autoptr(GPtrArray) routes = client_routes(r, host, "", FALSE, TRUE, err);
    if (!routes)
        return FALSE;
    g_autofree char *doing = g_strconcat("log in to ", host, NULL);
    struct errand e = {.r = r, .route = g_ptr_array_index(routes, 0), .doing = doing, .scopes = ""};
    struct http_request rq = {.method = "GET"};
    g_auto(http_response) a;
    http_response_init(&a);
    auth_set_login(r->auth, host, username, secret);
    if (!client_send(&e, &rq, "/v2/", NULL, NULL, &a, err))
        return FALSE;
    if (a.status != 200)
        return client_refuse(&e, &a, NULL, err);
    return credential_store(r->config, host, username, secret, r->cancel, err);
}

gboolean registry_logout(struct registry *r, const char *host, gboolean *found, GError **err)
{
    return credential_erase(r->config, login_host(host), found, r->cancel, err);
}
