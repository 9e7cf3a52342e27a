#include "bake/composing.h"

#include "bake/dotenv.h"
#include "bake/interpolate.h"
#include "base/error.h"
#include "base/path.h"

#include <string.h>

static void compose_warning_free(gpointer p)
{
    struct compose_warning *w = p;
    g_free(w->message);
    g_free(w);
}

struct compose *compose_new(void)
{
    struct compose *c = g_new0(struct compose, 1);
    c->pool = yaml_pool_new();
    c->warnings = g_ptr_array_new_with_free_func(compose_warning_free);
    return c;
}

void compose_free(struct compose *c)
{
    if (!c)
        return;
    g_ptr_array_unref(c->warnings);
    yaml_pool_free(c->pool);
    g_free(c);
}

void compose_warn(struct composing *c, struct bake_where at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct compose_warning *w = g_new0(struct compose_warning, 1);
    w->at = at;
    w->message = g_strdup_vprintf(fmt, args);
    va_end(args);
    g_ptr_array_add(c->compose->warnings, w);
}

/* A variable of a table of them, for .env files. */
static const char *compose_variable(gpointer table, const char *name)
{
    return g_hash_table_lookup(table, name);
}

const char *compose_path(const struct composing *c, const char *base, const char *path)
{
    g_autofree char *joined = NULL;
    if (path[0] == '~' && c->source->home)
        joined = path_join(c->source->home, path + 1, NULL);
    else if (path[0] == '/')
        joined = g_strdup(path);
    else
        joined = path_join(base, path, NULL);
    return arena_strdup(c->pool->arena, joined);
}

/* A file's bytes; what is wrong with it is told at the place that names it. */
static GBytes *compose_bytes(struct composing *c, const char *path, struct bake_where at,
                             GError **err)
{
    GBytes *bytes = c->source->read(c->source->self, path, err);
    if (!bytes)
        c->pool->at = at;
    return bytes;
}

gboolean compose_env_file(struct composing *c, const char *path, gboolean optional,
                          GHashTable *vars, GHashTable *lookup, struct bake_where at, GError **err)
{
    g_autoptr(GError) missing = NULL;
    g_autoptr(GBytes) bytes = compose_bytes(c, path, at, &missing);
    if (!bytes) {
        if (optional && g_error_matches(missing, VARVE_ERROR, VARVE_ERROR_NOT_FOUND))
            return TRUE;
        g_propagate_error(err, g_steal_pointer(&missing));
        return FALSE;
    }
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    guint line;
    if (dotenv_parse(vars, data, len, compose_variable, lookup, &line, err))
        return TRUE;
    struct diags *text = diags_new();
    g_ptr_array_add(c->pool->texts, text);
    diags_set_source(text, path, data, MIN(len, DOTENV_MAX_BYTES));
    c->pool->at = (struct bake_where){text, {line, 0, 1}};
    return FALSE;
}

GPtrArray *compose_documents(struct composing *c, const char *path, struct bake_where at,
                             GError **err)
{
    g_autoptr(GBytes) bytes = compose_bytes(c, path, at, err);
    if (!bytes)
        return NULL;
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    return yaml_parse(c->pool, path, data, len, err);
}

/* Moves the place of a text to where the reference within it is written, if it is found there: what
 * a scalar says and how it is written differ by quotes, escapes and line breaks. */
static struct bake_where place_of_reference(struct bake_where at, const char *reference)
{
    if (!reference || !at.diags || !at.diags->source)
        return at;
    gsize len = strcspn(reference, " \n\"'"), size;
    const char *text = g_bytes_get_data(at.diags->source, &size), *end = text + size;
    const char *close = memchr(reference, '}', len);
    len = close ? (gsize)(close - reference) + 1 : len;
    for (guint line = 1; line < at.span.line && text; line++) {
        const char *newline = memchr(text, '\n', (gsize)(end - text));
        text = newline ? newline + 1 : NULL;
    }
    const char *stop = text ? memchr(text, '\n', (gsize)(end - text)) : NULL;
    stop = stop ? stop : end;
    if (!text || at.span.col > (gsize)(stop - text))
        return at;
    const char *from = text + at.span.col - 1;
    const char *found = memmem(from, (gsize)(stop - from), reference, len);
    if (found) {
        at.span.col += (guint)(found - from);
        at.span.len = (guint)len;
    }
    return at;
}

struct interpolating {
    struct composing_file *file;
    const struct yaml *value; /* that is being replaced */
    struct interpolation in;
};

static const char *interpolating_lookup(gpointer self, const char *name)
{
    struct interpolating *i = self;
    return g_hash_table_lookup(i->file->vars, name);
}

static void interpolating_unset(gpointer self, const char *name)
{
    struct interpolating *i = self;
    struct composing *c = i->file->c;
    if (g_hash_table_add(c->unset, g_strdup(name)))
        compose_warn(c, place_of_reference(i->value->at, i->in.wrong),
                     "variable %s is not set; an empty string takes its place", name);
}

static gboolean interpolate_scalar(struct interpolating *i, struct yaml *v, GError **err)
{
    if (v->kind != YAML_TEXT || !strchr(v->text, '$'))
        return TRUE;
    i->value = v;
    g_autofree char *text = interpolate(&i->in, v->text, err);
    if (!text) {
        i->file->c->pool->at = place_of_reference(v->at, i->in.wrong);
        return FALSE;
    }
    v->text = arena_strdup(i->file->c->pool->arena, text);
    return TRUE;
}

/* Replaces variables in all values below v; keys stay. */
static gboolean interpolate_all(struct interpolating *i, struct yaml *v, GError **err)
{
    for (guint n = 0; n < v->n; n++)
        if (!interpolate_all(i, v->kind == YAML_MAP ? v->entries[n].value : v->items[n], err))
            return FALSE;
    return interpolate_scalar(i, v, err);
}

/* A section of the top level: a map, or NULL if it is not there. */
static gboolean section_of(struct composing *c, const struct yaml *root, const char *key,
                           struct yaml **section, GError **err)
{
    *section = yaml_get(root, key);
    if (*section && (*section)->kind == YAML_NULL && strcmp(key, "services") != 0)
        *section = NULL;
    return !*section || (*section)->kind == YAML_MAP ||
           yaml_fail(c->pool, (*section)->at, err, "%s must be a map, not %s", key,
                     yaml_kind_name(*section));
}

/* `build: DIR` as a map with a context. */
static gboolean build_as_map(struct composing *c, const char *service, struct yaml *definition,
                             GError **err)
{
    const struct yaml_entry *e = yaml_entry(definition, "build");
    if (!e || e->value->kind == YAML_MAP || e->value->mark == YAML_RESET)
        return TRUE;
    if (e->value->kind != YAML_TEXT)
        return compose_wrong(c, service, "build", e->value, "a directory or a map", err);
    struct yaml *map = yaml_new(c->pool, YAML_MAP, e->value->at, err);
    if (!map)
        return FALSE;
    map->mark = e->value->mark;
    yaml_set(c->pool, map, "context", e->at, e->value);
    yaml_set(c->pool, definition, "build", e->at, map);
    return TRUE;
}

gboolean compose_prepare(struct composing_file *f, struct yaml *root, GError **err)
{
    struct composing *c = f->c;
    if (root->kind != YAML_MAP)
        return yaml_fail(c->pool, root->at, err, "a Compose file is a map, not %s",
                         yaml_kind_name(root));
    struct interpolating i = {f, NULL, {interpolating_lookup, interpolating_unset, NULL, 0, NULL}};
    i.in.self = &i;
    i.in.bytes = c->interpolated;
    if (!interpolate_all(&i, root, err))
        return FALSE;
    c->interpolated = i.in.bytes;
    struct yaml *services, *secrets;
    if (!section_of(c, root, "services", &services, err) ||
        !section_of(c, root, "secrets", &secrets, err))
        return FALSE;
    for (guint n = 0; services && n < services->n; n++) {
        const struct yaml_entry *e = &services->entries[n];
        if (e->value->kind != YAML_MAP && e->value->kind != YAML_NULL &&
            e->value->mark != YAML_RESET)
            return yaml_fail(c->pool, e->value->at, err, "services.%s must be a map, not %s",
                             e->key, yaml_kind_name(e->value));
        if (!build_as_map(c, e->key, e->value, err))
            return FALSE;
    }
    return TRUE;
}

gboolean compose_load_documents(struct composing_file *f, GPtrArray *documents, struct yaml **model,
                                GError **err)
{
    struct yaml_pool *p = f->c->pool;
    for (guint i = 0; i < documents->len; i++) {
        struct yaml *root = documents->pdata[i];
        if (!compose_prepare(f, root, err) || !compose_extend(f, root, err) ||
            !compose_include(f, root, err))
            return FALSE;
        if (!*model)
            *model = yaml_new(p, YAML_MAP, root->at, err);
        *model = *model ? compose_merge(p, *model, root, FALSE, err) : NULL;
        if (!*model)
            return FALSE;
    }
    return TRUE;
}

static gboolean load_main_files(struct composing *c, struct yaml **model, GError **err)
{
    for (guint i = 0; i < c->source->n_files; i++) {
        const struct compose_file *file = &c->source->files[i];
        struct composing_file f = {c, file->name, "", c->env, NULL, 0};
        gsize len;
        const void *data = g_bytes_get_data(file->bytes, &len);
        g_autoptr(GPtrArray) documents = yaml_parse(c->pool, file->name, data, len, err);
        if (!documents || !compose_load_documents(&f, documents, model, err))
            return FALSE;
    }
    return TRUE;
}

/* The environment and, behind it, .env. */
static gboolean compose_environment(struct composing *c, GError **err)
{
    GHashTableIter it;
    gpointer k, v;
    struct bake_where nowhere = {0};
    if (!compose_env_file(c, ".env", TRUE, c->env, c->source->env, nowhere, err))
        return FALSE;
    g_hash_table_iter_init(&it, c->source->env);
    while (g_hash_table_iter_next(&it, &k, &v))
        g_hash_table_replace(c->env, g_strdup(k), g_strdup(v));
    return TRUE;
}

static gboolean compose_run(struct composing *c, struct bake_defs *defs, GError **err)
{
    struct yaml *model = NULL;
    if (!compose_environment(c, err) || !load_main_files(c, &model, err))
        return FALSE;
    if (!yaml_get(model, "services") && !yaml_get(model, "secrets")) {
        const char *name = c->source->n_files ? c->source->files[0].name : "compose.yaml";
        c->pool->at = (struct bake_where){0};
        error_set(err, VARVE_ERROR_INVALID, "%s: no services in this Compose file", name);
        error_add_next(err, "begin it with `services:`, and a name and `build: .` below that");
        return FALSE;
    }
    compose_resolve_paths(c, "", model);
    return compose_targets(c, model, defs, err);
}

gboolean compose_load(struct compose *compose, const struct compose_source *source,
                      struct bake_defs *defs, GError **err)
{
    struct composing c = {.compose = compose, .pool = compose->pool, .source = source};
    c.env = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    c.extended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    c.unset = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    gboolean ok = compose_run(&c, defs, err);
    g_hash_table_unref(c.env);
    g_hash_table_unref(c.extended);
    g_hash_table_unref(c.unset);
    return ok;
}
