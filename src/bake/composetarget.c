#include "bake/composing.h"

#include "base/error.h"
#include "base/suggest.h"

#include <string.h>

#define NAME_CHARS                                                                                 \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-" /* of services, secrets */

gboolean compose_wrong(struct composing *c, const char *service, const char *key,
                       const struct yaml *v, const char *must, GError **err)
{
    return yaml_fail(c->pool, v->at, err, "services.%s.%s must be %s, not %s", service, key, must,
                     yaml_kind_name(v));
}

/* The name of a service's target: dots are underscores. */
static char *compose_target_name(const char *service)
{
    return g_strdelimit(g_strdup(service), ".", '_');
}

char *compose_context(const char *value)
{
    if (!g_str_has_prefix(value, "service:") && !g_str_has_prefix(value, "target:"))
        return g_strdup(value);
    g_autofree char *name = compose_target_name(strchr(value, ':') + 1);
    return g_strconcat("target:", name, NULL);
}

static gboolean pair_of_list(struct composing *c, const char *service, const char *key,
                             const struct yaml *item, compose_pair each, gpointer self,
                             GError **err)
{
    if (item->kind != YAML_TEXT)
        return compose_wrong(c, service, key, item, "a list of strings, NAME=value", err);
    const char *eq = strchr(item->text, '=');
    g_autofree char *name =
        eq ? g_strndup(item->text, (gsize)(eq - item->text)) : g_strdup(item->text);
    return each(self, name, eq ? eq + 1 : NULL, item->at, err);
}

gboolean compose_pairs(struct composing *c, const char *service, const char *key,
                       const struct yaml *v, compose_pair each, gpointer self, GError **err)
{
    if (v->kind != YAML_LIST && v->kind != YAML_MAP)
        return compose_wrong(c, service, key, v, "a map or a list", err);
    for (guint i = 0; v->kind == YAML_LIST && i < v->n; i++)
        if (!pair_of_list(c, service, key, v->items[i], each, self, err))
            return FALSE;
    for (guint i = 0; v->kind == YAML_MAP && i < v->n; i++) {
        const struct yaml_entry *e = &v->entries[i];
        g_autofree char *name = g_strconcat(key, ".", e->key, NULL);
        gboolean null = e->value->kind == YAML_NULL;
        if ((!null && !yaml_is_scalar(e->value)) || e->value->kind == YAML_TIME) {
            compose_wrong(c, service, name, e->value, "a string, a number, true, false or null",
                          err);
            if (e->value->kind == YAML_TIME)
                error_add_next(err, "put the date into quotes: \"%s\"", e->value->text);
            return FALSE;
        }
        if (!each(self, e->key, null ? NULL : e->value->text, e->at, err))
            return FALSE;
    }
    return TRUE;
}

/* Paths. A value is resolved once: `done`. */

static void resolve_text(struct composing *c, const char *dir, struct yaml *v)
{
    if (v && v->kind == YAML_TEXT && !v->done && *v->text)
        v->text = compose_path(c, dir, v->text);
    if (v)
        v->done = TRUE;
}

/* A context: a directory, unless it is a URL or another service. */
static gboolean is_path_context(const char *text)
{
    static const char *const remote[] = {"service:", "target:", "git@", "github.com/"};
    if (strstr(text, "://"))
        return FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS(remote); i++)
        if (g_str_has_prefix(text, remote[i]))
            return FALSE;
    return TRUE;
}

static void resolve_context(struct composing *c, const char *dir, struct yaml *v)
{
    if (v && v->kind == YAML_TEXT && is_path_context(v->text))
        resolve_text(c, dir, v);
}

/* The value behind '=' of NAME=path in a list; of a map the value itself. */
static void resolve_pairs(struct composing *c, const char *dir, struct yaml *pairs,
                          gboolean context)
{
    for (guint i = 0; pairs && i < pairs->n; i++) {
        struct yaml *v = pairs->kind == YAML_MAP ? pairs->entries[i].value : pairs->items[i];
        const char *eq = v->kind == YAML_TEXT && !v->done ? strchr(v->text, '=') : NULL;
        if (pairs->kind == YAML_MAP && context)
            resolve_context(c, dir, v);
        else if (pairs->kind == YAML_MAP && *v->text)
            resolve_text(c, dir, v);
        if (pairs->kind == YAML_MAP || !eq || (context && !is_path_context(eq + 1)) || !eq[1])
            continue;
        g_autofree char *name = g_strndup(v->text, (gsize)(eq + 1 - v->text));
        g_autofree char *joined = g_strconcat(name, compose_path(c, dir, eq + 1), NULL);
        v->text = arena_strdup(c->pool->arena, joined);
        v->done = TRUE;
    }
}

static void resolve_env_files(struct composing *c, const char *dir, struct yaml *v)
{
    if (v && v->kind == YAML_TEXT)
        resolve_text(c, dir, v);
    for (guint i = 0; v && v->kind == YAML_LIST && i < v->n; i++) {
        struct yaml *item = v->items[i];
        resolve_text(c, dir, item->kind == YAML_MAP ? yaml_get(item, "path") : item);
    }
}

void compose_resolve_paths(struct composing *c, const char *dir, struct yaml *model)
{
    const struct yaml *services = yaml_get(model, "services"),
                      *secrets = yaml_get(model, "secrets");
    for (guint i = 0; services && i < services->n; i++) {
        const struct yaml *service = services->entries[i].value;
        const struct yaml *build = yaml_get(service, "build");
        resolve_context(c, dir, yaml_get(build, "context"));
        resolve_env_files(c, dir, yaml_get(service, "env_file"));
        resolve_pairs(c, dir, yaml_get(build, "additional_contexts"), TRUE);
        resolve_pairs(c, dir, yaml_get(build, "ssh"), FALSE);
    }
    for (guint i = 0; secrets && i < secrets->n; i++)
        resolve_text(c, dir, yaml_get(secrets->entries[i].value, "file"));
}

/* Services. */

struct environment {
    struct composing *c;
    GHashTable *vars;
};

static gboolean set_environment(gpointer self, const char *name, const char *value,
                                struct bake_where at, GError **err)
{
    struct environment *e = self;
    if (!value)
        value = g_hash_table_lookup(e->c->env, name);
    if (value)
        g_hash_table_replace(e->vars, g_strdup(name), g_strdup(value));
    return TRUE;
}

static gboolean env_file_of(struct composing *c, const char *service, const struct yaml *v,
                            GHashTable *vars, GError **err)
{
    gboolean map = v->kind == YAML_MAP;
    const struct yaml *path = map ? yaml_get(v, "path") : v, *format = yaml_get(v, "format");
    const struct yaml *needed = yaml_get(v, "required");
    if (!path || path->kind != YAML_TEXT)
        return compose_wrong(c, service, "env_file", v, "a path, or a map with a path", err);
    if (format)
        return yaml_fail(c->pool, format->at, err, "services.%s.env_file: unknown format %s",
                         service, format->text);
    gboolean optional = needed && !strcmp(needed->text, "false");
    return compose_env_file(c, path->text, optional, vars, c->env, path->at, err);
}

/* The environment of a service, which values of its build's args may come from. */
static gboolean service_environment(struct composing *c, const char *service,
                                    const struct yaml *definition, GHashTable *vars, GError **err)
{
    const struct yaml *files = yaml_get(definition, "env_file");
    const struct yaml *environment = yaml_get(definition, "environment");
    if (files && files->kind != YAML_LIST && !env_file_of(c, service, files, vars, err))
        return FALSE;
    for (guint i = 0; files && files->kind == YAML_LIST && i < files->n; i++)
        if (!env_file_of(c, service, files->items[i], vars, err))
            return FALSE;
    struct environment e = {c, vars};
    return !environment ||
           compose_pairs(c, service, "environment", environment, set_environment, &e, err);
}

/* Keys that bake does not read are many; those that are nearly one that it reads are told. */
static void warn_of_near_keys(struct composing *c, const char *what, const struct yaml *map,
                              const char *const *words)
{
    for (guint i = 0; map && map->kind == YAML_MAP && i < map->n; i++)
        for (const char *const *w = words; *w; w++)
            if (suggest_distance(map->entries[i].key, *w, 2) - 1 < 2 && !yaml_entry(map, *w))
                compose_warn(c, map->entries[i].at, "unknown key %s%s; did you mean %s?", what,
                             map->entries[i].key, *w);
}

/* Fills the target of a service with a build section, and adds it. */
static gboolean add_target(struct composing_build *b, const struct yaml_entry *service,
                           struct bake_defs *defs, struct bake_group *group, GError **err)
{
    g_autofree char *name = compose_target_name(service->key);
    const struct yaml *build = yaml_get(service->value, "build");
    const struct yaml_entry *image = yaml_entry(service->value, "image");
    g_autoptr(bake_target) t = bake_target_new(name);
    t->at = service->at;
    b->target = t;
    if (!compose_build(b, build, err))
        return FALSE;
    if (image && *image->value->text && (!t->tags || !t->tags->len)) {
        g_clear_pointer(&t->tags, g_ptr_array_unref);
        t->tags = bake_list_new();
        g_ptr_array_add(t->tags, g_strdup(image->value->text));
        t->where[BAKE_TAGS] = image->value->at;
    }
    g_ptr_array_add(group->targets, g_steal_pointer(&name));
    bake_defs_target(defs, g_steal_pointer(&t));
    return TRUE;
}

static gboolean read_service(struct composing_build *b, const struct yaml_entry *service,
                             struct bake_defs *defs, struct bake_group *group, GError **err)
{
    static const char *const words[] = {"build", "image", "environment", "env_file", NULL};
    struct composing *c = b->c;
    const struct yaml *v = service->value;
    if (!*service->key || service->key[strspn(service->key, NAME_CHARS)])
        return yaml_fail(c->pool, service->at, err,
                         "\"%s\" is no name of a service: letters, digits, \".\", \"_\" and \"-\"",
                         service->key);
    const struct yaml *image = yaml_get(v, "image"), *build = yaml_get(v, "build");
    warn_of_near_keys(c, "", v, words);
    if (image && image->kind != YAML_TEXT)
        return compose_wrong(c, service->key, "image", image, "a string", err);
    if (!build && !(image && *image->text)) {
        yaml_fail(c->pool, service->at, err, "service %s has neither image nor build",
                  service->key);
        error_add_next(err,
                       "add `build: .` to build it, or `image: NAME` to take it from elsewhere");
        return FALSE;
    }
    g_autoptr(GHashTable) environment =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    if (!service_environment(c, service->key, v, environment, err))
        return FALSE;
    b->service = service->key;
    b->environment = environment;
    return !build || add_target(b, service, defs, group, err);
}

static gboolean is_external(const struct yaml *secret)
{
    const struct yaml *external = yaml_get(secret, "external");
    return external && (external->kind == YAML_MAP || !strcmp(external->text, "true"));
}

static gboolean check_secret(struct composing *c, const struct yaml_entry *e, GError **err)
{
    static const char *const keys[] = {"name",        "environment",     "file",
                                       "external",    "labels",          "driver",
                                       "driver_opts", "template_driver", NULL};
    if (e->value->kind != YAML_MAP)
        return yaml_fail(c->pool, e->value->at, err, "secrets.%s must be a map, not %s", e->key,
                         yaml_kind_name(e->value));
    for (guint i = 0; i < e->value->n; i++) {
        const struct yaml_entry *k = &e->value->entries[i];
        if (g_str_has_prefix(k->key, "x-") || g_strv_contains(keys, k->key))
            continue;
        const char *near = suggest_nearest(k->key, keys, G_N_ELEMENTS(keys) - 1);
        return yaml_fail(c->pool, k->at, err, "unknown key %s in secrets.%s%s%s%s", k->key, e->key,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    const struct yaml *file = yaml_get(e->value, "file"), *env = yaml_get(e->value, "environment");
    const struct yaml *wrong = file && file->kind != YAML_TEXT ? file
                               : env && env->kind != YAML_TEXT ? env
                                                               : NULL;
    if (wrong)
        return yaml_fail(c->pool, wrong->at, err, "secrets.%s.%s must be a string, not %s", e->key,
                         wrong == file ? "file" : "environment", yaml_kind_name(wrong));
    if (!is_external(e->value) && !(file && *file->text) && !(env && *env->text))
        return yaml_fail(c->pool, e->at, err, "secret %s needs `file` or `environment`", e->key);
    return TRUE;
}

gboolean compose_targets(struct composing *c, const struct yaml *model, struct bake_defs *defs,
                         GError **err)
{
    const struct yaml *services = yaml_get(model, "services"),
                      *secrets = yaml_get(model, "secrets");
    for (guint i = 0; secrets && i < secrets->n; i++)
        if (!check_secret(c, &secrets->entries[i], err))
            return FALSE;
    if (!services || !services->n)
        return TRUE;
    g_autoptr(bake_group) group = bake_group_new("default");
    group->at = services->at;
    struct composing_build b = {.c = c, .services = services, .secrets = secrets};
    for (guint i = 0; i < services->n; i++)
        if (!read_service(&b, &services->entries[i], defs, group, err))
            return FALSE;
    bake_defs_group(defs, g_steal_pointer(&group));
    return TRUE;
}
