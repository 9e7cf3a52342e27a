/* Which types convert to which, and the type that several have in common. The rules are those of
 * cty's package convert; in comments there "safe" is what never fails for a value. */
#include "bake/type.h"

static gboolean primitive(const struct type *t)
{
    return t->kind == TYPE_BOOL || t->kind == TYPE_NUMBER || t->kind == TYPE_STRING;
}

static gboolean all_convertible(struct heap *h, const struct type *from, const struct type *element,
                                gboolean unsafe)
{
    for (guint i = 0; i < from->n; i++)
        if (!type_convertible(h, from->fields[i], element, unsafe))
            return FALSE;
    return TRUE;
}

/* A structure as a collection whose elements have one type. */
static gboolean structure_convertible(struct heap *h, const struct type *from,
                                      const struct type *to, gboolean unsafe)
{
    if (to->element->kind == TYPE_ANY)
        return from->n == 0 || type_unify(h, from->fields, from->n, unsafe);
    return all_convertible(h, from, to->element, unsafe);
}

static gboolean tuple_convertible(struct heap *h, const struct type *from, const struct type *to,
                                  gboolean unsafe)
{
    if (from->n != to->n)
        return FALSE;
    for (guint i = 0; i < to->n; i++)
        if (!type_convertible(h, from->fields[i], to->fields[i], unsafe))
            return FALSE;
    return TRUE;
}

/* What is wished must be there; what is there beyond that is dropped. */
static gboolean object_convertible(struct heap *h, const struct type *from, const struct type *to,
                                   gboolean unsafe)
{
    for (guint i = 0; i < to->n; i++) {
        gint at = type_field(from, to->keys[i]);
        if (at < 0 ? !(to->optional && to->optional[i])
                   : !type_convertible(h, from->fields[at], to->fields[i], unsafe))
            return FALSE;
    }
    return TRUE;
}

static gboolean kinds_convertible(struct heap *h, const struct type *from, const struct type *to,
                                  gboolean unsafe)
{
    switch (to->kind) {
    case TYPE_STRING:
        return primitive(from);
    case TYPE_BOOL:
    case TYPE_NUMBER:
        return unsafe && from->kind == TYPE_STRING;
    case TYPE_LIST:
    case TYPE_SET:
        if (from->kind == TYPE_TUPLE)
            return structure_convertible(h, from, to, unsafe);
        return (from->kind == TYPE_SET ||
                (from->kind == TYPE_LIST && (unsafe || to->kind == TYPE_LIST))) &&
               type_convertible(h, from->element, to->element, unsafe);
    case TYPE_MAP:
        if (from->kind == TYPE_OBJECT)
            return structure_convertible(h, from, to, unsafe);
        return from->kind == TYPE_MAP && type_convertible(h, from->element, to->element, unsafe);
    case TYPE_TUPLE:
        return from->kind == TYPE_TUPLE && tuple_convertible(h, from, to, unsafe);
    case TYPE_OBJECT:
        if (from->kind == TYPE_MAP)
            return unsafe;
        return from->kind == TYPE_OBJECT && object_convertible(h, from, to, unsafe);
    case TYPE_ANY:
        break;
    }
    return TRUE;
}

gboolean type_convertible(struct heap *h, const struct type *from, const struct type *to,
                          gboolean unsafe)
{
    if (from == to || to->kind == TYPE_ANY)
        return TRUE;
    if (from->kind == TYPE_ANY)
        return unsafe;
    return heap_step(h, 1, NULL) && kinds_convertible(h, from, to, unsafe);
}

static gint type_preference(struct heap *h, const struct type *a, const struct type *b);

/* Fields in turn: one side must be preferred throughout. */
static gint structure_preference(struct heap *h, const struct type *a, const struct type *b)
{
    gboolean first = FALSE, second = FALSE;
    if (a->n != b->n)
        return 0;
    for (guint i = 0; i < a->n; i++) {
        if (a->keys && text_compare(a->keys[i], b->keys[i]) != 0)
            return 0;
        gint c = type_preference(h, a->fields[i], b->fields[i]);
        first |= c < 0;
        second |= c > 0;
    }
    return first == second ? 0 : first ? -1 : 1;
}

/* Whether values of kind b become ones of kind a rather than the reverse. */
static gboolean kind_preferred(enum type_kind a, enum type_kind b)
{
    return (a == TYPE_SET && (b == TYPE_TUPLE || b == TYPE_LIST)) ||
           (a == TYPE_LIST && b == TYPE_TUPLE) || (a == TYPE_MAP && b == TYPE_OBJECT);
}

/* Negative: a should be tried before b as the common type. Neither is any. */
static gint type_preference(struct heap *h, const struct type *a, const struct type *b)
{
    if (a == b || !heap_step(h, 1, NULL))
        return 0;
    if (primitive(a) && primitive(b))
        return a->kind == TYPE_STRING ? -1 : b->kind == TYPE_STRING ? 1 : 0;
    if (a->kind == b->kind)
        return a->element ? type_preference(h, a->element, b->element)
                          : structure_preference(h, a, b);
    return kind_preferred(a->kind, b->kind) ? -1 : kind_preferred(b->kind, a->kind) ? 1 : 0;
}

/* Types of one unification. */
struct unification {
    struct heap *heap;
    const struct type **types; /* without any and duplicates */
    guint n;
    gboolean unsafe;
};

static gboolean fits_all(const struct unification *u, const struct type *want)
{
    for (guint i = 0; i < u->n; i++)
        if (!type_convertible(u->heap, u->types[i], want, u->unsafe))
            return FALSE;
    return TRUE;
}

/* No type that is still to be tried is preferred to number i. */
static gboolean is_next(const struct unification *u, const gboolean *tried, guint i)
{
    for (guint j = 0; j < u->n; j++)
        if (j != i && !tried[j] && type_preference(u->heap, u->types[j], u->types[i]) < 0)
            return FALSE;
    return TRUE;
}

/* One of the types themselves, in the order of preference. */
static const struct type *unify_to_one(const struct unification *u)
{
    g_autofree gboolean *tried = g_new0(gboolean, u->n);
    for (guint round = 0; round < u->n; round++) {
        guint next = 0;
        while (next < u->n && (tried[next] || !is_next(u, tried, next)))
            next++;
        if (next == u->n || !heap_step(u->heap, 1, NULL))
            return NULL;
        if (fits_all(u, u->types[next]))
            return u->types[next];
        tried[next] = TRUE;
    }
    return NULL;
}

static guint count_kind(const struct unification *u, enum type_kind kind)
{
    guint n = 0;
    for (guint i = 0; i < u->n; i++)
        n += u->types[i]->kind == kind;
    return n;
}

/* Collections of one kind: the elements' types are unified. */
static const struct type *unify_collections(const struct unification *u)
{
    const struct type **elements = heap_array(u->heap, const struct type *, u->n);
    for (guint i = 0; i < u->n; i++)
        elements[i] = u->types[i]->element;
    const struct type *element = type_unify(u->heap, elements, u->n, u->unsafe);
    return element ? type_collection(u->heap, u->types[0]->kind, element) : NULL;
}

/* Structures as a collection of one element type; other types than of that kind are left out. */
static const struct type *unify_flat(const struct unification *u, enum type_kind structure)
{
    g_autoptr(GPtrArray) fields = g_ptr_array_new();
    for (guint i = 0; i < u->n; i++)
        for (guint j = 0; u->types[i]->kind == structure && j < u->types[i]->n; j++)
            g_ptr_array_add(fields, (gpointer)u->types[i]->fields[j]);
    const struct type *element =
        type_unify(u->heap, (const struct type *const *)fields->pdata, fields->len, u->unsafe);
    if (!element)
        return NULL;
    return type_collection(u->heap, structure == TYPE_TUPLE ? TYPE_LIST : TYPE_MAP, element);
}

static gboolean same_shape(const struct unification *u)
{
    for (guint i = 1; i < u->n; i++) {
        const struct type *a = u->types[0], *b = u->types[i];
        if (a->n != b->n)
            return FALSE;
        for (guint j = 0; a->keys && j < a->n; j++)
            if (text_compare(a->keys[j], b->keys[j]) != 0)
                return FALSE;
    }
    return TRUE;
}

/* Tuples or objects: field by field if they are of one shape, else as lists or maps. */
static const struct type *unify_structures(const struct unification *u, enum type_kind kind)
{
    if (!same_shape(u))
        return unify_flat(u, kind);
    const struct type *first = u->types[0];
    const struct type **fields = heap_array(u->heap, const struct type *, first->n);
    const struct type **across = heap_array(u->heap, const struct type *, u->n);
    for (guint i = 0; i < first->n; i++) {
        for (guint j = 0; j < u->n; j++)
            across[j] = u->types[j]->fields[i];
        if (!(fields[i] = type_unify(u->heap, across, u->n, u->unsafe)))
            return NULL;
    }
    return kind == TYPE_TUPLE ? type_tuple(u->heap, fields, first->n)
                              : type_object(u->heap, first->keys, fields, NULL, first->n);
}

/* Structures beside collections: as a collection of their own first; then all of them. NULL when
 * that does not work: one of the types may. */
static const struct type *unify_mixed(const struct unification *u, enum type_kind structure,
                                      enum type_kind collection)
{
    const struct type *flat = unify_flat(u, structure);
    if (!flat)
        return NULL;
    const struct type **types = heap_array(u->heap, const struct type *, u->n);
    for (guint i = 0; i < u->n; i++)
        types[i] = u->types[i]->kind == structure ? flat : u->types[i];
    const struct type *t = type_unify(u->heap, types, u->n, u->unsafe);
    return t && t->kind == collection ? t : NULL;
}

static const struct type *unify_distinct(const struct unification *u)
{
    guint maps = count_kind(u, TYPE_MAP), lists = count_kind(u, TYPE_LIST);
    guint objects = count_kind(u, TYPE_OBJECT), tuples = count_kind(u, TYPE_TUPLE);
    const struct type *t = NULL;
    if (maps == u->n || lists == u->n || count_kind(u, TYPE_SET) == u->n)
        return unify_collections(u);
    if (objects == u->n || tuples == u->n)
        return unify_structures(u, objects ? TYPE_OBJECT : TYPE_TUPLE);
    if (objects && tuples)
        return NULL;
    if (maps && maps + objects == u->n)
        t = unify_mixed(u, TYPE_OBJECT, TYPE_MAP);
    else if (lists && lists + tuples == u->n)
        t = unify_mixed(u, TYPE_TUPLE, TYPE_LIST);
    return t ? t : unify_to_one(u);
}

const struct type *type_unify(struct heap *h, const struct type *const *types, guint n,
                              gboolean unsafe)
{
    struct unification u = {.heap = h, .unsafe = unsafe};
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    if (n == 0 || !heap_step(h, n + 10, NULL)) /* it is more work than a comparison */
        return NULL;
    u.types = heap_array(h, const struct type *, n);
    for (guint i = 0; i < n; i++)
        if (types[i]->kind != TYPE_ANY && g_hash_table_add(seen, (gpointer)types[i]))
            u.types[u.n++] = types[i];
    if (u.n == 0)
        return &type_any;
    return u.n == 1 ? u.types[0] : unify_distinct(&u);
}
