#include "text/giturl.h"

#include "base/boolean.h"
#include "base/error.h"

#include <string.h>

gboolean giturl_is_commit(const char *text)
{
    gsize n = strspn(text, "0123456789abcdef");
    return text[n] == '\0' && (n == 40 || n == 64);
}

void giturl_free(struct giturl *g)
{
    if (!g)
        return;
    g_free(g->remote);
    g_free(g->name);
    g_free(g->ref);
    g_free(g->checksum);
    g_free(g->subdir);
    g_free(g);
}

/* "user@host:path": no scheme, and only characters a user and a host can have before the colon. */
static gboolean is_scp_style(const char *text)
{
    gsize user = 0, host = 0;
    while (g_ascii_isalnum(text[user]) || (text[user] && strchr("-_", text[user])))
        user++;
    if (user == 0 || text[user] != '@')
        return FALSE;
    const char *p = text + user + 1;
    while (g_ascii_isalnum(p[host]) || (p[host] && strchr("-.", p[host])))
        host++;
    return host > 0 && p[host] == ':';
}

enum form { FORM_NONE, FORM_WEB, FORM_OTHER, FORM_SCP, FORM_GITHUB };

static enum form form_of(const char *text)
{
    if (g_str_has_prefix(text, "github.com/"))
        return FORM_GITHUB;
    if (g_ascii_strncasecmp(text, "http://", 7) == 0 ||
        g_ascii_strncasecmp(text, "https://", 8) == 0)
        return FORM_WEB;
    if (g_ascii_strncasecmp(text, "git://", 6) == 0 || g_ascii_strncasecmp(text, "ssh://", 6) == 0)
        return FORM_OTHER;
    return is_scp_style(text) ? FORM_SCP : FORM_NONE;
}

static gboolean conflict(const char *what, const char *a, const char *b, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "%s is given twice: \"%s\" and \"%s\"", what, a, b);
}

static gboolean set_once(char **field, const char *what, const char *value, GError **err)
{
    if (*field && strcmp(*field, value) != 0)
        return conflict(what, *field, value, err);
    g_free(*field);
    *field = g_strdup(value);
    return TRUE;
}

static gboolean set_ref(struct giturl *g, const char *prefix, const char *value, GError **err)
{
    g_autofree char *full =
        g_str_has_prefix(value, prefix) ? g_strdup(value) : g_strconcat(prefix, value, NULL);
    return set_once(&g->ref, "the ref", full, err);
}

static gboolean set_choice(enum git_choice *choice, const char *key, const char *value,
                           GError **err)
{
    gboolean on = TRUE;
    if (*value && !boolean_parse(value, &on))
        return error_set(err, VARVE_ERROR_INVALID, "%s=%s is neither true nor false", key, value);
    *choice = on ? GIT_YES : GIT_NO;
    return TRUE;
}

static gboolean set_flag(gboolean *flag, const char *key, const char *value, GError **err)
{
    enum git_choice choice = GIT_UNSET;
    if (!set_choice(&choice, key, value, err))
        return FALSE;
    *flag = choice == GIT_YES;
    return TRUE;
}

static gboolean set_times(struct giturl *g, const char *value, GError **err)
{
    if (strcmp(value, "commit") != 0 && strcmp(value, "checkout") != 0)
        return error_set(err, VARVE_ERROR_INVALID, "mtime=%s is neither commit nor checkout",
                         value);
    g->commit_times = strcmp(value, "commit") == 0 ? GIT_YES : GIT_NO;
    return TRUE;
}

/* Which of the keys has been seen, to refuse repetitions. */
struct query_state {
    GHashTable *seen;
    gboolean tag, branch;
};

static gboolean set_query_key(struct giturl *g, struct query_state *q, const char *key,
                              const char *value, GError **err)
{
    if (!g_hash_table_add(q->seen, g_strdup(key)))
        return error_set(err, VARVE_ERROR_INVALID, "the query key \"%s\" is given twice", key);
    if (strcmp(key, "keep-git-dir") == 0)
        return set_choice(&g->keep_git_dir, key, value, err);
    if (strcmp(key, "submodules") == 0)
        return set_choice(&g->submodules, key, value, err);
    if (strcmp(key, "fetch-by-commit") == 0)
        return set_flag(&g->by_commit, key, value, err);
    static const char *const with_value[] = {"ref",      "tag",    "branch", "subdir",
                                             "checksum", "commit", "mtime",  NULL};
    if (!g_strv_contains(with_value, key))
        return error_set(
            err, VARVE_ERROR_INVALID,
            "unknown query key \"%s\"; known are ref, tag, branch, subdir, checksum, commit, "
            "mtime, fetch-by-commit, keep-git-dir and submodules",
            key);
    if (!*value)
        return error_set(err, VARVE_ERROR_INVALID, "the query key \"%s\" has no value", key);
    if (strcmp(key, "subdir") == 0)
        return set_once(&g->subdir, "the subdirectory", value, err);
    if (strcmp(key, "mtime") == 0)
        return set_times(g, value, err);
    if (strcmp(key, "ref") == 0)
        return set_once(&g->ref, "the ref", value, err);
    if (strcmp(key, "checksum") == 0 || strcmp(key, "commit") == 0)
        return set_once(&g->checksum, "the commit", value, err);
    q->tag |= strcmp(key, "tag") == 0;
    q->branch |= strcmp(key, "branch") == 0;
    if (q->tag && q->branch)
        return error_set(err, VARVE_ERROR_INVALID,
                         "a tag and a branch are given; only one can be fetched");
    return set_ref(g, *key == 't' ? "refs/tags/" : "refs/heads/", value, err);
}

static gboolean load_query(struct giturl *g, const char *query, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    struct query_state q = {.seen = seen};
    g_auto(GStrv) pairs = g_strsplit(query, "&", 64);
    for (char **p = pairs; *p; p++) {
        if (!**p)
            continue;
        char *eq = strchr(*p, '=');
        g_autofree char *raw_key = eq ? g_strndup(*p, eq - *p) : g_strdup(*p);
        g_autofree char *key = g_uri_unescape_string(raw_key, NULL);
        g_autofree char *value = g_uri_unescape_string(eq ? eq + 1 : "", NULL);
        if (!key || !value)
            return error_set(err, VARVE_ERROR_INVALID, "the query \"%s\" is malformed", query);
        if (!set_query_key(g, &q, key, value, err))
            return FALSE;
    }
    if (g->by_commit && !(g->checksum && giturl_is_commit(g->checksum)))
        return error_set(err, VARVE_ERROR_INVALID,
                         "fetch-by-commit needs a whole commit id: commit=<40 digits>");
    return TRUE;
}

static void load_fragment(struct giturl *g, const char *fragment)
{
    const char *colon = strchr(fragment, ':');
    gsize n = colon ? (gsize)(colon - fragment) : strlen(fragment);
    if (n > 0)
        g->ref = g_strndup(fragment, n);
    if (colon && colon[1])
        g->subdir = g_strdup(colon + 1);
}

/* git has its helpers for protocols under lower-case names only. */
static void lower_scheme(char *url)
{
    const char *end = strstr(url, "://");
    for (char *c = url; end && c < end; c++)
        *c = g_ascii_tolower(*c);
}

static enum giturl_result parse_giturl(const char *text, gboolean any_path, struct giturl **out,
                                       GError **err)
{
    enum form form = form_of(text);
    if (form == FORM_NONE || g_str_has_prefix(text, "./") || g_str_has_prefix(text, "../"))
        return GITURL_NONE;
    g_autoptr(giturl) g = g_new0(struct giturl, 1);
    const char *hash = strchr(text, '#');
    g_autofree char *base = hash ? g_strndup(text, hash - text) : g_strdup(text);
    char *query = strchr(base, '?');
    if (query)
        *query++ = '\0';
    if (form == FORM_WEB && !any_path && !g_str_has_suffix(base, ".git"))
        return GITURL_NONE;
    g->local_like = form == FORM_GITHUB;
    g->remote = g_strconcat(g->local_like ? "https://" : "", base, NULL);
    lower_scheme(g->remote);
    g->unencrypted =
        g_ascii_strncasecmp(base, "http://", 7) == 0 || g_ascii_strncasecmp(base, "git://", 6) == 0;
    g_autofree char *last =
        g_path_get_basename(strrchr(base, ':') && form == FORM_SCP ? strrchr(base, ':') + 1 : base);
    g->name = g_str_has_suffix(last, ".git") ? g_strndup(last, strlen(last) - 4) : g_strdup(last);
    if (hash)
        load_fragment(g, hash + 1);
    if (query && !load_query(g, query, err)) {
        g_prefix_error(err, "invalid git URL \"%s\": ", text);
        return GITURL_BAD;
    }
    if (g->checksum && !g->ref && giturl_is_commit(g->checksum))
        g->ref = g_strdup(g->checksum);
    *out = g_steal_pointer(&g);
    return GITURL_OK;
}

enum giturl_result giturl_parse(const char *text, struct giturl **out, GError **err)
{
    return parse_giturl(text, FALSE, out, err);
}

enum giturl_result giturl_parse_any(const char *text, struct giturl **out, GError **err)
{
    return parse_giturl(text, TRUE, out, err);
}

gboolean giturl_is_web(const char *text)
{
    return g_str_has_prefix(text, "http://") || g_str_has_prefix(text, "https://");
}
