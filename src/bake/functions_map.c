/* Functions of maps and objects, and coalesce(). */
#include "bake/function.h"

#include <string.h>

static const struct param KEYS[] = {{"inputMap", &type_any, FALSE}};
static const struct param VALUES[] = {{"mapping", &type_any, FALSE}};
static const struct param LOOKUP[] = {
    {"inputMap", &type_any, FALSE}, {"key", &type_string, FALSE}, {"default", &type_any, FALSE}};
static const struct param ZIPMAP[] = {{"keys", &type_list_string, FALSE},
                                      {"values", &type_any, FALSE}};
static const struct param MAPS = {"maps", &type_any, TRUE};
static const struct param NULLABLE = {"vals", &type_any, TRUE};

static gboolean arg_mapping(struct call *c, const struct value *const *args, guint i, GError **err)
{
    if (args[i]->kind == TYPE_MAP || args[i]->kind == TYPE_OBJECT)
        return TRUE;
    call_bad_arg(c, (int)i, err, "a map or object is needed, not %s",
                 type_name(c->heap, args[i]->type));
    return FALSE;
}

static const struct value *call_keys(struct call *c, const struct value *const *args, guint n,
                                     GError **err)
{
    const struct value *v = args[0];
    const struct value **items = heap_array(c->heap, const struct value *, v->n);
    if (!arg_mapping(c, args, 0, err))
        return NULL;
    for (guint i = 0; i < v->n; i++)
        items[i] = value_string(c->heap, v->keys[i].bytes, v->keys[i].len);
    return v->kind == TYPE_MAP ? value_list(c->heap, &type_string, items, v->n)
                               : value_tuple(c->heap, items, v->n);
}

static const struct value *call_values(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    const struct value *v = args[0];
    if (!arg_mapping(c, args, 0, err))
        return NULL;
    return v->kind == TYPE_MAP ? value_list(c->heap, v->type->element, v->items, v->n)
                               : value_tuple(c->heap, v->items, v->n);
}

static const struct value *call_lookup(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    const struct value *v = args[0], *fallback = args[2];
    if (!arg_mapping(c, args, 0, err))
        return NULL;
    if (v->kind == TYPE_MAP &&
        !(fallback = value_convert(c->heap, fallback, v->type->element, err))) {
        g_prefix_error(err, "the default must have the type of the map's elements: ");
        c->bad_arg = 2;
        return NULL;
    }
    const struct value *item = value_get(v, args[1]->text);
    return item ? item : fallback;
}

/* Whether all arguments are of the same type. */
static gboolean types_match(const struct value *const *args, guint n)
{
    for (guint i = 1; i < n; i++)
        if (args[i]->type != args[0]->type)
            return FALSE;
    return TRUE;
}

/* All keys and items, one argument after the other. */
static gboolean pairs_concat(struct heap *h, const struct value *const *args, guint n,
                             struct text **keys, const struct value ***items, guint *total,
                             GError **err)
{
    gsize sum = 0, at = 0;
    for (guint i = 0; i < n; i++)
        sum += args[i]->null ? 0 : args[i]->n;
    if (sum > G_MAXUINT || !heap_step(h, sum, err) ||
        !heap_reserve(h, sum * (sizeof(gpointer) + sizeof(**keys)), err))
        return FALSE;
    *keys = heap_array(h, struct text, sum);
    *items = heap_array(h, const struct value *, sum);
    for (guint i = 0; i < n; i++)
        for (guint k = 0; !args[i]->null && k < args[i]->n; k++, at++) {
            (*keys)[at] = args[i]->keys[k];
            (*items)[at] = args[i]->items[k];
        }
    *total = (guint)sum;
    return TRUE;
}

static const struct value *call_merge(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    struct text *keys;
    const struct value **items;
    guint total;
    for (guint i = 0; i < n; i++)
        if (args[i]->kind != TYPE_ANY && !arg_mapping(c, args, i, err))
            return NULL;
    if (!pairs_concat(c->heap, args, n, &keys, &items, &total, err))
        return NULL;
    if (n > 0 && args[0]->kind == TYPE_MAP && types_match(args, n))
        return value_map(c->heap, args[0]->type->element, keys, items, total);
    return value_object(c->heap, keys, items, total);
}

static const struct value *call_zipmap(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    const struct value *v = args[1];
    struct text *keys = heap_array(c->heap, struct text, args[0]->n);
    if (v->kind != TYPE_LIST && v->kind != TYPE_TUPLE)
        return call_bad_arg(c, 1, err, "a list or tuple is needed, not %s",
                            type_name(c->heap, v->type));
    if (v->n != args[0]->n)
        return call_fail(err, "there are %u keys, but %u values", args[0]->n, v->n);
    for (guint i = 0; i < v->n; i++) {
        if (args[0]->items[i]->null)
            return call_bad_arg(c, 0, err, "element %u is null", i);
        keys[i] = args[0]->items[i]->text;
    }
    return v->kind == TYPE_LIST ? value_map(c->heap, v->type->element, keys, v->items, v->n)
                                : value_object(c->heap, keys, v->items, v->n);
}

/* Whether there is a null without type, and all else are maps, lists, tuples and so on of one kind:
 * then cty looks for no common type. */
static gboolean types_open(const struct value *const *args, guint n)
{
    enum type_kind kind = TYPE_ANY;
    gboolean open = FALSE;
    for (guint i = 0; i < n; i++) {
        enum type_kind own = args[i]->kind;
        open |= own == TYPE_ANY;
        if (own != TYPE_ANY && (own < TYPE_LIST || (kind != TYPE_ANY && kind != own)))
            return FALSE;
        kind = own == TYPE_ANY ? kind : own;
    }
    return open;
}

static const struct value *call_coalesce(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    const struct type **types = heap_array(c->heap, const struct type *, n);
    for (guint i = 0; i < n; i++)
        types[i] = args[i]->type;
    const struct type *type = types_open(args, n) ? &type_any : type_unify(c->heap, types, n, TRUE);
    if (!type)
        return call_fail(err, n ? "all arguments must have the same type"
                                : "at least one argument is needed");
    for (guint i = 0; i < n; i++)
        if (!args[i]->null)
            return value_convert(c->heap, args[i], type, err);
    return call_fail(err, "all arguments are null");
}

const struct function functions_map[] = {
    FUNCTION_VARIADIC("coalesce", &NULLABLE, call_coalesce),
    FUNCTION("keys", KEYS, NULL, call_keys),
    FUNCTION("lookup", LOOKUP, NULL, call_lookup),
    FUNCTION_VARIADIC("merge", &MAPS, call_merge),
    FUNCTION("values", VALUES, NULL, call_values),
    FUNCTION("zipmap", ZIPMAP, NULL, call_zipmap),
    {0},
};
