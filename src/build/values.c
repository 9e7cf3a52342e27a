#include "build/values.h"

#include "base/csv.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/shellword.h"
#include "base/suggest.h"
#include "text/giturl.h"
#include "text/reference.h"

#include <errno.h>
#include <string.h>

#define MAX_SECRET (500 * 1024) /* bytes, BuildKit's limit */

/* The value of key in "a=1,b=2", newly allocated; NULL when absent. */
static char *field(char **fields, const char *key)
{
    gsize len = strlen(key);
    for (char **f = fields; *f; f++)
        if (strncmp(*f, key, len) == 0 && (*f)[len] == '=')
            return g_strdup(*f + len + 1);
    return NULL;
}

/* The fields of a flag's value, the keys in lower case. */
static char **split_fields(const char *option, const char *text, GError **err)
{
    char **fields = csv_split(text, err);
    if (!fields) {
        g_prefix_error(err, "%s %s: ", option, text);
        error_as_usage(err);
        return NULL;
    }
    for (char **f = fields; *f; f++)
        for (char *c = *f; *c && *c != '='; c++)
            *c = g_ascii_tolower(*c);
    return fields;
}

static gboolean check_fields(const char *option, char **fields, const char *const *known,
                             GError **err)
{
    for (char **f = fields; *f; f++) {
        g_autofree char *key = g_strndup(*f, strcspn(*f, "="));
        if (!strchr(*f, '=') || !g_strv_contains(known, key)) {
            g_autofree char *all = g_strjoinv(", ", (char **)known);
            error_set(err, VARVE_ERROR_USAGE, "%s: unknown key or value \"%s\"", option, *f);
            error_add_next(err, "the keys are %s, written key=value and separated by commas", all);
            return FALSE;
        }
    }
    return TRUE;
}

/* Where secrets come from, but for files. */
struct outside {
    char **env;
    struct event_sink *events;
};

static GBytes *read_secret(const char *id, const char *src, const char *env,
                           const struct outside *from, GError **err)
{
    const char *value = env || !src ? g_environ_getenv(from->env, env ? env : id) : NULL;
    if (value)
        return g_bytes_new(value, strlen(value));
    if (env && !src) { /* as in Docker: builds of forks have none of their project's secrets */
        event_note(from->events, "--secret id=%s is empty: the environment variable %s is not set",
                   id, env);
        return g_bytes_new_static("", 0);
    }
    GBytes *bytes = fs_read_stream(src ? src : id, MAX_SECRET, err);
    if (!bytes) {
        g_prefix_error(err, "--secret id=%s: ", id);
        suggest_file(src ? src : id, err);
    }
    return bytes;
}

gboolean build_add_secret(struct build_request *r, const char *text, char **environment,
                          struct event_sink *events, GError **err)
{
    static const char *const known[] = {"id", "src", "source", "env", "type", NULL};
    g_auto(GStrv) fields = split_fields("--secret", text, err);
    if (!fields || !check_fields("--secret", fields, known, err))
        return FALSE;
    g_autofree char *id = field(fields, "id"), *type = field(fields, "type"),
                    *env = field(fields, "env");
    g_autofree char *src = field(fields, "src");
    if (!src)
        src = field(fields, "source");
    if (type && !g_str_equal(type, "file") && !g_str_equal(type, "env"))
        return error_set(err, VARVE_ERROR_USAGE, "--secret: type \"%s\" is neither file nor env",
                         type);
    if (type && g_str_equal(type, "env") && src && !env)
        env = g_steal_pointer(&src);
    if (!id) {
        error_set(err, VARVE_ERROR_USAGE, "--secret %s: no id", text);
        error_add_next(err, "write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE");
        return FALSE;
    }
    GBytes *value = read_secret(id, src, env, &(struct outside){environment, events}, err);
    if (!value)
        return FALSE;
    g_hash_table_insert(r->secrets, g_steal_pointer(&id), value);
    return TRUE;
}

gboolean build_add_ssh(struct build_request *r, const char *text, char **env, GError **err)
{
    const char *eq = strchr(text, '=');
    g_autofree char *id = eq ? g_strndup(text, eq - text) : g_strdup(*text ? text : "default");
    const char *path = eq ? eq + 1 : g_environ_getenv(env, "SSH_AUTH_SOCK");
    struct stat st;
    if (g_hash_table_contains(r->ssh, id))
        return error_set(err, VARVE_ERROR_USAGE, "--ssh %s: the id %s is given twice", text, id);
    if (!path || !*path) {
        error_set(err, VARVE_ERROR_USAGE,
                  eq ? "--ssh %s: no socket is named" : "--ssh %s: SSH_AUTH_SOCK is not set", text);
        error_add_next(
            err, "start an agent (eval $(ssh-agent); ssh-add) or name its socket: --ssh %s=SOCKET",
            id);
        return FALSE;
    }
    if (stat(path, &st) < 0)
        return error_set_errno(err, errno, "--ssh %s: %s", text, path);
    if (!S_ISSOCK(st.st_mode)) {
        error_set(err, VARVE_ERROR_UNSUPPORTED, "--ssh %s: %s is not an agent's socket", text,
                  path);
        g_autofree char *word = shell_path(path);
        error_add_next(err, "add the key to an agent (ssh-add %s) and give the agent", word);
        return FALSE;
    }
    g_hash_table_insert(r->ssh, g_steal_pointer(&id), g_strdup(path));
    return TRUE;
}

/* *rest is the value without the prefix that only names the kind. FALSE for a malformed git URL. */
static gboolean context_kind_of(const char *value, enum context_kind *kind, const char **rest,
                                GError **err)
{
    static const struct {
        const char *prefix;
        enum context_kind kind;
    } kinds[] = {{"docker-image://", CONTEXT_IMAGE}, {"oci-layout://", CONTEXT_OCI_LAYOUT}};
    g_autoptr(giturl) git = NULL;
    *rest = value;
    *kind = CONTEXT_LOCAL;
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        if (!g_str_has_prefix(value, kinds[i].prefix))
            continue;
        *rest = value + strlen(kinds[i].prefix);
        *kind = kinds[i].kind;
        return TRUE;
    }
    if (g_file_test(value, G_FILE_TEST_IS_DIR))
        return TRUE;
    enum giturl_result r = giturl_parse(value, &git, err);
    if (r == GITURL_OK)
        *kind = CONTEXT_GIT;
    else if (giturl_is_web(value))
        *kind = CONTEXT_HTTP;
    return r != GITURL_BAD;
}

/* "NAME" or "NAME::PLATFORM": only names of stages and images are ever looked for. */
static gboolean check_context_name(const char *text, GError **err)
{
    const char *at = strstr(text, "::");
    g_autofree char *name = at ? g_strndup(text, at - text) : g_strdup(text);
    struct platform p;
    g_autoptr(reference) ref = reference_parse(name, err);
    if (ref)
        return !at || platform_parse_known(&p, at + 2, err);
    error_as_usage(err);
    return FALSE;
}

static struct named_context *parse_context(const char *text, GError **err)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text || !eq[1]) {
        error_set(err, VARVE_ERROR_USAGE, "--build-context %s: must be NAME=VALUE", text);
        error_add_next(err, "for example --build-context assets=../assets or "
                            "--build-context node:20=docker-image://node:22");
        return NULL;
    }
    const char *rest;
    enum context_kind kind;
    g_autofree char *name = g_strndup(text, eq - text);
    if (!check_context_name(name, err) || !context_kind_of(eq + 1, &kind, &rest, err)) {
        g_prefix_error(err, "--build-context %s: ", name);
        return NULL;
    }
    if (kind == CONTEXT_LOCAL && !g_file_test(rest, G_FILE_TEST_IS_DIR)) {
        error_set(err, VARVE_ERROR_USAGE, "--build-context %s: %s is not a directory", text, rest);
        error_add_next(err,
                       "give a directory, docker-image://REFERENCE, oci-layout://DIRECTORY[:TAG], "
                       "or the URL of a git repository or an archive");
        return NULL;
    }
    struct named_context *c = g_new0(struct named_context, 1);
    c->name = g_steal_pointer(&name);
    c->kind = kind;
    c->value = g_strdup(rest);
    return c;
}

gboolean build_add_context(struct build_request *r, const char *text, GError **err)
{
    struct named_context *c = parse_context(text, err);
    if (c)
        g_ptr_array_add(r->contexts, c);
    return c != NULL;
}

gboolean build_add_link(struct build_request *r, const char *name, const char *build, GError **err)
{
    if (!check_context_name(name, err)) {
        g_prefix_error(err, "context %s: ", name);
        return FALSE;
    }
    struct named_context *c = g_new0(struct named_context, 1);
    c->name = g_strdup(name);
    c->kind = CONTEXT_BUILD;
    c->value = g_strdup(build);
    g_ptr_array_add(r->contexts, c);
    return TRUE;
}

/* How long the "kind:", "kind,kind:" or "kind[platform]:" before an annotation's key is; 0: none.
 */
static gsize annotation_kinds(const char *text)
{
    gsize n = 0;
    do {
        gsize word = strspn(text + n, "abcdefghijklmnopqrstuvwxyz-");
        if (word == 0)
            return 0;
        n += word;
        if (text[n] == '[')
            n += strcspn(text + n, "]=");
        n += text[n] == ']';
    } while (text[n] && text[n] != '=' && text[n++] == ',');
    return n > 0 && text[n - 1] == ':' ? n : 0;
}

gboolean build_add_annotation(struct build_request *r, const char *text, GError **err)
{
    gsize len = annotation_kinds(text);
    g_autofree char *prefix = len ? g_strndup(text, len - 1) : g_strdup("manifest");
    g_auto(GStrv) kinds = g_strsplit(prefix, ",", -1);
    const char *eq = strchr(text + len, '=');
    if (!eq || eq == text + len)
        return error_set(err, VARVE_ERROR_USAGE, "--annotation %s: must be KEY=VALUE", text);
    g_autofree char *key = g_strndup(text + len, eq - (text + len));
    for (char **k = kinds; *k; k++) {
        struct annotation *a = annotation_new(*k, key, eq + 1, err);
        if (!a) {
            g_prefix_error(err, "--annotation %s: ", text);
            return FALSE;
        }
        g_ptr_array_add(r->annotations, a);
    }
    return TRUE;
}

gboolean build_add_cache(struct build_request *r, enum cache_use use, const char *text, char **env,
                         struct event_sink *events, GError **err)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    struct cache_spec *s = cache_spec_parse(use, text, env, notes, err);
    if (!s)
        return FALSE;
    for (guint i = 0; i < notes->len; i++)
        event_note(events, "%s", (const char *)g_ptr_array_index(notes, i));
    if (s->type == CACHE_GHA && (!cache_spec_get(s, "url_v2") || !cache_spec_get(s, "token"))) {
        event_note(events,
                   "%s type=gha has no effect outside of GitHub Actions: ACTIONS_RESULTS_URL and "
                   "ACTIONS_RUNTIME_TOKEN are not set",
                   use == CACHE_READ ? "--cache-from" : "--cache-to");
        cache_spec_free(s);
        return TRUE;
    }
    g_ptr_array_add(use == CACHE_READ ? r->cache_from : r->cache_to, s);
    return TRUE;
}
