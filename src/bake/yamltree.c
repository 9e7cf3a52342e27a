#include "bake/yaml.h"

#include "base/error.h"

#include <string.h>

#define INDEX_FROM 16 /* entries of a map from which on it has an index */

struct yaml_pool *yaml_pool_new(void)
{
    struct yaml_pool *p = g_new0(struct yaml_pool, 1);
    p->arena = arena_new();
    p->tables = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    p->texts = g_ptr_array_new_with_free_func((GDestroyNotify)diags_free);
    p->max_values = YAML_MAX_VALUES;
    return p;
}

void yaml_pool_free(struct yaml_pool *p)
{
    if (!p)
        return;
    g_ptr_array_unref(p->tables);
    g_ptr_array_unref(p->texts);
    arena_free(p->arena);
    g_free(p);
}

gboolean yaml_fail(struct yaml_pool *p, struct bake_where at, GError **err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    g_autofree char *message = g_strdup_vprintf(fmt, args);
    va_end(args);
    p->at = at;
    return error_set(err, VARVE_ERROR_INVALID, "%s", message);
}

const char *yaml_kind_name(const struct yaml *v)
{
    static const char *const names[] = {"null",   "true or false", "a number", "a number",
                                        "a date", "a string",      "a list",   "a map"};
    return names[v->kind];
}

gboolean yaml_is_scalar(const struct yaml *v)
{
    return v->kind != YAML_NULL && v->kind < YAML_LIST;
}

static gpointer grown(struct yaml_pool *p, gpointer old, struct yaml *v, gsize size)
{
    if (v->n < v->room)
        return old;
    v->room = MAX(v->room * 2, 4);
    gpointer fresh = arena_alloc(p->arena, v->room * size);
    if (v->n)
        memcpy(fresh, old, v->n * size);
    return fresh;
}

struct yaml_entry *yaml_entry(const struct yaml *m, const char *key)
{
    if (!m || m->kind != YAML_MAP)
        return NULL;
    if (m->index) {
        guint i = GPOINTER_TO_UINT(g_hash_table_lookup(m->index, key));
        return i ? &m->entries[i - 1] : NULL;
    }
    for (guint i = 0; i < m->n; i++)
        if (!strcmp(m->entries[i].key, key))
            return &m->entries[i];
    return NULL;
}

struct yaml *yaml_get(const struct yaml *m, const char *key)
{
    const struct yaml_entry *e = yaml_entry(m, key);
    return e && e->value->mark != YAML_RESET ? e->value : NULL;
}

struct yaml *yaml_new(struct yaml_pool *p, enum yaml_kind kind, struct bake_where at, GError **err)
{
    if (p->values >= p->max_values) {
        yaml_fail(p, at, err, "more than %u values, those of aliases included", p->max_values);
        return NULL;
    }
    p->values++;
    struct yaml *v = arena_new_of(p->arena, struct yaml);
    v->kind = kind;
    v->at = at;
    v->text = "";
    return v;
}

struct yaml *yaml_new_text(struct yaml_pool *p, const char *text, struct bake_where at,
                           GError **err)
{
    struct yaml *v = yaml_new(p, YAML_TEXT, at, err);
    if (v)
        v->text = text;
    return v;
}

void yaml_append(struct yaml_pool *p, struct yaml *list, struct yaml *value)
{
    list->items = grown(p, list->items, list, sizeof *list->items);
    list->items[list->n++] = value;
}

/* Makes the index, or adds the last entry to it. */
static void index_last(struct yaml_pool *p, struct yaml *map)
{
    guint from = map->n - 1;
    if (!map->index) {
        if (map->n < INDEX_FROM)
            return;
        map->index = g_hash_table_new(g_str_hash, g_str_equal);
        g_ptr_array_add(p->tables, map->index);
        from = 0;
    }
    for (guint i = from; i < map->n; i++)
        g_hash_table_insert(map->index, (gpointer)map->entries[i].key, GUINT_TO_POINTER(i + 1));
}

void yaml_set(struct yaml_pool *p, struct yaml *map, const char *key, struct bake_where at,
              struct yaml *value)
{
    struct yaml_entry *e = yaml_entry(map, key);
    if (e) {
        e->value = value;
        e->at = at;
        return;
    }
    map->entries = grown(p, map->entries, map, sizeof *map->entries);
    map->entries[map->n++] = (struct yaml_entry){key, at, value};
    index_last(p, map);
}

void yaml_remove(struct yaml *map, const char *key)
{
    struct yaml_entry *e = yaml_entry(map, key);
    if (!e)
        return;
    guint i = (guint)(e - map->entries);
    map->n--;
    memmove(e, e + 1, (map->n - i) * sizeof *e);
    if (!map->index)
        return;
    g_hash_table_remove(map->index, key);
    for (; i < map->n; i++)
        g_hash_table_insert(map->index, (gpointer)map->entries[i].key, GUINT_TO_POINTER(i + 1));
}

struct yaml *yaml_copy(struct yaml_pool *p, const struct yaml *v, GError **err)
{
    struct yaml *copy = yaml_new(p, v->kind, v->at, err);
    if (!copy)
        return NULL;
    copy->mark = v->mark;
    copy->done = v->done;
    copy->text = v->text;
    for (guint i = 0; i < v->n; i++) {
        const struct yaml_entry *e = v->kind == YAML_MAP ? &v->entries[i] : NULL;
        struct yaml *child = yaml_copy(p, e ? e->value : v->items[i], err);
        if (!child)
            return NULL;
        if (e)
            yaml_set(p, copy, e->key, e->at, child);
        else
            yaml_append(p, copy, child);
    }
    return copy;
}
