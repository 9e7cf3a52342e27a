#include "bake/bake.h"

#include "bake/bakefile.h"
#include "bake/contextpath.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/path.h"
#include "base/platform.h"

#include <fcntl.h>
#include <string.h>

static void free_hcl(gpointer p)
{
    hclfile_free(p);
}

struct bake *bake_new(const struct bake_options *options)
{
    struct bake *b = g_new0(struct bake, 1);
    struct platform host;
    b->options = options;
    b->texts = g_ptr_array_new();
    b->hcl = g_ptr_array_new_with_free_func(free_hcl);
    b->defs = bake_defs_new();
    b->vars = bake_map_new();
    platform_host(&host);
    b->local_platform = platform_text(&host);
    b->env =
        (struct module_env){.variables = b->vars,
                            .cmd_context = options->cmd_context ? options->cmd_context : "cwd://",
                            .local_platform = b->local_platform,
                            .strict = options->strict};
    return b;
}

void bake_free(struct bake *b)
{
    if (!b)
        return;
    bake_plan_free(b->plan);
    overrides_free(b->settings);
    bake_defs_free(b->defs);
    module_free(b->module);
    compose_free(b->compose);
    g_ptr_array_unref(b->hcl);
    g_ptr_array_unref(b->texts);
    g_hash_table_unref(b->vars);
    g_free(b->local_platform);
    g_free(b);
}

static const char *env_get(const struct bake *b, const char *name)
{
    return g_hash_table_lookup(b->options->environment, name);
}

static gboolean env_is_on(const struct bake *b, const char *name)
{
    const char *text = env_get(b, name);
    return text && *text && strcmp(text, "0") != 0 && g_ascii_strcasecmp(text, "false") != 0;
}

static gboolean read_vars(struct bake *b, GError **err)
{
    for (char **v = b->options->vars; v && *v; v++) {
        const char *eq = strchr(*v, '=');
        if (!eq || eq == *v)
            return error_set(err, VARVE_ERROR_USAGE, "--var %s: must be NAME=VALUE", *v);
        g_hash_table_insert(b->vars, g_strndup(*v, (gsize)(eq - *v)), g_strdup(eq + 1));
    }
    if (!env_is_on(b, "BUILDX_BAKE_DISABLE_VARS_ENV_LOOKUP"))
        b->env.environment = b->options->environment;
    return TRUE;
}

/* Compose. */

/* .env is the user's own, also for a remote definition. */
static GBytes *read_for_compose(gpointer self, const char *path, GError **err)
{
    const struct bake_remote *r = ((struct bake *)self)->options->remote;
    return r && r->dir && strcmp(path, ".env") != 0 ? bake_remote_read(r, path, YAML_MAX_BYTES, err)
                                                    : fs_read(AT_FDCWD, path, YAML_MAX_BYTES, err);
}

static gboolean load_compose(struct bake *b, struct compose *c, const struct compose_file *files,
                             guint n, struct bake_defs *defs, GError **err)
{
    struct compose_source source = {.files = files,
                                    .n_files = n,
                                    .env = b->options->environment,
                                    .home = env_get(b, "HOME"),
                                    .read = read_for_compose,
                                    .self = b};
    return compose_load(c, &source, defs, err);
}

/* What relative paths of a file count from; NULL: the working directory. The caller's. */
static char *file_dir(const struct bake *b, const char *name)
{
    if ((!b->options->file_relative && !env_is_on(b, "BUILDX_BAKE_FILE_RELATIVE_PATHS")) ||
        strcmp(name, "-") == 0)
        return NULL;
    char *dir = g_path_get_dirname(name);
    if (strcmp(dir, ".") == 0)
        g_clear_pointer(&dir, g_free);
    return dir;
}

static void take_compose_texts(struct bake *b)
{
    for (guint i = 0; i < b->compose->pool->texts->len; i++)
        g_ptr_array_add(b->texts, b->compose->pool->texts->pdata[i]);
    for (guint i = 0; i < b->compose->warnings->len; i++) {
        struct compose_warning *w = b->compose->warnings->pdata[i];
        if (w->at.diags)
            diags_warning(w->at.diags, w->at.span, "%s", w->message);
    }
}

static gboolean read_compose(struct bake *b, GPtrArray *files, GError **err)
{
    g_autofree struct compose_file *list = g_new0(struct compose_file, files->len + 1);
    guint n = 0;
    for (guint i = 0; i < files->len; i++) {
        struct bakefile *f = files->pdata[i];
        if (f->kind == BAKEFILE_COMPOSE)
            list[n++] = (struct compose_file){f->name, f->bytes};
    }
    if (n == 0)
        return TRUE;
    b->compose = compose_new();
    gboolean ok = load_compose(b, b->compose, list, n, b->defs, err);
    b->at = ok ? (struct bake_where){0} : b->compose->pool->at;
    take_compose_texts(b);
    for (guint i = 0; i < b->defs->groups->len; i++)
        ((struct bake_group *)b->defs->groups->pdata[i])->unlisted = TRUE;
    g_autofree char *dir = ok ? file_dir(b, list[0].name) : NULL;
    for (guint i = 0; dir && i < b->defs->targets->len; i++)
        bake_target_rebase(b->defs->targets->pdata[i], dir);
    return ok;
}

/* Whether a file that does not say so is a Compose file. */
static gboolean looks_like_compose(struct bake *b, const struct bakefile *f)
{
    g_autoptr(compose) c = compose_new();
    g_autoptr(bake_defs) scratch = bake_defs_new();
    struct compose_file file = {f->name, f->bytes};
    return load_compose(b, c, &file, 1, scratch, NULL);
}

/* HCL and JSON. */

static struct hclfile *parse_as(const struct bakefile *f, gboolean json)
{
    gsize len;
    const void *bytes = g_bytes_get_data(f->bytes, &len);
    return json ? hcljson_parse(f->name, bytes, len, module_schema)
                : hclfile_parse(f->name, bytes, len);
}

static gboolean begins_with_brace(const struct bakefile *f)
{
    gsize len;
    const char *text = g_bytes_get_data(f->bytes, &len);
    for (; len > 0 && g_ascii_isspace(*text); text++)
        len--;
    return len > 0 && *text == '{';
}

static gboolean add_hcl(struct bake *b, const struct bakefile *f, GError **err)
{
    gboolean json =
        f->kind == BAKEFILE_JSON || (f->kind == BAKEFILE_UNKNOWN && begins_with_brace(f));
    struct hclfile *h = parse_as(f, json);
    g_ptr_array_add(b->hcl, h);
    g_ptr_array_add(b->texts, h->diags);
    if (diags_has_errors(h->diags)) {
        error_set(err, VARVE_ERROR_INVALID, "%s cannot be read", f->name);
        if (f->kind == BAKEFILE_UNKNOWN)
            diags_hint(h->diags, "it is no Compose file, either; a name that ends in .hcl, .json "
                                 "or .yaml says what a file is");
        return FALSE;
    }
    g_autofree char *dir = file_dir(b, f->name);
    module_add(b->module, h, dir);
    return TRUE;
}

gboolean bake_read(struct bake *b, GError **err)
{
    struct place at;
    g_autoptr(GPtrArray) files = bakefiles_read(b->options->files, b->options->environment,
                                                b->options->in_fd, b->options->remote, err);
    if (!files || !mpfr_api_load(err) || !read_vars(b, err))
        return FALSE;
    for (guint i = 0; i < files->len; i++) {
        struct bakefile *f = files->pdata[i];
        if (f->kind == BAKEFILE_UNKNOWN && looks_like_compose(b, f))
            f->kind = BAKEFILE_COMPOSE;
    }
    b->module = module_new(&b->env);
    for (guint i = 0; i < files->len; i++) {
        const struct bakefile *f = files->pdata[i];
        if (f->kind != BAKEFILE_COMPOSE && !add_hcl(b, f, err))
            return FALSE;
    }
    if (!read_compose(b, files, err))
        return FALSE;
    if (module_load(b->module, b->defs, &at, err))
        return TRUE;
    b->at = (struct bake_where){at.file ? at.file->diags : NULL, at.span};
    return FALSE;
}

/* As Docker's: the whole of a remote definition is its URL. */
static void use_remote(struct bake *b)
{
    const struct bake_remote *r = b->options->remote;
    b->plan->remote = r && r->dir;
    for (guint i = 0; b->plan->remote && i < b->plan->targets->len; i++) {
        struct bake_target *t = b->plan->targets->pdata[i];
        if (t->cwd || strcmp(t->context, ".") != 0)
            continue;
        g_free(t->context);
        t->context = g_strdup(r->url);
    }
}

gboolean bake_make_plan(struct bake *b, GError **err)
{
    b->at = (struct bake_where){0};
    b->settings = overrides_new(b->options->sets, b->defs, b->options->environment, err);
    if (!b->settings)
        return FALSE;
    b->plan = bake_plan_new(b->defs, b->settings, b->options->targets,
                            env_get(b, "SOURCE_DATE_EPOCH"), &b->at, err);
    if (!b->plan || !bake_plan_check(b->plan, b->options->environment, &b->at, err))
        return FALSE;
    b->at = (struct bake_where){0};
    use_remote(b);
    return TRUE;
}

char *bake_build_context(const struct bake *b, const struct bake_target *t, const char *name,
                         GError **err)
{
    static const char cwd[] = "cwd://";
    const char *value = name ? g_hash_table_lookup(t->contexts, name) : t->context;
    if (g_str_has_prefix(value, cwd))
        return path_clean(value + strlen(cwd));
    if (!b->plan->remote || (!name && t->cwd) || !bake_context_is_path(value))
        return g_strdup(value);
    return bake_remote_context(b->options->remote, value, err);
}

gboolean bake_failed(struct bake *b, const GError *err)
{
    if (b->at.diags) {
        diags_gerror(b->at.diags, b->at.span, err);
        return TRUE;
    }
    for (guint i = 0; i < b->texts->len; i++)
        if (diags_has_errors(b->texts->pdata[i]))
            return TRUE;
    return FALSE;
}
