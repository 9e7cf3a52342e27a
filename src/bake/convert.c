/* Values as other types (cty's package convert, in its form that may fail for some values). */
#include "bake/value.h"

#include "base/error.h"

#include <string.h>

static const struct value *convert_fail(struct heap *h, const struct value *v,
                                        const struct type *to, GError **err)
{
    if (to->element && to->element->kind != TYPE_ANY)
        error_set(err, VARVE_ERROR_INVALID, "%s required", type_name(h, to));
    else
        error_set(err, VARVE_ERROR_INVALID, "%s required, not %s",
                  to->element ? (to->kind == TYPE_LIST  ? "list"
                                 : to->kind == TYPE_SET ? "set"
                                                        : "map")
                              : type_name(h, to),
                  v->null ? "null" : type_name(h, v->type));
    return NULL;
}

static const struct value *to_string(struct heap *h, const struct value *v, GError **err)
{
    g_autofree char *text = NULL;
    if (v->kind == TYPE_BOOL)
        return value_cstring(h, v->boolean ? "true" : "false");
    if (v->kind != TYPE_NUMBER)
        return convert_fail(h, v, &type_string, err);
    text = number_text(v, err);
    return text ? value_cstring(h, text) : NULL;
}

static const struct value *to_number(struct heap *h, const struct value *v, GError **err)
{
    const struct value *number = v->kind == TYPE_STRING ? value_number_parse(h, v->text) : NULL;
    if (number || v->kind != TYPE_STRING)
        return number ? number : convert_fail(h, v, &type_number, err);
    error_set(err, VARVE_ERROR_INVALID, "a number is required");
    return NULL;
}

static const struct value *to_bool(struct heap *h, const struct value *v, GError **err)
{
    if (v->kind != TYPE_STRING)
        return convert_fail(h, v, &type_bool, err);
    if (text_compare(v->text, TEXT("true")) == 0 || text_compare(v->text, TEXT("1")) == 0)
        return &value_true;
    if (text_compare(v->text, TEXT("false")) == 0 || text_compare(v->text, TEXT("0")) == 0)
        return &value_false;
    gboolean cased = g_ascii_strcasecmp(v->text.bytes, "true") == 0 ||
                     g_ascii_strcasecmp(v->text.bytes, "false") == 0;
    error_set(err, VARVE_ERROR_INVALID, "a bool is required%s",
              cased ? "; write it in lower case: true or false" : "");
    return NULL;
}

/* Converts item i of v; the error names it. */
static const struct value *convert_item(struct heap *h, const struct value *v, guint i,
                                        const struct type *to, GError **err)
{
    const struct value *item = value_convert(h, v->items[i], to, err);
    if (!item && value_mapping(v))
        g_prefix_error(err, "%s \"%s\": ", v->kind == TYPE_MAP ? "element" : "attribute",
                       v->keys[i].bytes);
    else if (!item)
        g_prefix_error(err, "element %u: ", i);
    return item;
}

static const struct value **convert_items(struct heap *h, const struct value *v,
                                          const struct type *to, GError **err)
{
    const struct value **items = heap_array(h, const struct value *, v->n + 1);
    for (guint i = 0; i < v->n; i++)
        if (!(items[i] = convert_item(h, v, i, to, err)))
            return NULL;
    return items;
}

/* The one type that values of several can have. */
static const struct type *common_type(struct heap *h, const struct value *const *items, guint n,
                                      GError **err)
{
    const struct type **types = heap_array(h, const struct type *, n);
    for (guint i = 0; i < n; i++)
        types[i] = items[i]->type;
    const struct type *t = n ? type_unify(h, types, n, TRUE) : &type_any;
    if (!t && heap_reserve(h, 0, err)) /* or no type was found because a limit was passed */
        error_set(err, VARVE_ERROR_INVALID, "all elements must have the same type");
    return t;
}

/* The items of v with one type, *element: at first what is wished, then what they have become.
 * Where the wish leaves something open they are unified after they were converted. */
static const struct value **uniform_items(struct heap *h, const struct value *v,
                                          const struct type **element, GError **err)
{
    const struct value **items = convert_items(h, v, *element, err);
    if (!items || !(*element)->open)
        return items;
    const struct type *t =
        v->n || !v->type->element ? common_type(h, items, v->n, err) : v->type->element;
    if (!t)
        return NULL;
    struct value draft = *v;
    draft.items = items;
    *element = t->kind == TYPE_ANY ? *element : t;
    return t->kind == TYPE_ANY ? items : convert_items(h, &draft, t, err);
}

static const struct value *to_collection(struct heap *h, const struct value *v,
                                         const struct type *to, GError **err)
{
    gboolean fits = to->kind == TYPE_MAP ? value_mapping(v) : value_sequence(v);
    if (!fits)
        return convert_fail(h, v, to, err);
    const struct type *element = to->element;
    const struct value **items = uniform_items(h, v, &element, err);
    if (!items)
        return NULL;
    if (to->kind == TYPE_LIST)
        return value_list(h, element, items, v->n);
    if (to->kind == TYPE_SET)
        return value_set(h, element, items, v->n);
    return value_map(h, element, v->keys, items, v->n);
}

static const struct value *to_tuple(struct heap *h, const struct value *v, const struct type *to,
                                    GError **err)
{
    if (v->kind != TYPE_TUPLE)
        return convert_fail(h, v, to, err);
    if (v->n != to->n) {
        error_set(err, VARVE_ERROR_INVALID, "a tuple of %u elements is required, not of %u", to->n,
                  v->n);
        return NULL;
    }
    const struct value **items = heap_array(h, const struct value *, v->n);
    for (guint i = 0; i < v->n; i++)
        if (!(items[i] = convert_item(h, v, i, to->fields[i], err)))
            return NULL;
    return value_tuple(h, items, v->n);
}

static gint place_of(const struct value *v, const struct value *item)
{
    for (guint i = 0; i < v->n; i++)
        if (v->items[i] == item)
            return (gint)i;
    return -1;
}

static const struct value *to_object(struct heap *h, const struct value *v, const struct type *to,
                                     GError **err)
{
    if (!value_mapping(v))
        return convert_fail(h, v, to, err);
    const struct value **items = heap_array(h, const struct value *, to->n);
    for (guint i = 0; i < to->n; i++) {
        const struct value *item = value_get(v, to->keys[i]);
        if (!item && to->optional && to->optional[i]) {
            items[i] = value_null_of(h, to->fields[i]);
        } else if (!item) {
            error_set(err, VARVE_ERROR_INVALID, "attribute \"%s\" is required", to->keys[i].bytes);
            return NULL;
        } else if (!(items[i] = convert_item(h, v, (guint)place_of(v, item), to->fields[i], err))) {
            return NULL;
        }
    }
    return value_object(h, to->keys, items, to->n);
}

/* The type that a null converted to a type has: what is any there comes from where it was. */
static const struct value *to_null(struct heap *h, const struct value *v, const struct type *to,
                                   GError **err)
{
    if (v->kind != TYPE_ANY && !type_convertible(h, v->type, to, TRUE))
        return convert_fail(h, v, to, err);
    return value_null_of(h, to);
}

const struct value *value_convert(struct heap *h, const struct value *v, const struct type *to,
                                  GError **err)
{
    if (to->kind == TYPE_ANY || v->type == to)
        return v;
    if (!heap_step(h, 1, err))
        return NULL;
    if (v->null)
        return to_null(h, v, to, err);
    switch (to->kind) {
    case TYPE_STRING:
        return to_string(h, v, err);
    case TYPE_NUMBER:
        return to_number(h, v, err);
    case TYPE_BOOL:
        return to_bool(h, v, err);
    case TYPE_TUPLE:
        return to_tuple(h, v, to, err);
    case TYPE_OBJECT:
        return to_object(h, v, to, err);
    default:
        return to_collection(h, v, to, err);
    }
}
