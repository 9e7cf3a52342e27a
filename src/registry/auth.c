#include "registry/auth.h"

#include "base/error.h"
#include "registry/answer.h"

#include <jansson.h>
#include <string.h>

#define MAX_TOKEN (64 * 1024)
#define MAX_ANSWER (1024 * 1024)
#define DEFAULT_LIFE_S 60
#define MAX_LIFE_S 86400

struct token {
    char *text;
    gint64 expires; /* monotonic microseconds */
};
/* What is known about one host. */
struct auth_host {
    GMutex lock;
    struct challenge challenge;
    GHashTable *tokens;      /* scopes → struct token* */
    GHashTable *credentials; /* repository → struct credential* */
};
struct auth {
    struct http_client *http;
    const struct registry_config *config; /* may be NULL */
    struct cancel *cancel;                /* may be NULL */
    GMutex lock;
    GHashTable
        *hosts; /* name → struct auth_host*; guarded by lock, entries live as long as the table */
    GHashTable *logins; /* host → struct credential*; set before use */
};

static void token_free(struct token *t)
{
    g_free(t->text);
    g_free(t);
}

static void auth_host_free(struct auth_host *h)
{
    challenge_clear(&h->challenge);
    g_hash_table_unref(h->tokens);
    g_hash_table_unref(h->credentials);
    g_mutex_clear(&h->lock);
    g_free(h);
}

struct auth *auth_new(struct http_client *http, const struct registry_config *config,
                      struct cancel *c)
{
    struct auth *a = g_new0(struct auth, 1);
    a->http = http;
    a->config = config;
    a->cancel = c;
    g_mutex_init(&a->lock);
    a->hosts =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)auth_host_free);
    a->logins =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)credential_free);
    return a;
}

void auth_free(struct auth *a)
{
    if (!a)
        return;
    g_hash_table_unref(a->hosts);
    g_hash_table_unref(a->logins);
    g_mutex_clear(&a->lock);
    g_free(a);
}

void auth_set_login(struct auth *a, const char *host, const char *username, const char *secret)
{
    struct credential *c = g_new0(struct credential, 1);
    c->username = g_strdup(username);
    c->secret = g_strdup(secret);
    c->source = g_strdup("the one given");
    g_hash_table_replace(a->logins, g_strdup(host), c);
}

void auth_grant_clear(struct auth_grant *g)
{
    g_clear_pointer(&g->header, g_free);
}

static struct auth_host *find_host(struct auth *a, const struct route *route)
{
    g_mutex_lock(&a->lock);
    struct auth_host *h = g_hash_table_lookup(a->hosts, route->host);
    if (!h) {
        h = g_new0(struct auth_host, 1);
        g_mutex_init(&h->lock);
        h->tokens =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)token_free);
        h->credentials =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)credential_free);
        g_hash_table_insert(a->hosts, g_strdup(route->host), h);
    }
    g_mutex_unlock(&a->lock);
    return h;
}

/* With h locked; looked up once. */
static const struct credential *find_credential(struct auth *a, struct auth_host *h,
                                                const struct route *route)
{
    struct credential *c = g_hash_table_lookup(a->logins, route->name);
    if (!c)
        c = g_hash_table_lookup(h->credentials, route->repository);
    if (!c) {
        c = credential_find(a->config, route->name, route->repository, a->cancel);
        g_hash_table_insert(h->credentials, g_strdup(route->repository), c);
    }
    return c;
}

char *auth_login_text(struct auth *a, const struct route *route)
{
    struct auth_host *h = find_host(a, route);
    g_mutex_lock(&h->lock);
    const struct credential *c = find_credential(a, h, route);
    char *text = c->source    ? g_strdup_printf("the login used is from %s", c->source)
                 : c->problem ? g_strdup_printf("no login was found: %s", c->problem)
                              : g_strdup("no login was found");
    g_mutex_unlock(&h->lock);
    return text;
}

static char *basic_header(const struct credential *c)
{
    g_autofree char *plain = g_strconcat(c->username, ":", c->secret, NULL);
    g_autofree char *coded = g_base64_encode((const guchar *)plain, strlen(plain));
    explicit_bzero(plain, strlen(plain));
    return g_strconcat("Basic ", coded, NULL);
}

/* A token becomes part of a header line: nothing but visible ASCII. */
static gboolean valid_token(const char *t)
{
    for (const char *p = t; *p; p++)
        if (!g_ascii_isgraph(*p))
            return FALSE;
    return *t && strlen(t) <= MAX_TOKEN;
}

/* Keeps what the token server answered; NULL when it holds no token. */
static struct token *parse_token(const struct http_response *answer)
{
    json_t *root = json_loadb((const char *)answer->body->data, answer->body->len, 0, NULL);
    const char *text = json_string_value(json_object_get(root, "token"));
    if (!text || !*text)
        text = json_string_value(json_object_get(root, "access_token"));
    json_t *expires = json_object_get(root, "expires_in");
    gint64 life = json_is_number(expires) ? (gint64)CLAMP(json_number_value(expires), 0, MAX_LIFE_S)
                                          : DEFAULT_LIFE_S;
    struct token *t = NULL;
    if (text && valid_token(text)) {
        t = g_new0(struct token, 1);
        t->text = g_strdup(text);
        /* Used for nine tenths of its life, so that it does not run out on the way. */
        t->expires = g_get_monotonic_time() + life * G_USEC_PER_SEC * 9 / 10;
    }
    json_decref(root);
    return t;
}

static void add_form(GString *form, const char *name, const char *value)
{
    g_autofree char *coded = g_uri_escape_string(value, NULL, FALSE);
    g_string_append_printf(form, "%s%s=%s", form->len ? "&" : "", name, coded);
}

/* The OAuth2 way, for identity tokens. */
static char *make_form(const struct challenge *ch, const char *scopes, const struct credential *c)
{
    GString *form = g_string_new(NULL);
    add_form(form, "grant_type", "refresh_token");
    add_form(form, "service", ch->service ? ch->service : "");
    add_form(form, "client_id", "varve");
    if (*scopes)
        add_form(form, "scope", scopes);
    add_form(form, "refresh_token", c->identity_token);
    return g_string_free(form, FALSE);
}

static void add_get_query(struct url *u, const struct challenge *ch, const char *scopes,
                          const struct credential *c)
{
    g_auto(GStrv) list = g_strsplit(scopes, " ", -1);
    if (ch->service)
        url_add_query(u, "service", ch->service);
    for (char **s = list; *s; s++)
        if (**s)
            url_add_query(u, "scope", *s);
    if (c->username)
        url_add_query(u, "account", c->username);
}

static gboolean refuse_token(const struct http_response *answer, const struct url *realm,
                             const struct credential *c, struct auth_grant *out, GError **err)
{
    g_autofree char *status = http_status_text(answer->status);
    g_autofree char *reason = answer_reason(answer);
    const char *colon = reason ? ": " : "", *why = reason ? reason : "";
    out->retry_after_s = answer->retry_after_s;
    out->temporary = answer->status == 429 || answer->status >= 500;
    if (out->temporary)
        return error_set(err, VARVE_ERROR_OUTSIDE, "its token server %s answered %s%s%s",
                         realm->host, status, colon, why);
    if (answer->status == 401 || answer->status == 403 || answer->status == 400)
        return error_set(err, VARVE_ERROR_DENIED,
                         "its token server %s refuses %s: it answered %s%s%s", realm->host,
                         credential_is_empty(c) ? "to serve without a login" : "the login", status,
                         colon, why);
    return error_set(err, VARVE_ERROR_INVALID, "its token server %s answered %s%s%s", realm->host,
                     status, colon, why);
}

static struct url *realm_url(const struct route *route, const struct challenge *ch, GError **err)
{
    g_autoptr(url) u = url_parse(ch->realm ? ch->realm : "", err);
    if (!u) {
        g_prefix_error(err, "it names a bad token server: ");
        return NULL;
    }
    gboolean loopback = url_host_is_loopback(u->host) && url_host_is_loopback(route->host);
    if (u->tls || route->insecure || loopback)
        return g_steal_pointer(&u);
    error_set(err, VARVE_ERROR_INVALID,
              "its token server %s does not use TLS, so no login is sent to it", u->host);
    return NULL;
}

/* With h locked. */
static struct token *fetch_token(struct auth *a, struct auth_host *h, const struct route *route,
                                 const char *scopes, struct auth_grant *out, GError **err)
{
    const struct credential *c = find_credential(a, h, route);
    g_autoptr(url) u = realm_url(route, &h->challenge, err);
    if (!u)
        return NULL;
    g_autoptr(url) realm = url_copy(u);
    gboolean post = c->identity_token != NULL;
    g_autofree char *form = post ? make_form(&h->challenge, scopes, c) : NULL;
    g_autofree char *basic = !post && c->secret ? basic_header(c) : NULL;
    g_autofree char *line = basic ? g_strconcat("Authorization: ", basic, NULL) : NULL;
    const char *const secrets[] = {line, NULL};
    if (!post)
        add_get_query(u, &h->challenge, scopes, c);
    struct http_request rq = {.method = post ? "POST" : "GET",
                              .url = u,
                              .insecure = route->insecure,
                              .secrets = secrets,
                              .accept = "application/json",
                              .max_body = MAX_ANSWER,
                              .cancel = a->cancel};
    if (post) {
        rq.body = form;
        rq.body_len = strlen(form);
        rq.secret_body = TRUE;
        rq.content_type = "application/x-www-form-urlencoded";
    }
    g_auto(http_response) answer;
    http_response_init(&answer);
    if (!http_exchange(a->http, &rq, &answer, err)) {
        out->temporary = answer.temporary;
        answer_advise_trust(&answer, err);
        g_prefix_error(err, "its token server %s: ", realm->host);
        return NULL;
    }
    if (answer.status != 200) {
        refuse_token(&answer, realm, c, out, err);
        return NULL;
    }
    struct token *t = parse_token(&answer);
    if (!t)
        error_set(err, VARVE_ERROR_INVALID, "the answer of its token server %s has no token",
                  realm->host);
    return t;
}

/* With h locked. */
static gboolean take_bearer(struct auth *a, struct auth_host *h, const struct route *route,
                            const char *scopes, struct auth_grant *out, GError **err)
{
    const struct credential *c = find_credential(a, h, route);
    struct token *t = g_hash_table_lookup(h->tokens, scopes);
    if (c->registry_token && valid_token(c->registry_token)) {
        out->header = g_strconcat("Bearer ", c->registry_token, NULL);
        out->fresh = TRUE;
        return TRUE;
    }
    if (!t || t->expires <= g_get_monotonic_time()) {
        t = fetch_token(a, h, route, scopes, out, err);
        if (!t)
            return FALSE;
        g_hash_table_replace(h->tokens, g_strdup(scopes), t);
        out->fresh = TRUE;
    }
    out->header = g_strconcat("Bearer ", t->text, NULL);
    return TRUE;
}

static gboolean take_basic(struct auth *a, struct auth_host *h, const struct route *route,
                           struct auth_grant *out, GError **err)
{
    const struct credential *c = find_credential(a, h, route);
    if (!c->secret)
        return error_set(err, VARVE_ERROR_DENIED,
                         "it answered 401 (unauthorized): it wants a user name and password");
    out->header = basic_header(c);
    out->fresh = TRUE;
    return TRUE;
}

gboolean auth_take(struct auth *a, const struct route *route, const char *scopes,
                   struct auth_grant *out, GError **err)
{
    struct auth_host *h = find_host(a, route);
    gboolean ok = TRUE;
    memset(out, 0, sizeof *out);
    out->retry_after_s = -1;
    g_mutex_lock(&h->lock);
    if (h->challenge.scheme == CHALLENGE_BEARER)
        ok = take_bearer(a, h, route, scopes, out, err);
    else if (h->challenge.scheme == CHALLENGE_BASIC)
        ok = take_basic(a, h, route, out, err);
    g_mutex_unlock(&h->lock);
    return ok;
}

static gboolean is_token(const struct token *t, const char *header)
{
    return header && g_str_has_prefix(header, "Bearer ") &&
           strcmp(header + strlen("Bearer "), t->text) == 0;
}

gboolean auth_refused(struct auth *a, const struct route *route, const char *scopes,
                      const char *header, const struct challenge *challenge)
{
    struct auth_host *h = find_host(a, route);
    if (challenge->scheme == CHALLENGE_NONE ||
        (challenge->scheme == CHALLENGE_BEARER && !challenge->realm))
        return FALSE;
    g_mutex_lock(&h->lock);
    challenge_clear(&h->challenge);
    h->challenge.scheme = challenge->scheme;
    h->challenge.realm = g_strdup(challenge->realm);
    h->challenge.service = g_strdup(challenge->service);
    struct token *t = g_hash_table_lookup(h->tokens, scopes);
    if (t && is_token(t, header))
        g_hash_table_remove(h->tokens, scopes);
    g_mutex_unlock(&h->lock);
    return TRUE;
}
