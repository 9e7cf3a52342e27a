/* What can be known to be wrong with a plan before anything is built. */
#include "bake/plan.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/platform.h"
#include "base/suggest.h"
#include "exec/sandbox.h"
#include "text/bytesize.h"
#include "text/giturl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define KEY_MAX (100 << 10) /* bytes of a private key */

/* A target that is being checked. */
struct checking {
    const struct bake_target *target;
    GHashTable *environment;
};

static gboolean valid_word(const char *text, gsize len, const char *others)
{
    for (gsize i = 0; i < len; i++)
        if (!g_ascii_isalnum(text[i]) && !strchr(others, text[i]))
            return FALSE;
    return len > 0;
}

static gboolean check_platform(const char *text, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    guint n = g_strv_length(parts);
    struct platform p;
    if (n == 1)
        return strcmp(text, "local") == 0 || platform_parse_known(&p, text, err);
    gboolean ok = n <= 3 && valid_word(parts[0], strlen(parts[0]), "_-().%+");
    for (guint i = 1; ok && i < n; i++)
        ok = valid_word(parts[i], strlen(parts[i]), "_.-");
    return ok || error_set(err, VARVE_ERROR_INVALID,
                           "\"%s\" is not a platform: must be OS/ARCH or OS/ARCH/VARIANT", text);
}

static gboolean check_platforms(const struct checking *c, GError **err)
{
    for (guint i = 0; c->target->platforms && i < c->target->platforms->len; i++) {
        g_auto(GStrv) each = g_strsplit(c->target->platforms->pdata[i], ",", -1);
        for (char **p = each; *p; p++)
            if (!check_platform(*p, err))
                return FALSE;
    }
    return TRUE;
}

static gboolean read_limit(const char *text, gint64 *out)
{
    return g_ascii_string_to_signed(text, 10, -1, G_MAXINT64, out, NULL);
}

static gboolean check_ulimit(const char *text, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    if (!parts[1])
        return error_set(err, VARVE_ERROR_INVALID, "\"%s\" must be NAME=SOFT[:HARD]", text);
    if (!sandbox_knows_limit(parts[0], err))
        return FALSE;
    g_auto(GStrv) values = g_strsplit(parts[1], ":", 2);
    gint64 soft, hard;
    if (!values[0] || !read_limit(values[0], &soft) || (values[1] && !read_limit(values[1], &hard)))
        return error_set(err, VARVE_ERROR_INVALID, "\"%s\" must be NAME=SOFT[:HARD]", text);
    if (values[1] && hard != -1 && (soft > hard || soft == -1))
        return error_set(err, VARVE_ERROR_INVALID, "\"%s\": the soft limit is above the hard limit",
                         text);
    return TRUE;
}

static gboolean check_ulimits(const struct checking *c, GError **err)
{
    for (guint i = 0; c->target->ulimits && i < c->target->ulimits->len; i++)
        if (!check_ulimit(c->target->ulimits->pdata[i], err))
            return FALSE;
    return TRUE;
}

static gboolean check_shm_size(const struct checking *c, GError **err)
{
    guint64 bytes;
    return !c->target->shm_size || bytesize_parse(c->target->shm_size, &bytes, err);
}

/* "manifest", "index[linux/amd64]" */
static gboolean check_annotation_type(const char *type, GError **err)
{
    static const char *const types[] = {"manifest", "index", "manifest-descriptor",
                                        "index-descriptor", NULL};
    const char *bracket = strchr(type, '[');
    g_autofree char *name = bracket ? g_strndup(type, (gsize)(bracket - type)) : g_strdup(type);
    if (!g_strv_contains(types, name)) {
        const char *near = suggest_nearest(name, types, G_N_ELEMENTS(types) - 1);
        return error_set(err, VARVE_ERROR_INVALID, "there is no annotation type \"%s\"%s%s%s", name,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    if (!bracket)
        return TRUE;
    gsize len = strlen(bracket);
    if (bracket[len - 1] != ']')
        return error_set(err, VARVE_ERROR_INVALID, "\"%s\" has no closing bracket", type);
    g_autofree char *platform = g_strndup(bracket + 1, len - 2);
    return check_platform(platform, err);
}

static gboolean check_annotation(const char *text, GError **err)
{
    const char *eq = strchr(text, '=');
    if (!eq)
        return error_set(err, VARVE_ERROR_INVALID, "annotation \"%s\" must be KEY=VALUE", text);
    g_autofree char *key = g_strndup(text, (gsize)(eq - text));
    char *colon = strchr(key, ':');
    if (!colon)
        return TRUE;
    *colon = 0;
    g_auto(GStrv) types = g_strsplit(key, ",", -1);
    for (char **t = types; *t; t++)
        if (!check_annotation_type(*t, err))
            return FALSE;
    return TRUE;
}

static gboolean check_annotations(const struct checking *c, GError **err)
{
    for (guint i = 0; c->target->annotations && i < c->target->annotations->len; i++)
        if (!check_annotation(c->target->annotations->pdata[i], err))
            return FALSE;
    return TRUE;
}

static gboolean check_context(const struct checking *c, GError **err)
{
    return strcmp(c->target->context, "-") != 0 ||
           error_set(err, VARVE_ERROR_INVALID, "the context of a target cannot be stdin");
}

static gboolean check_dockerfile(const struct checking *c, GError **err)
{
    return strcmp(c->target->dockerfile, "-") != 0 ||
           error_set(err, VARVE_ERROR_INVALID, "the Dockerfile of a target cannot be stdin");
}

static gboolean is_kind(const char *path, mode_t type)
{
    struct stat st;
    return stat(path, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

static gboolean check_output(GHashTable *entry, GError **err)
{
    const char *type = g_hash_table_lookup(entry, "type");
    const char *dest = g_hash_table_lookup(entry, "dest");
    const char *tar = g_hash_table_lookup(entry, "tar");
    gboolean directory =
        strcmp(type, "local") == 0 ||
        ((strcmp(type, "oci") == 0 || strcmp(type, "docker") == 0) && g_strcmp0(tar, "false") == 0);
    gboolean file = !directory && (strcmp(type, "tar") == 0 || strcmp(type, "oci") == 0 ||
                                   strcmp(type, "docker") == 0);
    if (directory && !dest)
        return error_set(err, VARVE_ERROR_INVALID, "output type=%s needs dest=DIRECTORY", type);
    if (directory && strcmp(dest, "-") == 0)
        return error_set(err, VARVE_ERROR_INVALID, "a directory cannot be written to stdout");
    if (directory && is_kind(dest, S_IFREG))
        return error_set(err, VARVE_ERROR_INVALID, "%s is a file, not a directory", dest);
    if (file && dest && is_kind(dest, S_IFDIR))
        return error_set(err, VARVE_ERROR_INVALID, "%s is a directory, not a file", dest);
    return TRUE;
}

static gboolean check_outputs(const struct checking *c, GError **err)
{
    guint to_stdout = 0;
    for (guint i = 0; c->target->output && i < c->target->output->len; i++) {
        GHashTable *entry = c->target->output->pdata[i];
        if (!check_output(entry, err))
            return FALSE;
        to_stdout += g_strcmp0(g_hash_table_lookup(entry, "dest"), "-") == 0;
    }
    return to_stdout < 2 ||
           error_set(err, VARVE_ERROR_INVALID, "%u outputs write to stdout", to_stdout);
}

static gboolean check_secret_entry(const struct checking *c, GHashTable *entry, GError **err)
{
    const char *id = g_hash_table_lookup(entry, "id");
    const char *src = g_hash_table_lookup(entry, "src");
    struct stat st;
    if (!id)
        return error_set(err, VARVE_ERROR_INVALID, "a secret needs an id");
    if (g_hash_table_contains(entry, "env") || (!src && g_hash_table_contains(c->environment, id)))
        return TRUE;
    if (stat(src ? src : id, &st) == 0)
        return TRUE;
    error_set_errno(err, errno, "secret %s: %s", id, src ? src : id);
    if (!src)
        error_add_next(err, "say where it is: src=FILE or env=NAME");
    return FALSE;
}

static gboolean check_secrets(const struct checking *c, GError **err)
{
    for (guint i = 0; c->target->secret && i < c->target->secret->len; i++)
        if (!check_secret_entry(c, c->target->secret->pdata[i], err))
            return FALSE;
    return TRUE;
}

static gboolean check_agent(const struct checking *c, const char *id, GError **err)
{
    const char *agent = g_hash_table_lookup(c->environment, "SSH_AUTH_SOCK");
    if (agent && *agent)
        return TRUE;
    error_set(err, VARVE_ERROR_INVALID, "ssh %s: no agent: SSH_AUTH_SOCK is not set", id);
    error_add_next(err, "start one (eval $(ssh-agent); ssh-add), or name a key: %s=FILE", id);
    return FALSE;
}

static gboolean check_key(const char *id, const char *path, GError **err)
{
    if (is_kind(path, S_IFSOCK))
        return TRUE;
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, KEY_MAX, err);
    if (!bytes) {
        g_prefix_error(err, "ssh %s: ", id);
        return FALSE;
    }
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);
    return (len > 0 && g_strstr_len(text, (gssize)len, "PRIVATE KEY-----")) ||
           error_set(err, VARVE_ERROR_INVALID, "ssh %s: %s is neither a socket nor a private key",
                     id, path);
}

/* Whether the context is a repository that is reached over ssh. */
static gboolean context_needs_agent(const struct bake_target *t)
{
    giturl *git = NULL;
    gboolean ssh = giturl_parse(t->context, &git, NULL) == GITURL_OK &&
                   (g_str_has_prefix(git->remote, "ssh://") || !strstr(git->remote, "://"));
    giturl_free(git);
    return ssh;
}

static gboolean check_ssh(const struct checking *c, GError **err)
{
    if ((!c->target->ssh || c->target->ssh->len == 0) && context_needs_agent(c->target))
        return check_agent(c, "default", err);
    for (guint i = 0; c->target->ssh && i < c->target->ssh->len; i++) {
        const struct bake_ssh *s = c->target->ssh->pdata[i];
        const char *id = *s->id ? s->id : "default";
        if (s->paths->len == 0 && !check_agent(c, id, err))
            return FALSE;
        for (guint j = 0; j < s->paths->len; j++)
            if (!check_key(id, s->paths->pdata[j], err))
                return FALSE;
    }
    return TRUE;
}

static const struct check {
    enum bake_attr_id id; /* whose place an error has */
    gboolean (*check)(const struct checking *c, GError **err);
} checks[] = {
    {BAKE_CONTEXT, check_context},
    {BAKE_DOCKERFILE, check_dockerfile},
    {BAKE_PLATFORMS, check_platforms},
    {BAKE_ULIMITS, check_ulimits},
    {BAKE_SHM_SIZE, check_shm_size},
    {BAKE_ANNOTATIONS, check_annotations},
    {BAKE_OUTPUT, check_outputs},
    {BAKE_SECRET, check_secrets},
    {BAKE_SSH, check_ssh},
};

gboolean bake_plan_check(const struct bake_plan *p, GHashTable *environment, struct bake_where *at,
                         GError **err)
{
    for (guint i = 0; i < p->targets->len; i++) {
        struct checking c = {p->targets->pdata[i], environment};
        for (guint j = 0; j < G_N_ELEMENTS(checks); j++)
            if (!checks[j].check(&c, err)) {
                *at = c.target->where[checks[j].id];
                g_prefix_error(err, "target %s: ", c.target->name);
                return FALSE;
            }
    }
    return TRUE;
}
