/* Values of HCL ↔ attributes of targets. */
#include "bake/bakecsv.h"
#include "bake/moduling.h"

#include "base/error.h"

#include <string.h>

/* The text of a string value; NULL with an error when it cannot be a C string. */
static const char *plain_text(const struct value *v, GError **err)
{
    if (strlen(v->text.bytes) == v->text.len)
        return v->text.bytes;
    error_set(err, VARVE_ERROR_INVALID, "a text with a NUL character cannot be used here");
    return NULL;
}

static gboolean decode_text(struct module *m, const struct value *v, char **out, GError **err)
{
    const struct value *s = value_convert(m->heap, v, &type_string, err);
    const char *text = s ? plain_text(s, err) : NULL;
    if (!text)
        return FALSE;
    g_free(*out);
    *out = g_strdup(text);
    return TRUE;
}

static gboolean decode_bool(struct module *m, const struct value *v, enum bake_bool *out,
                            GError **err)
{
    const struct value *b = value_convert(m->heap, v, &type_bool, err);
    if (!b)
        return FALSE;
    *out = b->boolean ? BAKE_TRUE : BAKE_FALSE;
    return TRUE;
}

static gboolean decode_list(struct module *m, const struct value *v, GPtrArray *out, GError **err)
{
    const struct value *list = value_convert(m->heap, v, &type_list_string, err);
    if (!list)
        return FALSE;
    for (guint i = 0; i < list->n; i++) {
        if (list->items[i]->null)
            return error_set(err, VARVE_ERROR_INVALID, "element %u is null", i);
        const char *text = plain_text(list->items[i], err);
        if (!text)
            return FALSE;
        g_ptr_array_add(out, g_strdup(text));
    }
    return TRUE;
}

static gboolean decode_map(struct module *m, const struct value *v, gboolean nulls, GHashTable *out,
                           GError **err)
{
    const struct value *map = value_convert(m->heap, v, &type_map_string, err);
    if (!map)
        return FALSE;
    for (guint i = 0; i < map->n; i++) {
        const struct value *item = map->items[i];
        const char *text = NULL;
        if (item->null && !nulls)
            return error_set(err, VARVE_ERROR_INVALID, "\"%s\" is null", map->keys[i].bytes);
        if (!item->null && !(text = plain_text(item, err)))
            return FALSE;
        g_hash_table_insert(out, g_strdup(map->keys[i].bytes), g_strdup(text));
    }
    return TRUE;
}

/* An object of texts; what is null is left out. */
static GHashTable *decode_object(struct module *m, const struct value *v, GError **err)
{
    g_autoptr(GHashTable) entry = bake_map_new();
    for (guint i = 0; i < v->n; i++) {
        char *text = NULL;
        if (v->items[i]->null)
            continue;
        if (!decode_text(m, v->items[i], &text, err)) {
            g_prefix_error(err, "\"%s\": ", v->keys[i].bytes);
            return NULL;
        }
        g_hash_table_insert(entry, g_strdup(v->keys[i].bytes), text);
    }
    return g_steal_pointer(&entry);
}

static gboolean decode_ssh_object(struct module *m, const struct value *v, GPtrArray *out,
                                  GError **err)
{
    const struct value *id = value_get(v, TEXT("id")), *paths = value_get(v, TEXT("paths"));
    char *name = NULL;
    if (id && !id->null && !decode_text(m, id, &name, err))
        return FALSE;
    struct bake_ssh *s = bake_ssh_new(name ? name : "");
    g_free(name);
    g_ptr_array_add(out, s);
    if (paths && !paths->null && !decode_list(m, paths, s->paths, err)) {
        g_prefix_error(err, "\"paths\": ");
        return FALSE;
    }
    return TRUE;
}

static gboolean decode_entry(struct module *m, enum bake_attr_id id, const struct value *v,
                             GPtrArray *out, GError **err)
{
    if (v->kind == TYPE_STRING && !v->null) {
        const char *text = plain_text(v, err);
        return text &&
               (id == BAKE_SSH ? bakecsv_ssh(out, text, err) : bakecsv_entry(out, id, text, err));
    }
    if (!value_mapping(v))
        return error_set(err, VARVE_ERROR_INVALID, "must be a text or an object, not %s",
                         v->null ? "null" : type_name(m->heap, v->type));
    if (id == BAKE_SSH)
        return decode_ssh_object(m, v, out, err);
    GHashTable *entry = decode_object(m, v, err);
    return entry && bakecsv_object(out, id, entry, err);
}

static gboolean decode_entries(struct module *m, enum bake_attr_id id, const struct value *v,
                               GPtrArray *out, GError **err)
{
    if (!value_sequence(v)) {
        error_set(err, VARVE_ERROR_INVALID, "must be a list of texts or objects, not %s",
                  type_name(m->heap, v->type));
        if (v->kind == TYPE_STRING || value_mapping(v))
            error_add_next(err, "put it in square brackets");
        return FALSE;
    }
    for (guint i = 0; i < v->n; i++)
        if (!decode_entry(m, id, v->items[i], out, err)) {
            g_prefix_error(err, "element %u: ", i);
            return FALSE;
        }
    return TRUE;
}

static gboolean decode_into(struct module *m, enum bake_attr_id id, const struct value *v,
                            gpointer field, GError **err)
{
    GPtrArray **list = field;
    GHashTable **map = field;
    switch (bake_attrs[id].kind) {
    case BAKE_KIND_TEXT:
        return decode_text(m, v, field, err);
    case BAKE_KIND_BOOL:
        return decode_bool(m, v, field, err);
    case BAKE_KIND_LIST:
        *list = bake_list_new();
        return decode_list(m, v, *list, err);
    case BAKE_KIND_MAP:
        *map = bake_map_new();
        return decode_map(m, v, id != BAKE_CONTEXTS, *map, err);
    case BAKE_KIND_ENTRIES:
        *list = bake_entries_new();
        return decode_entries(m, id, v, *list, err);
    case BAKE_KIND_SSH:
        *list = bake_sshs_new();
        return decode_entries(m, id, v, *list, err);
    }
    return FALSE;
}

gboolean decode_value(struct module *m, enum bake_attr_id id, const struct value *v,
                      struct bake_target *t, GError **err)
{
    bake_target_unset(t, id);
    if (decode_into(m, id, v, G_STRUCT_MEMBER_P(t, bake_attrs[id].offset), err))
        return TRUE;
    bake_target_unset(t, id);
    g_prefix_error(err, "%s: ", bake_attrs[id].name);
    return FALSE;
}

/* Back. */

static const struct value *text_value(struct module *m, const char *text)
{
    return text ? value_cstring(m->heap, text) : value_null_of(m->heap, &type_string);
}

static const struct value *list_value(struct module *m, const GPtrArray *list)
{
    const struct value **items = heap_array(m->heap, const struct value *, list->len);
    for (guint i = 0; i < list->len; i++)
        items[i] = text_value(m, list->pdata[i]);
    return value_list(m->heap, &type_string, items, list->len);
}

static const struct value *map_value(struct module *m, GHashTable *map)
{
    guint n = g_hash_table_size(map), i = 0;
    const struct value **items = heap_array(m->heap, const struct value *, n);
    struct text *keys = heap_array(m->heap, struct text, n);
    GHashTableIter it;
    gpointer key, value;
    g_hash_table_iter_init(&it, map);
    for (; g_hash_table_iter_next(&it, &key, &value); i++) {
        keys[i] = value_cstring(m->heap, key)->text;
        items[i] = text_value(m, value);
    }
    return value_map(m->heap, &type_string, keys, items, n);
}

static const struct value *secret_value(struct module *m, GHashTable *entry)
{
    static const char *const names[] = {"env", "id", "src"};
    const struct value **items = heap_array(m->heap, const struct value *, G_N_ELEMENTS(names));
    struct text *keys = heap_array(m->heap, struct text, G_N_ELEMENTS(names));
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *text = g_hash_table_lookup(entry, names[i]);
        keys[i] = (struct text){names[i], strlen(names[i])};
        items[i] = value_cstring(m->heap, text ? text : "");
    }
    return value_object(m->heap, keys, items, G_N_ELEMENTS(names));
}

static const struct value *ssh_value(struct module *m, const struct bake_ssh *s)
{
    const struct value **items = heap_array(m->heap, const struct value *, 2);
    struct text *keys = heap_array(m->heap, struct text, 2);
    keys[0] = (struct text)TEXT("id");
    keys[1] = (struct text)TEXT("paths");
    items[0] = value_cstring(m->heap, s->id);
    items[1] = list_value(m, s->paths);
    return value_object(m->heap, keys, items, 2);
}

static const struct value *entries_value(struct module *m, enum bake_attr_id id,
                                         const GPtrArray *list)
{
    const struct value **items = heap_array(m->heap, const struct value *, list->len);
    for (guint i = 0; i < list->len; i++)
        items[i] = id == BAKE_SSH      ? ssh_value(m, list->pdata[i])
                   : id == BAKE_SECRET ? secret_value(m, list->pdata[i])
                                       : map_value(m, list->pdata[i]);
    if (list->len == 0)
        return value_list(m->heap, &type_map_string, items, 0);
    return value_list(m->heap, items[0]->type, items, list->len);
}

/* What was not set is null, but an empty list where entries would be. */
static const struct value *unset_value(struct module *m, enum bake_kind kind)
{
    if (kind != BAKE_KIND_ENTRIES && kind != BAKE_KIND_SSH)
        return &value_null;
    return value_list(m->heap, &type_map_string, NULL, 0);
}

const struct value *decode_back(struct module *m, enum bake_attr_id id, const struct bake_target *t)
{
    const struct bake_attr *a = &bake_attrs[id];
    gconstpointer field = G_STRUCT_MEMBER_P(t, a->offset);
    if (id == BAKE_DESCRIPTION && !t->description)
        return value_cstring(m->heap, "");
    if (a->kind == BAKE_KIND_TEXT)
        return text_value(m, *(char *const *)field);
    if (!bake_target_has(t, id))
        return unset_value(m, a->kind);
    if (a->kind == BAKE_KIND_BOOL)
        return value_bool(*(const enum bake_bool *)field == BAKE_TRUE);
    if (a->kind == BAKE_KIND_LIST)
        return list_value(m, *(GPtrArray *const *)field);
    if (a->kind == BAKE_KIND_MAP)
        return map_value(m, *(GHashTable *const *)field);
    return entries_value(m, id, *(GPtrArray *const *)field);
}
