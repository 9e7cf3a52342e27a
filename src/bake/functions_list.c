/* Functions of lists and tuples, some of which take sets and maps, too. */
#include "bake/function.h"

#include <stdlib.h>
#include <string.h>

#define RANGE_MAX 1024 /* elements, as in cty */

static const struct param ANY_LIST[] = {{"list", &type_any, FALSE}};
static const struct param LIST[] = {{"list", &type_list_any, FALSE}};
static const struct param STRINGS[] = {{"list", &type_list_string, FALSE}};
static const struct param LIST_SIZE[] = {{"list", &type_list_any, FALSE},
                                         {"size", &type_number, FALSE}};
static const struct param LIST_INDEX[] = {{"list", &type_any, FALSE},
                                          {"index", &type_number, FALSE}};
static const struct param LIST_VALUE[] = {{"list", &type_any, FALSE}, {"value", &type_any, FALSE}};
static const struct param COLLECTION[] = {{"collection", &type_any, FALSE}};
static const struct param COLLECTION_KEY[] = {{"collection", &type_any, FALSE},
                                              {"key", &type_any, FALSE}};
static const struct param SLICE[] = {{"list", &type_any, FALSE},
                                     {"start_index", &type_number, FALSE},
                                     {"end_index", &type_number, FALSE}};
static const struct param NULLABLE = {"vals", &type_any, TRUE};
static const struct param SEQUENCES = {"seqs", &type_any, FALSE};
static const struct param RANGE = {"params", &type_number, FALSE};

static gboolean list_like(const struct value *v)
{
    return v->kind == TYPE_LIST || v->kind == TYPE_TUPLE;
}

/* Whether the first n arguments are lists or tuples. */
static gboolean args_list_like(struct call *c, const struct value *const *args, guint n,
                               GError **err)
{
    for (guint i = 0; i < n; i++)
        if (!list_like(args[i])) {
            call_bad_arg(c, (int)i, err, "a list or tuple is needed, not %s",
                         type_name(c->heap, args[i]->type));
            return FALSE;
        }
    return TRUE;
}

/* A list or a tuple, as like is one, of other elements of it. */
static const struct value *sequence_like(struct heap *h, const struct value *like,
                                         const struct value *const *items, guint n)
{
    return like->type->element ? value_list(h, like->type->element, items, n)
                               : value_tuple(h, items, n);
}

static const struct value *call_chunklist(struct call *c, const struct value *const *args, guint n,
                                          GError **err)
{
    const struct value *list = args[0];
    gint64 size;
    if (!call_int(c, args, 1, 0, G_MAXINT64, &size, err))
        return NULL;
    guint step = size == 0 || size > list->n ? MAX(list->n, 1) : (guint)size;
    guint chunks = list->n / step + (list->n % step > 0);
    const struct value **items = heap_array(c->heap, const struct value *, chunks);
    for (guint i = 0; i < chunks; i++)
        items[i] = value_list(c->heap, list->type->element, list->items + i * step,
                              MIN(step, list->n - i * step));
    return value_list(c->heap, list->type, items, chunks);
}

static const struct value *call_coalescelist(struct call *c, const struct value *const *args,
                                             guint n, GError **err)
{
    if (n == 0)
        return call_fail(err, "at least one argument is needed");
    if (!args_list_like(c, args, n, err))
        return NULL;
    for (guint i = 0; i < n; i++)
        if (!args[i]->null && args[i]->n > 0)
            return args[i];
    return call_fail(err, "all arguments are null or empty");
}

static const struct value *call_compact(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    const struct value **items = heap_array(c->heap, const struct value *, args[0]->n);
    guint kept = 0;
    for (guint i = 0; i < args[0]->n; i++)
        if (!args[0]->items[i]->null && args[0]->items[i]->text.len > 0)
            items[kept++] = args[0]->items[i];
    return value_list(c->heap, &type_string, items, kept);
}

/* The elements of all arguments, one after the other. */
static const struct value **items_concat(struct heap *h, const struct value *const *args, guint n,
                                         guint *total, GError **err)
{
    gsize sum = 0, at = 0;
    for (guint i = 0; i < n; i++)
        sum += args[i]->n;
    if (sum > G_MAXUINT || !heap_reserve(h, sum * sizeof(gpointer), err) || !heap_step(h, sum, err))
        return NULL;
    const struct value **items = heap_array(h, const struct value *, sum);
    for (guint i = 0; i < n; at += args[i++]->n)
        if (args[i]->n)
            memcpy(items + at, args[i]->items, args[i]->n * sizeof(*items));
    *total = (guint)sum;
    return items;
}

/* The list type that all arguments become, NULL if they rather become a tuple. */
static const struct type *concat_type(struct heap *h, const struct value *const *args, guint n)
{
    const struct type **types = heap_array(h, const struct type *, n);
    for (guint i = 0; i < n; i++) {
        if (args[i]->kind != TYPE_LIST)
            return NULL;
        types[i] = args[i]->type;
    }
    return type_unify(h, types, n, TRUE);
}

static const struct value *call_concat(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    guint total;
    const struct value **lists = heap_array(c->heap, const struct value *, n);
    if (n == 0)
        return call_fail(err, "at least one argument is needed");
    if (!args_list_like(c, args, n, err))
        return NULL;
    const struct type *type = concat_type(c->heap, args, n);
    for (guint i = 0; type && i < n; i++)
        if (!(lists[i] = value_convert(c->heap, args[i], type, err))) {
            c->bad_arg = (int)i;
            return NULL;
        }
    const struct value **items = items_concat(c->heap, type ? lists : args, n, &total, err);
    if (!items)
        return NULL;
    return type ? value_list(c->heap, type->element, items, total)
                : value_tuple(c->heap, items, total);
}

static const struct value *call_contains(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    if (!value_sequence(args[0]))
        return call_bad_arg(c, 0, err, "a list, tuple or set is needed, not %s",
                            type_name(c->heap, args[0]->type));
    for (guint i = 0; i < args[0]->n; i++) {
        if (!heap_step(c->heap, 1, err))
            return NULL;
        if (value_equal(c->heap, args[0]->items[i], args[1]))
            return &value_true;
    }
    return &value_false;
}

static const struct value *call_indexof(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    if (!args_list_like(c, args, 1, err))
        return NULL;
    if (args[0]->n == 0)
        return call_bad_arg(c, 0, err, "an empty list has no such element");
    for (guint i = 0; i < args[0]->n; i++) {
        if (!heap_step(c->heap, 1, err))
            return NULL;
        if (value_equal(c->heap, args[0]->items[i], args[1]))
            return value_int(c->heap, i);
    }
    return call_fail(err, "the list has no such element; contains() tells whether it has");
}

struct ranked {
    const struct value *value;
    guint place; /* in the list */
};

static int ranked_compare(gconstpointer x, gconstpointer y)
{
    const struct ranked *a = x, *b = y;
    int c = value_compare(a->value, b->value);
    return c ? c : (a->place > b->place) - (a->place < b->place);
}

static const struct value *call_distinct(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    const struct value *list = args[0];
    const struct value **items = heap_array(c->heap, const struct value *, list->n);
    struct ranked *ranked = heap_array(c->heap, struct ranked, list->n);
    gboolean *again = heap_array(c->heap, gboolean, list->n);
    guint kept = 0;
    for (guint i = 0; i < list->n; i++)
        ranked[i] = (struct ranked){list->items[i], i};
    if (!heap_step(c->heap, list->n, err))
        return NULL;
    qsort(ranked, list->n, sizeof(*ranked), ranked_compare);
    for (guint i = 1; i < list->n; i++)
        again[ranked[i].place] = value_compare(ranked[i - 1].value, ranked[i].value) == 0;
    for (guint i = 0; i < list->n; i++)
        if (!again[i])
            items[kept++] = list->items[i];
    return value_list(c->heap, list->type->element, items, kept);
}

static gboolean flatten_into(struct call *c, const struct value *v, GPtrArray *out, GError **err)
{
    for (guint i = 0; i < v->n; i++) {
        const struct value *item = v->items[i];
        if (!heap_step(c->heap, 1, err))
            return FALSE;
        if (!value_sequence(item))
            g_ptr_array_add(out, (gpointer)item);
        else if (!flatten_into(c, item, out, err))
            return FALSE;
    }
    return TRUE;
}

static const struct value *call_flatten(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    if (!value_sequence(args[0]))
        return call_bad_arg(c, 0, err, "a list, tuple or set is needed, not %s",
                            type_name(c->heap, args[0]->type));
    if (!flatten_into(c, args[0], items, err))
        return NULL;
    return value_tuple(c->heap, call_items(c->heap, items), items->len);
}

static const struct value *call_reverselist(struct call *c, const struct value *const *args,
                                            guint n, GError **err)
{
    const struct value *v = args[0];
    const struct value **items = heap_array(c->heap, const struct value *, v->n);
    if (!value_sequence(v))
        return call_bad_arg(c, 0, err, "a list or tuple is needed, not %s",
                            type_name(c->heap, v->type));
    for (guint i = 0; i < v->n; i++)
        items[i] = v->items[v->n - 1 - i];
    return sequence_like(c->heap, v, items, v->n);
}

static const struct value *call_slice(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    gint64 from, to;
    if (args[0]->kind == TYPE_SET)
        return call_bad_arg(c, 0, err, "a set has no order; convert it to a list");
    if (!args_list_like(c, args, 1, err))
        return NULL;
    if (!call_int(c, args, 1, 0, args[0]->n, &from, err) ||
        !call_int(c, args, 2, 0, args[0]->n, &to, err))
        return NULL;
    if (from > to)
        return call_bad_arg(c, 1, err, "must not be greater than the end");
    return sequence_like(c->heap, args[0], args[0]->items + from, (guint)(to - from));
}

static int strings_compare(gconstpointer x, gconstpointer y)
{
    const struct value *const *a = x, *const *b = y;
    return text_compare((*a)->text, (*b)->text);
}

static const struct value *call_sort(struct call *c, const struct value *const *args, guint n,
                                     GError **err)
{
    const struct value *list = args[0];
    const struct value **items = heap_array(c->heap, const struct value *, list->n);
    for (guint i = 0; i < list->n; i++) {
        items[i] = list->items[i];
        if (items[i]->null)
            return call_bad_arg(c, 0, err, "element %u is null, which has no order", i);
    }
    qsort(items, list->n, sizeof(*items), strings_compare);
    return value_list(c->heap, &type_string, items, list->n);
}

static const struct value *call_element(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    gint64 i;
    if (!args_list_like(c, args, 1, err))
        return NULL;
    if (!call_int(c, args, 1, 0, G_MAXINT64, &i, err))
        return NULL;
    if (args[0]->n == 0)
        return call_bad_arg(c, 0, err, "an empty list has no elements");
    return args[0]->items[i % args[0]->n];
}

/* The element with that key or index, NULL if there is none. */
static const struct value *index_find(const struct value *v, const struct value *key)
{
    gint64 i;
    if (v->kind == TYPE_MAP)
        return key->kind == TYPE_STRING ? value_get(v, key->text) : NULL;
    return value_fits_int(key, &i) && i >= 0 && i < v->n ? v->items[i] : NULL;
}

static gboolean arg_indexed(struct call *c, const struct value *const *args, GError **err)
{
    if (list_like(args[0]) || args[0]->kind == TYPE_MAP)
        return TRUE;
    call_bad_arg(c, 0, err, "a list, map or tuple is needed, not %s",
                 type_name(c->heap, args[0]->type));
    return FALSE;
}

static const struct value *call_hasindex(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    return arg_indexed(c, args, err) ? value_bool(index_find(args[0], args[1]) != NULL) : NULL;
}

static const struct value *call_index(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    if (!arg_indexed(c, args, err))
        return NULL;
    const struct value *item = index_find(args[0], args[1]);
    gboolean map = args[0]->kind == TYPE_MAP;
    if (!item && args[1]->kind != (map ? TYPE_STRING : TYPE_NUMBER))
        return call_bad_arg(c, 1, err, map ? "a string is needed" : "a number is needed");
    if (!item && map)
        return call_bad_arg(c, 1, err, "the map has no element \"%s\"", args[1]->text.bytes);
    if (!item)
        return call_bad_arg(c, 1, err, "must be a whole number from 0 to below the length, %u",
                            args[0]->n);
    return item;
}

static const struct value *call_length(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    if (!value_sequence(args[0]) && args[0]->kind != TYPE_MAP)
        return call_bad_arg(c, 0, err, "a list, tuple, set or map is needed, not %s%s",
                            type_name(c->heap, args[0]->type),
                            args[0]->kind == TYPE_STRING   ? "; use strlen()"
                            : args[0]->kind == TYPE_OBJECT ? "; use length(keys(…))"
                                                           : "");
    return value_int(c->heap, args[0]->n);
}

/* Start, end and step from one to three arguments. */
static void range_bounds(struct heap *h, const struct value *const *args, guint n,
                         const struct value **start, const struct value **end,
                         const struct value **step)
{
    *start = n > 1 ? args[0] : value_int(h, 0);
    *end = args[n > 1];
    *step = n > 2 ? args[2] : value_int(h, mpfr_less_p((*end)->number, (*start)->number) ? -1 : 1);
}

static const struct value *call_range(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    const struct value *items[RANGE_MAX], *start, *end, *step;
    guint length = 0;
    if (n < 1 || n > 3)
        return call_fail(err, "one, two or three arguments are needed");
    range_bounds(c->heap, args, n, &start, &end, &step);
    int way = mpfr_sgn(step->number);
    if (way == 0 && !mpfr_equal_p(start->number, end->number))
        return call_bad_arg(c, 2, err, "the step must not be zero");
    if (way < 0 ? mpfr_greater_p(end->number, start->number)
                : mpfr_less_p(end->number, start->number))
        return call_bad_arg(c, 1, err, "the step leads away from the end");
    const struct value *at = start;
    while (way < 0 ? mpfr_greater_p(at->number, end->number)
                   : mpfr_less_p(at->number, end->number)) {
        if (length == RANGE_MAX)
            return call_fail(err, "there would be more than %d numbers", RANGE_MAX);
        items[length++] = at;
        if (!(at = number_binary(c->heap, '+', at, step, err)))
            return NULL;
    }
    const struct value **kept = heap_array(c->heap, const struct value *, length);
    memcpy(kept, items, length * sizeof(*kept));
    return value_list(c->heap, &type_number, kept, length);
}

const struct function functions_list[] = {
    FUNCTION("chunklist", LIST_SIZE, NULL, call_chunklist),
    FUNCTION_VARIADIC("coalescelist", &NULLABLE, call_coalescelist),
    FUNCTION("compact", STRINGS, NULL, call_compact),
    FUNCTION_VARIADIC("concat", &SEQUENCES, call_concat),
    FUNCTION("contains", LIST_VALUE, NULL, call_contains),
    FUNCTION("distinct", LIST, NULL, call_distinct),
    FUNCTION("element", LIST_INDEX, NULL, call_element),
    FUNCTION("flatten", ANY_LIST, NULL, call_flatten),
    FUNCTION("hasindex", COLLECTION_KEY, NULL, call_hasindex),
    FUNCTION("index", COLLECTION_KEY, NULL, call_index),
    FUNCTION("indexof", LIST_VALUE, NULL, call_indexof),
    FUNCTION("length", COLLECTION, NULL, call_length),
    FUNCTION_VARIADIC("range", &RANGE, call_range),
    FUNCTION("reverselist", ANY_LIST, NULL, call_reverselist),
    FUNCTION("slice", SLICE, NULL, call_slice),
    FUNCTION("sort", STRINGS, NULL, call_sort),
    {0},
};
