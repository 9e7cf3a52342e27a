/* Options with simple values: names, arguments, platforms, policies, the context. */
#include "build/values.h"

#include "base/boolean.h"
#include "base/error.h"
#include "base/suggest.h"
#include "text/giturl.h"

#include <stdlib.h>
#include <string.h>

gboolean build_is_off(const char *value)
{
    return !value || g_str_equal(value, "false") || g_str_equal(value, "0");
}

gboolean build_add_tag(struct build_request *r, const char *text, GError **err)
{
    g_autoptr(reference) ref = reference_parse(text, err);
    if (ref && ref->digest)
        error_set(err, VARVE_ERROR_USAGE, "%s: a tag cannot contain a digest", text);
    if (!ref || ref->digest) {
        g_prefix_error(err, "-t %s: ", text);
        error_as_usage(err);
        return FALSE;
    }
    if (!r->name)
        r->name = g_strdup(text);
    g_ptr_array_insert(r->tags, (int)r->tags->len - 1, reference_text(ref));
    return TRUE;
}

gboolean build_add_arg(struct build_request *r, const char *text, char **env, GError **err)
{
    gsize len = strcspn(text, "=");
    if (len == 0)
        return error_set(err, VARVE_ERROR_USAGE, "--build-arg %s: no name", text);
    char *name = g_strndup(text, len);
    const char *value = text[len] ? text + len + 1 : g_environ_getenv(env, name);
    if (value)
        g_hash_table_insert(r->build_args, g_strdup(name), g_strdup(value));
    g_ptr_array_add(r->given_args, name);
    return TRUE;
}

/* A built-in argument of Docker's builder that changes its output in a way this version cannot. */
void build_note_ignored_args(const struct build_request *r, struct event_sink *events)
{
    static const char name[] = "BUILDKIT_INLINE_CACHE";
    const char *value = g_hash_table_lookup(r->build_args, name);
    if (value && *value && !build_is_off(value))
        event_note(events, "--build-arg %s=%s has no effect in this version", name, value);
}

void build_inherit_epoch(struct build_request *r, char **env)
{
    static const char name[] = "SOURCE_DATE_EPOCH";
    const char *text = g_environ_getenv(env, name);
    if (text && *text && !g_hash_table_contains(r->build_args, name))
        g_hash_table_insert(r->build_args, g_strdup(name), g_strdup(text));
}

void build_inherit_proxies(struct build_request *r, char **lines)
{
    for (char **l = lines; *l; l += 2) {
        gsize len = strcspn(*l, "=");
        g_autofree char *upper = g_strndup(l[0], len), *lower = g_strndup(l[1], len);
        if (g_hash_table_contains(r->build_args, upper) ||
            g_hash_table_contains(r->build_args, lower))
            continue;
        g_hash_table_insert(r->build_args, g_steal_pointer(&upper), g_strdup(l[0] + len + 1));
        g_hash_table_insert(r->build_args, g_steal_pointer(&lower), g_strdup(l[1] + len + 1));
    }
}

gboolean build_set_labels(struct build_request *r, char **labels, GError **err)
{
    for (char **l = labels; l && *l; l++)
        if (!**l || **l == '=')
            return error_set(err, VARVE_ERROR_USAGE, "--label \"%s\": no name", *l);
    g_strfreev(r->labels);
    r->labels = g_strdupv(labels);
    return TRUE;
}

gboolean build_set_network(struct build_request *r, const char *text, GError **err)
{
    static const char *const names[] = {"default", "none", "host", NULL};
    static const enum net_mode modes[] = {NET_DEFAULT, NET_NONE, NET_HOST};
    for (guint i = 0; names[i]; i++) {
        if (text && *text && !g_str_equal(text, names[i]))
            continue;
        r->network = modes[i];
        return TRUE;
    }
    return suggest_choice("--network ", text, names, err);
}

gboolean build_set_pull(struct build_request *r, const char *text, GError **err)
{
    return pull_policy_parse("--pull=", text, &r->pull, err);
}

gboolean build_allow(struct build_request *r, const char *text, GError **err)
{
    static const char *const names[] = {"network.host", "security.insecure", NULL};
    if (g_str_equal(text, names[0]))
        r->allow_host_network = TRUE;
    else if (g_str_equal(text, names[1]))
        r->allow_insecure = TRUE;
    else
        return suggest_choice("--allow ", text, names, err);
    return TRUE;
}

gboolean build_set_call(struct build_request *r, const char *text, GError **err)
{
    static const struct {
        const char *name;
        enum build_call call;
    } calls[] = {{"build", CALL_BUILD},
                 {"check", CALL_CHECK},
                 {"lint", CALL_CHECK},
                 {"outline", CALL_OUTLINE},
                 {"targets", CALL_TARGETS}};
    g_auto(GStrv) parts = g_strsplit(text ? text : "build", ",", 3);
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        if (g_strcmp0(parts[0], calls[i].name) != 0)
            continue;
        r->call = calls[i].call;
        if (parts[0] && parts[1])
            r->call_json = g_str_equal(parts[1], "format=json");
        if (parts[1] && (parts[2] || (!r->call_json && !g_str_equal(parts[1], "format=text"))))
            break;
        return TRUE;
    }
    return error_set(
        err, VARVE_ERROR_USAGE,
        "--call=%s: must be build, check, outline or targets, optionally with ,format=json",
        text ? text : "");
}

void build_set_filters(struct build_request *r, char **lists)
{
    g_autofree char *all = lists ? g_strjoinv(",", lists) : NULL;
    g_strfreev(r->no_cache_filter);
    r->no_cache_filter = all ? g_strsplit(all, ",", -1) : NULL;
}

static gboolean has_platform(const struct build_request *r, const struct platform *p)
{
    for (guint i = 0; i < r->platforms->len; i++)
        if (platform_equal(&g_array_index(r->platforms, struct platform, i), p))
            return TRUE;
    return FALSE;
}

static gboolean add_platform(struct build_request *r, const char *text, GError **err)
{
    struct platform p;
    g_autofree char *word = g_strstrip(g_strdup(text));
    if (g_ascii_strcasecmp(word, "local") == 0)
        platform_host(&p);
    else if (!platform_parse_known(&p, word, err))
        return FALSE;
    if (r->platforms->len >= BUILD_MAX_PLATFORMS)
        return error_set(err, VARVE_ERROR_USAGE, "more than %d platforms", BUILD_MAX_PLATFORMS);
    if (!has_platform(r, &p))
        g_array_append_val(r->platforms, p);
    return TRUE;
}

/* The argument that decides about the index, as far as it is wrong. */
static gboolean check_multi_platform(const struct build_request *r, GError **err)
{
    static const char name[] = "BUILDKIT_MULTI_PLATFORM";
    const char *text = g_hash_table_lookup(r->build_args, name);
    gboolean on = TRUE;
    if (text && !boolean_parse(text, &on))
        return error_set(err, VARVE_ERROR_USAGE, "--build-arg %s=%s is neither true nor false",
                         name, text);
    if (on || r->platforms->len == 1)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "--build-arg %s=%s: several platforms need an index", name,
              text);
    error_add_next(err, "leave it out, or build one platform at a time");
    return FALSE;
}

static gboolean set_platforms(struct build_request *r, const char *option, char **platforms,
                              GError **err)
{
    g_autofree char *all = platforms ? g_strjoinv(",", platforms) : NULL;
    g_auto(GStrv) words = all ? g_strsplit(all, ",", -1) : NULL;
    if (words && !*words) { /* "" */
        g_strfreev(words);
        words = g_new0(char *, 2);
        words[0] = g_strdup("");
    }
    if (words)
        g_array_set_size(r->platforms, 0);
    for (char **w = words; w && *w; w++)
        if (!add_platform(r, *w, err)) {
            g_prefix_error(err, "%s: ", option);
            return FALSE;
        }
    return check_multi_platform(r, err);
}

gboolean build_choose_platforms(struct build_request *r, const char *option, char **platforms,
                                char **env, GError **err)
{
    static const char name[] = "DOCKER_DEFAULT_PLATFORM";
    const char *preset = g_environ_getenv(env, name);
    char *presets[] = {(char *)preset, NULL};
    if (!platforms && preset && *preset)
        return set_platforms(r, name, presets, err);
    return set_platforms(r, option, platforms, err);
}

void build_inherit_places(struct build_request *r, char **env)
{
    r->ca_bundle = g_strdup(g_environ_getenv(env, "SSL_CERT_FILE"));
    r->ssh_agent = g_strdup(g_environ_getenv(env, "SSH_AUTH_SOCK"));
    r->docker_host = g_strdup(g_environ_getenv(env, "DOCKER_HOST"));
}

/* What the argument is. An archive is only told from other files when it is read. */
static gboolean context_kind_of(const char *context, enum build_context_kind *kind, GError **err)
{
    g_autoptr(giturl) git = NULL;
    gboolean dir = g_file_test(context, G_FILE_TEST_IS_DIR);
    enum giturl_result r = dir ? GITURL_NONE : giturl_parse(context, &git, err);
    if (r == GITURL_BAD)
        return FALSE;
    if (dir)
        *kind = BUILD_CONTEXT_DIR;
    else if (g_str_equal(context, "-"))
        *kind = BUILD_CONTEXT_STDIN;
    else if (r == GITURL_OK)
        *kind = BUILD_CONTEXT_GIT;
    else if (giturl_is_web(context))
        *kind = BUILD_CONTEXT_HTTP;
    else if (g_file_test(context, G_FILE_TEST_IS_REGULAR))
        *kind = BUILD_CONTEXT_ARCHIVE;
    else {
        error_set(err, VARVE_ERROR_USAGE, "the context %s is not a directory", context);
        error_add_next(err,
                       "varve build . builds the directory you are in; -f names the Dockerfile");
        return FALSE;
    }
    return TRUE;
}

gboolean build_set_context(struct build_request *r, const char *text, GError **err)
{
    if (!context_kind_of(text, &r->context_kind, err))
        return FALSE;
    if (r->context_kind == BUILD_CONTEXT_STDIN && g_strcmp0(r->file, "-") == 0)
        return error_set(err, VARVE_ERROR_USAGE,
                         "the context and the Dockerfile cannot both be stdin");
    r->context = g_strdup(text);
    char *real = r->context_kind == BUILD_CONTEXT_DIR ? realpath(text, NULL) : NULL;
    r->context_dir = g_strdup(real);
    free(real);
    return TRUE;
}
