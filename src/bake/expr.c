#include "bake/expr.h"

#include "bake/hcl.h"
#include "base/error.h"

#include <string.h>

/* Names that for-expressions around a place declare. */
struct shadow {
    const struct shadow *outer;
    const struct for_expr *loop;
};

struct walk {
    GPtrArray *traversals, *calls;
};

static gboolean shadowed(const struct shadow *s, const char *name)
{
    for (; s; s = s->outer)
        if (g_strcmp0(s->loop->key, name) == 0 || strcmp(s->loop->value, name) == 0)
            return TRUE;
    return FALSE;
}

static void walk_expr(struct walk *w, const struct expr *e, const struct shadow *s)
{
    if (!e)
        return;
    if (e->kind == EXPR_TRAVERSAL && w->traversals && !shadowed(s, e->name))
        g_ptr_array_add(w->traversals, (gpointer)e);
    if (e->kind == EXPR_CALL && w->calls)
        g_ptr_array_add(w->calls, (gpointer)e);
    for (guint i = 0; i < e->n_operands; i++)
        walk_expr(w, e->operands[i], s);
    if (e->kind == EXPR_FOR) {
        struct shadow inner = {s, e->loop};
        walk_expr(w, e->loop->collection, s);
        walk_expr(w, e->loop->key_result, &inner);
        walk_expr(w, e->loop->result, &inner);
        walk_expr(w, e->loop->condition, &inner);
    }
}

void expr_references(const struct expr *e, GPtrArray *traversals, GPtrArray *calls)
{
    walk_expr(&(struct walk){traversals, calls}, e, NULL);
}

const char *expr_keyword(const struct expr *e)
{
    if (e->json_string)
        return e->source;
    return e->kind == EXPR_TRAVERSAL && e->n_steps == 0 ? e->name : NULL;
}

const struct expr *const *expr_list(const struct expr *e, guint *n)
{
    *n = e->kind == EXPR_TUPLE ? e->n_operands : 0;
    return e->kind == EXPR_TUPLE ? e->operands : NULL;
}

static const struct type *type_fail(const struct expr *e, struct place *at, GError **err,
                                    const char *why)
{
    *at = e->at;
    error_set(err, VARVE_ERROR_INVALID, "%s", why);
    return NULL;
}

static const struct type *primitive_of(const struct expr *e, struct place *at, GError **err)
{
    static const struct {
        const char *name;
        const struct type *type;
    } NAMES[] = {{"string", &type_string},
                 {"number", &type_number},
                 {"bool", &type_bool},
                 {"any", &type_any}};
    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++)
        if (strcmp(e->name, NAMES[i].name) == 0)
            return NAMES[i].type;
    static const char *const COMPOUND[] = {"list", "set", "map", "tuple", "object"};
    for (guint i = 0; i < G_N_ELEMENTS(COMPOUND); i++)
        if (strcmp(e->name, COMPOUND[i]) == 0)
            return type_fail(e, at, err,
                             "this type needs others in round brackets: list(string), "
                             "tuple([string, number]), object({name = string})");
    return type_fail(e, at, err,
                     "unknown type; there are string, number, bool, any, list(…), set(…), map(…), "
                     "tuple([…]) and object({…})");
}

static const struct type *expr_type_tuple(struct heap *h, const struct expr *list, struct place *at,
                                          GError **err)
{
    if (list->kind != EXPR_TUPLE)
        return type_fail(list, at, err, "tuple() takes a list of types: tuple([string, number])");
    const struct type **fields = heap_array(h, const struct type *, list->n_operands);
    for (guint i = 0; i < list->n_operands; i++)
        if (!(fields[i] = expr_type(h, list->operands[i], at, err)))
            return NULL;
    return type_tuple(h, fields, list->n_operands);
}

/* "optional(T)" or "T" in object(). */
static const struct type *attribute_type(struct heap *h, const struct expr *e, gboolean *optional,
                                         struct place *at, GError **err)
{
    *optional = e->kind == EXPR_CALL && strcmp(e->name, "optional") == 0;
    if (*optional && e->n_operands != 1)
        return type_fail(e, at, err, "optional() takes one type");
    return expr_type(h, *optional ? e->operands[0] : e, at, err);
}

struct attribute_draft {
    struct text key;
    const struct type *type;
    gboolean optional;
};

static int by_key(gconstpointer a, gconstpointer b)
{
    return text_compare(((const struct attribute_draft *)a)->key,
                        ((const struct attribute_draft *)b)->key);
}

static const struct type *object_type(struct heap *h, struct attribute_draft *a, guint n)
{
    struct text *keys = heap_array(h, struct text, n);
    const struct type **fields = heap_array(h, const struct type *, n);
    gboolean *optional = heap_array(h, gboolean, n);
    qsort(a, n, sizeof(*a), by_key);
    for (guint i = 0; i < n; i++) {
        keys[i] = a[i].key;
        fields[i] = a[i].type;
        optional[i] = a[i].optional;
    }
    return type_object(h, keys, fields, optional, n);
}

static const struct type *expr_type_object(struct heap *h, const struct expr *e, struct place *at,
                                           GError **err)
{
    if (e->kind != EXPR_OBJECT)
        return type_fail(e, at, err, "object() takes attributes: object({name = string})");
    guint n = e->n_operands / 2;
    g_autofree struct attribute_draft *a = g_new0(struct attribute_draft, n + 1);
    for (guint i = 0; i < n; i++) {
        const struct expr *key = e->operands[2 * i];
        if (key->kind != EXPR_LITERAL || key->value->kind != TYPE_STRING)
            return type_fail(key, at, err, "the names of attributes must be plain words");
        a[i].key = key->value->text;
        a[i].type = attribute_type(h, e->operands[2 * i + 1], &a[i].optional, at, err);
        if (!a[i].type)
            return NULL;
    }
    const struct type *t = object_type(h, a, n);
    for (guint i = 1; i < n; i++)
        if (text_compare(t->keys[i - 1], t->keys[i]) == 0)
            return type_fail(e, at, err, "an attribute is named twice in object()");
    return t;
}

static const struct type *expr_type_call(struct heap *h, const struct expr *e, struct place *at,
                                         GError **err)
{
    enum type_kind kind = strcmp(e->name, "list") == 0  ? TYPE_LIST
                          : strcmp(e->name, "set") == 0 ? TYPE_SET
                          : strcmp(e->name, "map") == 0 ? TYPE_MAP
                                                        : TYPE_ANY;
    gboolean tuple = strcmp(e->name, "tuple") == 0;
    if (kind == TYPE_ANY && !tuple && strcmp(e->name, "object") != 0)
        return type_fail(e, at, err,
                         "unknown type; there are list(…), set(…), map(…), tuple([…]) "
                         "and object({…})");
    if (e->n_operands != 1 || e->expand)
        return type_fail(e, at, err, "this type takes exactly one argument");
    if (tuple)
        return expr_type_tuple(h, e->operands[0], at, err);
    if (kind == TYPE_ANY)
        return expr_type_object(h, e->operands[0], at, err);
    const struct type *element = expr_type(h, e->operands[0], at, err);
    return element ? type_collection(h, kind, element) : NULL;
}

/* A string of the JSON flavour as the expression that it holds. */
static const struct expr *string_as_expr(const struct expr *e, struct place *at, GError **err)
{
    struct hclfile *file = (struct hclfile *)e->at.file;
    guint before = file->diags->items->len;
    const struct expr *inner = hcl_parse_expr(file, e->source, strlen(e->source), e->at.span);
    if (inner)
        return inner;
    type_fail(e, at, err, "this is no type: \"string\", \"list(number)\"");
    if (file->diags->items->len > before) { /* the caller reports it */
        g_ptr_array_set_size(file->diags->items, (gint)before);
        file->diags->n_errors--;
    }
    return NULL;
}

const struct type *expr_type(struct heap *h, const struct expr *e, struct place *at, GError **err)
{
    if (e->json_string && !(e = string_as_expr(e, at, err)))
        return NULL;
    if (e->kind == EXPR_TRAVERSAL && e->n_steps == 0)
        return primitive_of(e, at, err);
    if (e->kind == EXPR_CALL)
        return expr_type_call(h, e, at, err);
    return type_fail(e, at, err,
                     "a type is needed here, such as string or list(number), without "
                     "quotes");
}
