#include "bake/override.h"

#include "bake/bakecsv.h"
#include "base/boolean.h"
#include "base/error.h"
#include "base/suggest.h"
#include "text/pattern.h"

#include <string.h>

/* Bools that are no attribute but change output. */
enum { KEY_PUSH = BAKE_N_ATTRS, KEY_LOAD };

static const struct key {
    const char *name;
    guint id;        /* enum bake_attr_id, or one of the above */
    gboolean named;  /* a NAME follows */
    gboolean append; /* always appended */
} keys[] = {
    {"annotations", BAKE_ANNOTATIONS, FALSE, TRUE},
    {"args", BAKE_ARGS, TRUE, FALSE},
    {"attest", BAKE_ATTEST, FALSE, TRUE},
    {"cache-from", BAKE_CACHE_FROM, FALSE, FALSE},
    {"cache-to", BAKE_CACHE_TO, FALSE, FALSE},
    {"call", BAKE_CALL, FALSE, FALSE},
    {"context", BAKE_CONTEXT, FALSE, FALSE},
    {"contexts", BAKE_CONTEXTS, TRUE, FALSE},
    {"dockerfile", BAKE_DOCKERFILE, FALSE, FALSE},
    {"entitlements", BAKE_ENTITLEMENTS, FALSE, TRUE},
    {"extra-hosts", BAKE_EXTRA_HOSTS, TRUE, FALSE},
    {"labels", BAKE_LABELS, TRUE, FALSE},
    {"load", KEY_LOAD, FALSE, FALSE},
    {"network", BAKE_NETWORK, FALSE, FALSE},
    {"no-cache", BAKE_NO_CACHE, FALSE, FALSE},
    {"no-cache-filter", BAKE_NO_CACHE_FILTER, FALSE, FALSE},
    {"output", BAKE_OUTPUT, FALSE, FALSE},
    {"platform", BAKE_PLATFORMS, FALSE, FALSE},
    {"pull", BAKE_PULL, FALSE, FALSE},
    {"push", KEY_PUSH, FALSE, FALSE},
    {"secrets", BAKE_SECRET, FALSE, FALSE},
    {"shm-size", BAKE_SHM_SIZE, FALSE, FALSE},
    {"ssh", BAKE_SSH, FALSE, FALSE},
    {"tags", BAKE_TAGS, FALSE, FALSE},
    {"target", BAKE_TARGET, FALSE, FALSE},
    {"ulimits", BAKE_ULIMITS, FALSE, FALSE},
};

struct override {
    const struct key *key;
    char *name;        /* of args, labels, …; else NULL */
    GPtrArray *values; /* char *: one unless the attribute is a list */
    gboolean append;   /* "+=" */
};

struct overrides {
    GHashTable *targets; /* name → GPtrArray * of struct override * */
};

/* A text of --set in its parts. */
struct setting {
    char *pattern;
    const struct key *key;
    char *name;  /* or NULL */
    char *value; /* NULL: args of which the environment says nothing */
    gboolean append;
};

static void override_free(gpointer p)
{
    struct override *o = p;
    g_free(o->name);
    g_ptr_array_unref(o->values);
    g_free(o);
}

static void list_free(gpointer p)
{
    g_ptr_array_unref(p);
}

static void setting_clear(struct setting *s)
{
    g_free(s->pattern);
    g_free(s->name);
    g_free(s->value);
}

static const struct key *find_key(const char *text, const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(keys)];
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(keys[i].name, name) == 0)
            return &keys[i];
        names[i] = keys[i].name;
    }
    const char *near = strcmp(name, "platforms") == 0
                           ? "platform"
                           : suggest_nearest(name, names, G_N_ELEMENTS(keys));
    g_autofree char *all = NULL;
    error_set(err, VARVE_ERROR_USAGE, "--set %s: there is no key %s%s%s%s", text, name,
              near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    if (!near) {
        all = g_strjoinv(", ",
                         (char **)(const char *[]){
                             "args.NAME", "contexts.NAME", "labels.NAME", "extra-hosts.NAME",
                             "tags", "platform", "output", "cache-from", "cache-to", "target",
                             "context", "dockerfile", "pull", "no-cache", "push", "load", NULL});
        error_add_next(err, "keys are %s, and others (varve bake --help)", all);
    }
    return NULL;
}

static gboolean read_key(struct setting *s, const char *text, char *before, GError **err)
{
    gsize len = strlen(before);
    if (len && before[len - 1] == '+') {
        before[len - 1] = 0;
        s->append = TRUE;
    }
    g_auto(GStrv) parts = g_strsplit(before, ".", 3);
    if (!parts[0] || !parts[1] || !*parts[1])
        return error_set(err, VARVE_ERROR_USAGE, "--set %s: must be TARGET.KEY=VALUE", text);
    s->key = find_key(text, parts[1], err);
    if (!s->key)
        return FALSE;
    if (s->key->named && (!parts[2] || !*parts[2]))
        return error_set(err, VARVE_ERROR_USAGE, "--set %s: must be %s.%s.NAME=VALUE", text,
                         parts[0], parts[1]);
    if (!s->key->named && parts[2])
        return error_set(err, VARVE_ERROR_USAGE, "--set %s: %s has no parts, such as %s", text,
                         parts[1], parts[2]);
    s->pattern = g_strdup(parts[0]);
    s->name = g_strdup(parts[2]);
    return TRUE;
}

static gboolean read_setting(struct setting *s, const char *text, GHashTable *environment,
                             GError **err)
{
    const char *eq = strchr(text, '=');
    g_autofree char *before = eq ? g_strndup(text, (gsize)(eq - text)) : g_strdup(text);
    if (!read_key(s, text, before, err))
        return FALSE;
    if (!eq && s->key->id != BAKE_ARGS)
        return error_set(err, VARVE_ERROR_USAGE, "--set %s: must be %s=VALUE", text, text);
    s->value = g_strdup(eq            ? eq + 1
                        : environment ? g_hash_table_lookup(environment, s->name)
                                      : NULL);
    return TRUE;
}

static gboolean is_list(const struct key *k)
{
    if (k->id >= BAKE_N_ATTRS)
        return FALSE;
    enum bake_kind kind = bake_attrs[k->id].kind;
    return kind == BAKE_KIND_LIST || kind == BAKE_KIND_ENTRIES || kind == BAKE_KIND_SSH;
}

static struct override *find_override(GPtrArray *list, const struct setting *s)
{
    for (guint i = 0; i < list->len; i++) {
        struct override *o = list->pdata[i];
        if (o->key == s->key && g_strcmp0(o->name, s->name) == 0)
            return o;
    }
    struct override *o = g_new0(struct override, 1);
    o->key = s->key;
    o->name = g_strdup(s->name);
    o->values = bake_list_new();
    g_ptr_array_add(list, o);
    return o;
}

static void add_to_target(struct overrides *all, const char *target, const struct setting *s)
{
    GPtrArray *list = g_hash_table_lookup(all->targets, target);
    if (!list) {
        list = g_ptr_array_new_with_free_func(override_free);
        g_hash_table_insert(all->targets, g_strdup(target), list);
    }
    struct override *o = find_override(list, s);
    o->append = s->append;
    if (!is_list(s->key))
        g_ptr_array_set_size(o->values, 0);
    g_ptr_array_add(o->values, g_strdup(s->value));
}

/* Into the target of that name, else into all that match. */
static gboolean add_setting(struct overrides *all, const struct bake_defs *defs,
                            const struct setting *s, const char *text, GError **err)
{
    gboolean found = FALSE;
    if (!s->value)
        return TRUE;
    if (g_hash_table_contains(defs->target_names, s->pattern)) {
        add_to_target(all, s->pattern, s);
        return TRUE;
    }
    if (!pattern_check(s->pattern, err)) {
        g_prefix_error(err, "--set %s: ", text);
        error_as_usage(err);
        return FALSE;
    }
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    for (guint i = 0; i < defs->targets->len; i++) {
        const struct bake_target *t = defs->targets->pdata[i];
        g_ptr_array_add(names, t->name);
        if (!pattern_match(s->pattern, t->name))
            continue;
        found = TRUE;
        add_to_target(all, t->name, s);
    }
    if (found)
        return TRUE;
    const char *near = suggest_nearest(s->pattern, (const char *const *)names->pdata, names->len);
    return error_set(err, VARVE_ERROR_USAGE, "--set %s: no target matches %s%s%s%s", text,
                     s->pattern, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

struct overrides *overrides_new(char **texts, const struct bake_defs *defs, GHashTable *environment,
                                GError **err)
{
    g_autoptr(overrides) all = g_new0(struct overrides, 1);
    all->targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, list_free);
    for (char **t = texts; t && *t; t++) {
        struct setting s = {0};
        gboolean ok = read_setting(&s, *t, environment, err) && add_setting(all, defs, &s, *t, err);
        setting_clear(&s);
        if (!ok)
            return NULL;
    }
    return g_steal_pointer(&all);
}

void overrides_free(struct overrides *o)
{
    if (!o)
        return;
    g_hash_table_unref(o->targets);
    g_free(o);
}

/* Outputs. */

static const char *entry_type(const GPtrArray *outputs, guint i)
{
    const char *type = g_hash_table_lookup(outputs->pdata[i], "type");
    return type ? type : "";
}

static void add_output(struct bake_target *t, const char *type, const char *key, const char *value)
{
    GHashTable *entry = bake_map_new();
    g_hash_table_insert(entry, g_strdup("type"), g_strdup(type));
    if (key)
        g_hash_table_insert(entry, g_strdup(key), g_strdup(value));
    if (!t->output)
        t->output = bake_entries_new();
    g_ptr_array_add(t->output, entry);
}

/* Images are pushed; when there is nothing but what goes to Docker, one that is pushed is added. */
static void apply_push(struct bake_target *t, gboolean push)
{
    gboolean only_docker = TRUE;
    for (guint i = 0; t->output && i < t->output->len; i++) {
        const char *type = entry_type(t->output, i);
        if (strcmp(type, "image") == 0)
            g_hash_table_insert(t->output->pdata[i], g_strdup("push"),
                                g_strdup(push ? "true" : "false"));
        if (strcmp(type, "docker") != 0)
            only_docker = FALSE;
        if (!push && strcmp(type, "registry") == 0)
            g_ptr_array_remove_index_fast(t->output, i--); /* the order is Docker's */
    }
    if (push && only_docker)
        add_output(t, "image", "push", "true");
}

static void apply_load(struct bake_target *t)
{
    static const char *const images[] = {"image", "registry", "oci", "docker", NULL};
    for (guint i = 0; t->output && i < t->output->len; i++) {
        const char *type = entry_type(t->output, i);
        gboolean to_file = g_hash_table_contains(t->output->pdata[i], "dest");
        if (!g_strv_contains(images, type) || (strcmp(type, "docker") == 0 && !to_file))
            return;
    }
    add_output(t, "docker", NULL, NULL);
}

static gboolean apply_bool(struct bake_target *t, const struct override *o, GError **err)
{
    const char *value = o->values->pdata[0];
    gboolean on;
    if (!boolean_parse(value, &on))
        return error_set(err, VARVE_ERROR_USAGE, "--set %s.%s=%s: must be true or false", t->name,
                         o->key->name, value);
    if (o->key->id == KEY_PUSH)
        apply_push(t, on);
    else if (o->key->id == KEY_LOAD && on)
        apply_load(t);
    else if (o->key->id < BAKE_N_ATTRS)
        G_STRUCT_MEMBER(enum bake_bool, t, bake_attrs[o->key->id].offset) =
            on ? BAKE_TRUE : BAKE_FALSE;
    return TRUE;
}

static gboolean append_value(GPtrArray *list, guint id, const char *value, GError **err)
{
    if (bake_attrs[id].kind == BAKE_KIND_SSH)
        return bakecsv_ssh(list, value, err);
    if (bake_attrs[id].kind == BAKE_KIND_ENTRIES)
        return bakecsv_entry(list, id, value, err);
    g_ptr_array_add(list, g_strdup(value));
    return TRUE;
}

static gboolean apply_list(struct bake_target *t, const struct override *o, GError **err)
{
    guint id = o->key->id;
    enum bake_kind kind = bake_attrs[id].kind;
    GPtrArray **list = G_STRUCT_MEMBER_P(t, bake_attrs[id].offset);
    /* What the user sets has no place in a file, which is how it is told apart. */
    if (!o->append && !o->key->append)
        bake_target_unset(t, id);
    if (!*list)
        *list = kind == BAKE_KIND_LIST  ? bake_list_new()
                : kind == BAKE_KIND_SSH ? bake_sshs_new()
                                        : bake_entries_new();
    for (guint i = 0; i < o->values->len; i++)
        if (!append_value(*list, id, o->values->pdata[i], err)) {
            g_prefix_error(err, "--set %s.%s=%s: ", t->name, o->key->name,
                           (char *)o->values->pdata[i]);
            error_as_usage(err);
            return FALSE;
        }
    return TRUE;
}

static void apply_map(struct bake_target *t, const struct override *o)
{
    GHashTable **map = G_STRUCT_MEMBER_P(t, bake_attrs[o->key->id].offset);
    if (!*map)
        *map = bake_map_new();
    g_hash_table_insert(*map, g_strdup(o->name), g_strdup(o->values->pdata[0]));
}

static gboolean apply_override(struct bake_target *t, const struct override *o, GError **err)
{
    guint id = o->key->id;
    if (id >= BAKE_N_ATTRS || bake_attrs[id].kind == BAKE_KIND_BOOL)
        return apply_bool(t, o, err);
    if (is_list(o->key))
        return apply_list(t, o, err);
    if (bake_attrs[id].kind == BAKE_KIND_MAP) {
        apply_map(t, o);
        return TRUE;
    }
    char **text = G_STRUCT_MEMBER_P(t, bake_attrs[id].offset);
    t->where[id] = (struct bake_where){0};
    g_free(*text);
    *text = g_strdup(o->values->pdata[0]);
    return TRUE;
}

gboolean overrides_apply(const struct overrides *all, struct bake_target *t, const char *name,
                         GError **err)
{
    GPtrArray *list = g_hash_table_lookup(all->targets, name);
    for (guint i = 0; list && i < list->len; i++)
        if (!apply_override(t, list->pdata[i], err))
            return FALSE;
    return TRUE;
}
