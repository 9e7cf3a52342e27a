#include "printed.h"

#include "base/path.h"

#include <string.h>

static json_t *printed_list(GPtrArray *list)
{
    json_t *out = json_array();
    for (guint i = 0; i < list->len; i++)
        json_array_append_new(out, json_string(g_ptr_array_index(list, i)));
    return out;
}

/* "${" and "%{" are doubled, where bake files would read them as templates. */
static json_t *printed_text(const char *s, gboolean escaped)
{
    g_autoptr(GString) text = g_string_new(s);
    if (escaped) {
        g_string_replace(text, "${", "$${", 0);
        g_string_replace(text, "%{", "%%{", 0);
    }
    return json_string(text->str);
}

static json_t *printed_map(GHashTable *map, gboolean escaped)
{
    json_t *out = json_object();
    GHashTableIter it;
    gpointer k, v;
    g_hash_table_iter_init(&it, map);
    while (g_hash_table_iter_next(&it, &k, &v)) {
        gboolean flag = !strcmp(k, "disabled");
        json_object_set_new(out, k, flag ? json_true() : printed_text(v, escaped));
    }
    return out;
}

static json_t *printed_entries(GPtrArray *entries)
{
    json_t *out = json_array();
    for (guint i = 0; i < entries->len; i++)
        json_array_append_new(out, printed_map(g_ptr_array_index(entries, i), FALSE));
    return out;
}

static json_t *printed_ssh(GPtrArray *list)
{
    json_t *out = json_array();
    for (guint i = 0; i < list->len; i++) {
        const struct bake_ssh *s = g_ptr_array_index(list, i);
        json_t *one = json_object();
        json_object_set_new(one, "id", json_string(s->id));
        if (s->paths->len)
            json_object_set_new(one, "paths", printed_list(s->paths));
        json_array_append_new(out, one);
    }
    return out;
}

static json_t *printed_attr(const struct bake_target *t, enum bake_attr_id id)
{
    gpointer field = *(gpointer *)((char *)t + bake_attrs[id].offset);
    gboolean escaped = id == BAKE_ARGS || id == BAKE_LABELS || id == BAKE_EXTRA_HOSTS ||
                       id == BAKE_DOCKERFILE_INLINE;
    switch (bake_attrs[id].kind) {
    case BAKE_KIND_TEXT:
        if (id == BAKE_CONTEXT && *(const char *)field == '/') {
            g_autofree char *clean = path_clean(field);
            return json_string(clean);
        }
        return printed_text(field, escaped);
    case BAKE_KIND_BOOL:
        return json_boolean(*(enum bake_bool *)((char *)t + bake_attrs[id].offset) == BAKE_TRUE);
    case BAKE_KIND_LIST:
        return printed_list(field);
    case BAKE_KIND_MAP:
        return printed_map(field, escaped);
    case BAKE_KIND_ENTRIES:
        return printed_entries(field);
    case BAKE_KIND_SSH:
        return printed_ssh(field);
    }
    g_assert_not_reached();
}

json_t *printed_targets(const struct bake_defs *defs)
{
    json_t *out = json_object();
    for (guint i = 0; i < defs->targets->len; i++) {
        struct bake_target *t = g_ptr_array_index(defs->targets, i);
        json_t *one = json_object();
        bake_target_normalise(t);
        json_object_set_new(one, "context", json_string("."));
        json_object_set_new(one, "dockerfile", json_string("Dockerfile"));
        for (guint id = 0; id < BAKE_N_ATTRS; id++) {
            json_t *v = bake_target_has(t, id) ? printed_attr(t, id) : NULL;
            gboolean empty = json_is_array(v)    ? !json_array_size(v)
                             : json_is_object(v) ? !json_object_size(v)
                                                 : FALSE;
            if (v && !empty)
                json_object_set_new(one, bake_attrs[id].name, v);
            else
                json_decref(v);
        }
        json_object_set_new(out, t->name, one);
    }
    return out;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *printed_group(const struct bake_defs *defs, const char *name)
{
    struct bake_group *g = g_hash_table_lookup(defs->group_names, name);
    if (!g)
        return json_null();
    g_ptr_array_sort(g->targets, compare_names);
    json_t *list = json_array();
    for (guint i = 0; i < g->targets->len; i++) {
        const char *target = g_ptr_array_index(g->targets, i);
        if (!i || strcmp(target, g_ptr_array_index(g->targets, i - 1)))
            json_array_append_new(list, json_string(target));
    }
    return list;
}
