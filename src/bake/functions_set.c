/* Functions of sets. */
#include "bake/function.h"

#include <string.h>

static const struct param SET_ELEMENT[] = {{"set", &type_set_any, FALSE},
                                           {"elem", &type_any, FALSE}};
static const struct param FIRST_SET[] = {{"first_set", &type_set_any, FALSE}};
static const struct param TWO_SETS[] = {{"a", &type_set_any, FALSE}, {"b", &type_set_any, FALSE}};
static const struct param OTHER_SETS = {"other_sets", &type_set_any, FALSE};
static const struct param PRODUCT = {"sets", &type_any, FALSE};

static const struct value *call_sethaselement(struct call *c, const struct value *const *args,
                                              guint n, GError **err)
{
    if (args[0]->type->element != args[1]->type)
        return &value_false;
    guint low = 0, high = args[0]->n;
    while (low < high) {
        guint middle = (low + high) / 2;
        int order = value_compare(args[1], args[0]->items[middle]);
        if (order == 0)
            return &value_true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return heap_step(c->heap, 1, err) ? &value_false : NULL;
}

/* All arguments as sets of one type; NULL when there is none. */
static const struct value **sets_unified(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    const struct value **sets = heap_array(c->heap, const struct value *, n);
    const struct type **types = heap_array(c->heap, const struct type *, n);
    guint known = 0;
    for (guint i = 0; i < n; i++)
        if (args[i]->n > 0 || args[i]->type->element->kind != TYPE_ANY)
            types[known++] = args[i]->type->element;
    const struct type *element = known ? type_unify(c->heap, types, known, TRUE) : &type_any;
    if (!element) {
        call_fail(err, "the elements of the sets have no type in common");
        return NULL;
    }
    const struct type *type = type_collection(c->heap, TYPE_SET, element);
    for (guint i = 0; i < n; i++)
        if (!(sets[i] = value_convert(c->heap, args[i], type, err))) {
            c->bad_arg = (int)i;
            return NULL;
        }
    return sets;
}

/* What of both sets is kept: elements of a only, of b only, of both. */
struct set_rule {
    gboolean a, b, both;
};

/* Goes through both sets in their order. */
static const struct value *sets_combine(struct heap *h, const struct type *element,
                                        const struct value *a, const struct value *b,
                                        struct set_rule rule)
{
    const struct value **items = heap_array(h, const struct value *, a->n + b->n);
    guint n = 0;
    for (guint i = 0, k = 0; i < a->n || k < b->n;) {
        int order = i == a->n ? 1 : k == b->n ? -1 : value_compare(a->items[i], b->items[k]);
        if (order == 0 ? rule.both : order < 0 ? rule.a : rule.b)
            items[n++] = order <= 0 ? a->items[i] : b->items[k];
        i += order <= 0;
        k += order >= 0;
    }
    return value_set(h, element, items, n);
}

static const struct value *sets_fold(struct call *c, const struct value *const *args, guint n,
                                     struct set_rule rule, GError **err)
{
    const struct value **sets = sets_unified(c, args, n, err);
    if (!sets)
        return NULL;
    const struct value *result = sets[0];
    for (guint i = 1; i < n; i++) {
        if (!heap_step(c->heap, (guint64)result->n + sets[i]->n, err))
            return NULL;
        result = sets_combine(c->heap, sets[0]->type->element, result, sets[i], rule);
    }
    return result;
}

static const struct value *call_setunion(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    return sets_fold(c, args, n, (struct set_rule){TRUE, TRUE, TRUE}, err);
}

static const struct value *call_setintersection(struct call *c, const struct value *const *args,
                                                guint n, GError **err)
{
    return sets_fold(c, args, n, (struct set_rule){FALSE, FALSE, TRUE}, err);
}

static const struct value *call_setsubtract(struct call *c, const struct value *const *args,
                                            guint n, GError **err)
{
    return sets_fold(c, args, n, (struct set_rule){TRUE, FALSE, FALSE}, err);
}

static const struct value *
call_setsymmetricdifference(struct call *c, const struct value *const *args, guint n, GError **err)
{
    return sets_fold(c, args, n, (struct set_rule){TRUE, TRUE, FALSE}, err);
}

/* The argument as a list whose elements are of one type, which is *element. */
static const struct value *product_factor(struct call *c, const struct value *const *args, guint i,
                                          GError **err)
{
    const struct value *v = args[i];
    if (v->kind != TYPE_TUPLE && v->kind != TYPE_LIST && v->kind != TYPE_SET)
        return call_bad_arg(c, (int)i, err, "a set or list is needed, not %s",
                            type_name(c->heap, v->type));
    if (v->kind != TYPE_TUPLE)
        return v;
    if (!(v = value_convert(c->heap, v, &type_list_any, err)))
        c->bad_arg = (int)i;
    return v;
}

/* Row number at of the product: the last factor changes fastest. */
static const struct value *product_row(struct heap *h, const struct value *const *factors, guint n,
                                       guint64 at)
{
    const struct value **items = heap_array(h, const struct value *, n);
    for (guint i = n; i-- > 0; at /= factors[i]->n)
        items[i] = factors[i]->items[at % factors[i]->n];
    return value_tuple(h, items, n);
}

static const struct value *call_setproduct(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    const struct value **factors = heap_array(c->heap, const struct value *, n);
    const struct type **types = heap_array(c->heap, const struct type *, n);
    gboolean set = FALSE;
    guint64 total = 1;
    if (n < 2)
        return call_fail(err, "at least two arguments are needed");
    for (guint i = 0; i < n; i++) {
        if (!(factors[i] = product_factor(c, args, i, err)))
            return NULL;
        types[i] = factors[i]->type->element;
        set |= factors[i]->kind == TYPE_SET;
        total = MIN(total * factors[i]->n, G_MAXUINT);
    }
    /* Each row is a value, an array and a pointer to it. */
    if (!heap_step(c->heap, total * n, err) ||
        !heap_reserve(c->heap, total * (sizeof(struct value) + (n + 2) * sizeof(gpointer)), err))
        return NULL;
    const struct value **rows = heap_array(c->heap, const struct value *, total);
    for (guint64 i = 0; i < total; i++)
        rows[i] = product_row(c->heap, factors, n, i);
    const struct type *element = type_tuple(c->heap, types, n);
    return set ? value_set(c->heap, element, rows, (guint)total)
               : value_list(c->heap, element, rows, (guint)total);
}

const struct function functions_set[] = {
    FUNCTION("sethaselement", SET_ELEMENT, NULL, call_sethaselement),
    FUNCTION("setintersection", FIRST_SET, &OTHER_SETS, call_setintersection),
    FUNCTION_VARIADIC("setproduct", &PRODUCT, call_setproduct),
    FUNCTION("setsubtract", TWO_SETS, NULL, call_setsubtract),
    FUNCTION("setsymmetricdifference", FIRST_SET, &OTHER_SETS, call_setsymmetricdifference),
    FUNCTION("setunion", FIRST_SET, &OTHER_SETS, call_setunion),
    {0},
};
