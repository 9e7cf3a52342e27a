/* `extends` and `include`: what other files and services bring into a Compose file. */
#include "bake/composing.h"

#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

/* A service on the way from one that extends to what it extends. */
struct extending {
    const struct extending *up; /* that extends this one, or NULL */
    const char *file, *service;
    guint depth;
};

static struct yaml *extended_service(struct composing_file *f, struct yaml *services,
                                     const char *name, const struct extending *up, GError **err);

static gboolean extends_cycle(struct composing *c, const struct extending *up, const char *file,
                              const char *service, struct bake_where at, GError **err)
{
    g_autoptr(GString) chain = g_string_new(NULL);
    for (const struct extending *e = up; e; e = e->up) {
        g_autofree char *link = g_strdup_printf("%s (%s) extends ", e->service, e->file);
        g_string_prepend(chain, link);
        if (!strcmp(e->service, service) && !strcmp(e->file, file))
            break;
    }
    return yaml_fail(c->pool, at, err, "cycle: %s%s", chain->str, service);
}

/* Whether service may be entered: it is not on the way already, and the way is not too long. */
static gboolean extends_allowed(struct composing *c, const struct extending *up, const char *file,
                                const char *service, struct bake_where at, GError **err)
{
    if (up && up->depth >= COMPOSE_MAX_DEPTH)
        return yaml_fail(c->pool, at, err, "more than %d services extend one another",
                         COMPOSE_MAX_DEPTH);
    for (const struct extending *e = up; e; e = e->up)
        if (!strcmp(e->service, service) && !strcmp(e->file, file))
            return extends_cycle(c, up, file, service, at, err);
    return TRUE;
}

static char *directory_of(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path);
    return strcmp(dir, ".") != 0 ? g_steal_pointer(&dir) : g_strdup("");
}

/* The services of a file that others extend, read once: paths count from its own directory. */
static struct yaml *services_of_file(struct composing_file *f, const char *path,
                                     struct bake_where at, GError **err)
{
    struct composing *c = f->c;
    struct yaml *services = g_hash_table_lookup(c->extended, path);
    if (services)
        return services;
    g_autoptr(GPtrArray) documents = compose_documents(c, path, at, err);
    if (!documents)
        return NULL;
    struct yaml *model = NULL;
    for (guint i = 0; i < documents->len; i++) {
        if (!compose_prepare(f, documents->pdata[i], err))
            return NULL;
        model = model ? compose_merge(c->pool, model, documents->pdata[i], TRUE, err)
                      : documents->pdata[i];
        if (!model)
            return NULL;
    }
    if (!yaml_get(model, "services")) {
        yaml_fail(c->pool, at, err, "%s has no services", path);
        return NULL;
    }
    compose_resolve_paths(c, f->dir, model);
    services = yaml_get(model, "services");
    g_hash_table_insert(c->extended, g_strdup(path), services);
    return services;
}

/* What "extends:" says. */
struct base_name {
    const char *service;
    const char *file;     /* as written, or NULL: the same file */
    struct bake_where at; /* of the name */
};

static gboolean read_extends(struct composing *c, const char *name, const struct yaml *e,
                             struct base_name *base, GError **err)
{
    if (e->kind == YAML_TEXT) {
        *base = (struct base_name){e->text, NULL, e->at};
        return TRUE;
    }
    if (e->kind != YAML_MAP)
        return compose_wrong(c, name, "extends", e, "a service's name or a map", err);
    const struct yaml *service = yaml_get(e, "service"), *file = yaml_get(e, "file");
    if (!service || service->kind != YAML_TEXT)
        return yaml_fail(c->pool, e->at, err, "services.%s.extends needs `service: NAME`", name);
    if (file && file->kind != YAML_TEXT && file->kind != YAML_NULL)
        return compose_wrong(c, name, "extends.file", file, "a string", err);
    *base = (struct base_name){service->text, NULL, service->at};
    if (file && file->kind == YAML_TEXT)
        base->file = file->text;
    return TRUE;
}

static gboolean no_such_service(struct composing *c, const struct yaml *services,
                                const struct base_name *base, const char *file, GError **err)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < services->n; i++)
        g_ptr_array_add(names, (gpointer)services->entries[i].key);
    const char *near =
        suggest_nearest(base->service, (const char *const *)names->pdata, names->len);
    return yaml_fail(c->pool, base->at, err, "there is no service %s in %s%s%s%s", base->service,
                     file, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* The service that base names, extended itself; NULL without *err: it is null. */
static struct yaml *base_service(struct composing_file *f, struct yaml *services,
                                 const struct base_name *base, const struct extending *e,
                                 GError **err)
{
    struct composing_file other = *f;
    g_autofree char *dir = NULL;
    if (base->file) {
        other.name = compose_path(f->c, f->dir, base->file);
        dir = directory_of(other.name);
        other.dir = dir;
        services = services_of_file(&other, other.name, base->at, err);
        if (!services)
            return NULL;
    }
    if (!yaml_entry(services, base->service)) {
        no_such_service(f->c, services, base, other.name, err);
        return NULL;
    }
    if (!extends_allowed(f->c, e, other.name, base->service, base->at, err))
        return NULL;
    return extended_service(&other, services, base->service, e, err);
}

/* services[name] with what it extends below it, which also takes its place there. */
static struct yaml *extended_service(struct composing_file *f, struct yaml *services,
                                     const char *name, const struct extending *up, GError **err)
{
    struct yaml *service = yaml_get(services, name), *extends = yaml_get(service, "extends");
    struct base_name base = {0};
    if (!extends)
        return service;
    struct extending here = {up, f->name, name, up ? up->depth + 1 : 0};
    if (!read_extends(f->c, name, extends, &base, err))
        return NULL;
    g_autoptr(GError) failed = NULL;
    struct yaml *below = base_service(f, services, &base, &here, &failed);
    if (failed) {
        g_propagate_error(err, g_steal_pointer(&failed));
        return NULL;
    }
    yaml_remove(service, "extends");
    if (!below || below->kind != YAML_MAP)
        return service;
    below = yaml_copy(f->c->pool, below, err);
    struct yaml *merged = below ? compose_merge_service(f->c->pool, below, service, err) : NULL;
    if (merged) {
        merged->mark = service->mark;
        yaml_set(f->c->pool, services, name, yaml_entry(services, name)->at, merged);
    }
    return merged;
}

gboolean compose_extend(struct composing_file *f, struct yaml *root, GError **err)
{
    struct yaml *services = yaml_get(root, "services");
    for (guint i = 0; services && i < services->n; i++) {
        g_autoptr(GError) failed = NULL;
        extended_service(f, services, services->entries[i].key, NULL, &failed);
        if (failed) {
            g_propagate_error(err, g_steal_pointer(&failed));
            return FALSE;
        }
    }
    return TRUE;
}

/* One entry of `include`. */
struct inclusion {
    struct bake_where at;
    GPtrArray *paths;      /* char *, as written: merged in this order */
    GPtrArray *env_files;  /* char *, as written */
    const char *directory; /* project_directory as written, or NULL */
};

/* A string or a list of strings. */
static gboolean read_strings(struct composing *c, const struct yaml *v, const char *what,
                             GPtrArray *to, GError **err)
{
    if (v && v->kind == YAML_TEXT)
        g_ptr_array_add(to, (gpointer)v->text);
    else if (v && v->kind != YAML_LIST)
        return yaml_fail(c->pool, v->at, err, "include: %s must be a string or a list, not %s",
                         what, yaml_kind_name(v));
    for (guint i = 0; v && i < v->n; i++) {
        if (v->items[i]->kind != YAML_TEXT)
            return yaml_fail(c->pool, v->items[i]->at, err, "include: %s must be strings, not %s",
                             what, yaml_kind_name(v->items[i]));
        g_ptr_array_add(to, (gpointer)v->items[i]->text);
    }
    return TRUE;
}

static gboolean read_inclusion(struct composing *c, const struct yaml *v, struct inclusion *inc,
                               GError **err)
{
    inc->at = v->at;
    const struct yaml *path = v->kind == YAML_MAP ? yaml_get(v, "path") : v;
    const struct yaml *directory = yaml_get(v, "project_directory");
    if (directory && directory->kind != YAML_TEXT)
        return yaml_fail(c->pool, directory->at, err,
                         "include: project_directory must be a string, not %s",
                         yaml_kind_name(directory));
    inc->directory = directory && *directory->text ? directory->text : NULL;
    if (!read_strings(c, path, "path", inc->paths, err) ||
        !read_strings(c, yaml_get(v, "env_file"), "env_file", inc->env_files, err))
        return FALSE;
    return inc->paths->len || yaml_fail(c->pool, v->at, err, "include needs a path");
}

static GHashTable *copy_variables(GHashTable *vars)
{
    GHashTable *copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter it;
    gpointer k, v;
    g_hash_table_iter_init(&it, vars);
    while (g_hash_table_iter_next(&it, &k, &v))
        g_hash_table_insert(copy, g_strdup(k), g_strdup(v));
    return copy;
}

/* The variables of included files: those of its .env or env_file, below the includer's. */
static GHashTable *inclusion_variables(struct composing_file *f, const struct inclusion *inc,
                                       const char *dir, GError **err)
{
    g_autoptr(GHashTable) vars = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter it;
    gpointer k, v;
    for (guint i = 0; i < inc->env_files->len; i++)
        if (!compose_env_file(f->c, compose_path(f->c, f->dir, inc->env_files->pdata[i]), FALSE,
                              vars, f->vars, inc->at, err))
            return NULL;
    if (!inc->env_files->len &&
        !compose_env_file(f->c, compose_path(f->c, dir, ".env"), TRUE, vars, f->vars, inc->at, err))
        return NULL;
    GHashTable *all = copy_variables(f->vars);
    g_hash_table_iter_init(&it, vars);
    while (g_hash_table_iter_next(&it, &k, &v))
        if (!g_hash_table_contains(all, k))
            g_hash_table_insert(all, g_strdup(k), g_strdup(v));
    return all;
}

static gboolean include_allowed(struct composing_file *f, const char *path, struct bake_where at,
                                GError **err)
{
    if (f->depth >= COMPOSE_MAX_DEPTH)
        return yaml_fail(f->c->pool, at, err, "more than %d files include one another",
                         COMPOSE_MAX_DEPTH);
    for (const struct composing_file *i = f; i; i = i->up)
        if (!strcmp(i->name, path))
            return yaml_fail(f->c->pool, at, err, "cycle: %s includes itself%s%s", path,
                             i == f ? "" : ", by way of ", i == f ? "" : f->name);
    return TRUE;
}

static gboolean load_inclusion(struct composing_file *f, const struct inclusion *inc,
                               struct yaml **model, GError **err)
{
    struct composing *c = f->c;
    const char *first = compose_path(c, f->dir, inc->paths->pdata[0]);
    g_autofree char *dir =
        inc->directory ? g_strdup(compose_path(c, f->dir, inc->directory)) : directory_of(first);
    if (!include_allowed(f, first, inc->at, err))
        return FALSE;
    g_autoptr(GHashTable) vars = inclusion_variables(f, inc, dir, err);
    if (!vars)
        return FALSE;
    for (guint i = 0; i < inc->paths->len; i++) {
        const char *path = compose_path(c, f->dir, inc->paths->pdata[i]);
        struct composing_file other = {c, path, dir, vars, f, f->depth + 1};
        g_autoptr(GPtrArray) documents = compose_documents(c, path, inc->at, err);
        if (!documents || !compose_load_documents(&other, documents, model, err))
            return FALSE;
    }
    if (*model)
        compose_resolve_paths(c, dir, *model);
    return TRUE;
}

/* Whether two values say the same. */
static gboolean same_value(const struct yaml *a, const struct yaml *b)
{
    if (a->kind != b->kind || a->n != b->n || strcmp(a->text, b->text) != 0)
        return FALSE;
    for (guint i = 0; i < a->n; i++) {
        const struct yaml *other =
            a->kind == YAML_MAP ? yaml_get(b, a->entries[i].key) : b->items[i];
        if (!other || !same_value(a->kind == YAML_MAP ? a->entries[i].value : a->items[i], other))
            return FALSE;
    }
    return TRUE;
}

/* Adds a section of an included file to the same of root: nothing may have two meanings. */
static gboolean import_section(struct composing *c, const struct yaml *from, struct yaml *root,
                               const char *key, GError **err)
{
    const struct yaml *section = yaml_get(from, key);
    struct yaml *to = yaml_get(root, key);
    if (!section || section->kind != YAML_MAP)
        return TRUE;
    if (!to || to->kind != YAML_MAP) {
        to = yaml_new(c->pool, YAML_MAP, section->at, err);
        if (!to)
            return FALSE;
        yaml_set(c->pool, root, key, section->at, to);
    }
    for (guint i = 0; i < section->n; i++) {
        const struct yaml_entry *e = &section->entries[i], *old = yaml_entry(to, e->key);
        if (old && !same_value(old->value, e->value))
            return yaml_fail(c->pool, old->at, err,
                             "%s.%s is also defined in %s, which is included", key, e->key,
                             e->at.diags->name);
        if (!old)
            yaml_set(c->pool, to, e->key, e->at, e->value);
    }
    return TRUE;
}

static gboolean include_one(struct composing_file *f, const struct yaml *v, struct yaml *root,
                            GError **err)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new();
    g_autoptr(GPtrArray) env_files = g_ptr_array_new();
    struct inclusion inc = {.paths = paths, .env_files = env_files};
    struct yaml *model = NULL;
    return read_inclusion(f->c, v, &inc, err) && load_inclusion(f, &inc, &model, err) &&
           (!model || (import_section(f->c, model, root, "services", err) &&
                       import_section(f->c, model, root, "secrets", err)));
}

gboolean compose_include(struct composing_file *f, struct yaml *root, GError **err)
{
    const struct yaml *include = yaml_get(root, "include");
    if (!include || include->kind == YAML_NULL)
        return TRUE;
    if (include->kind != YAML_LIST)
        return yaml_fail(f->c->pool, include->at, err, "include must be a list, not %s",
                         yaml_kind_name(include));
    for (guint i = 0; i < include->n; i++)
        if (!include_one(f, include->items[i], root, err))
            return FALSE;
    return TRUE;
}
