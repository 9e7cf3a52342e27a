/* Types of values, as in HCL's type system (cty): primitive types, collections whose elements share
 * a type (list, set, map), and structures whose elements each have their own (tuple, object).
 * "[1, 2]" is a tuple and "{a = 1}" an object; collections arise by conversion. Types are
 * immutable; the primitive ones are constants, others live in a heap, which has each of them once:
 * equal types are the same pointer. So comparing them is cheap however much they share. */
#ifndef VARVE_BAKE_TYPE_H
#define VARVE_BAKE_TYPE_H

#include "bake/heap.h"

enum type_kind {
    TYPE_ANY, /* no type yet: of a null that was written so; as a wish: any type will do */
    TYPE_BOOL,
    TYPE_NUMBER,
    TYPE_STRING,
    TYPE_LIST,
    TYPE_SET,
    TYPE_MAP,
    TYPE_TUPLE,
    TYPE_OBJECT,
};

/* Bytes with their number: strings of HCL may contain NUL. bytes[len] is NUL all the same. */
struct text {
    const char *bytes; /* valid UTF-8 in the normal form C */
    gsize len;         /* without the NUL behind them */
};

struct type {
    enum type_kind kind;
    const struct type *element;       /* list, set, map: of the elements; else NULL */
    const struct type *const *fields; /* tuple: n, in order; object: n, by key */
    const struct text *keys;          /* object: n, ascending by bytes; else NULL */
    const gboolean *optional;         /* object as a wish: n, which may be missing; or NULL: none */
    guint n;                          /* tuple, object: how many */
    gboolean open;                    /* any is a part of it */
    guint depth; /* of types within types: 0 for primitive ones; at most HEAP_MAX_DEPTH */
};

extern const struct type type_any, type_bool, type_number, type_string;
/* Of what is much asked for: list(any), list(string), list(number), set(any), map(any) and
 * map(string). */
extern const struct type type_list_any, type_list_string, type_list_number, type_set_any,
    type_map_any, type_map_string;

/* kind: TYPE_LIST, TYPE_SET or TYPE_MAP. */
const struct type *type_collection(struct heap *h, enum type_kind kind, const struct type *element);
/* The arrays are kept as they are: they live at least as long as the heap. */
const struct type *type_tuple(struct heap *h, const struct type *const *fields, guint n);
/* keys ascend and differ. optional: or NULL. */
const struct type *type_object(struct heap *h, const struct text *keys,
                               const struct type *const *fields, const gboolean *optional, guint n);
/* The place of key among the keys of an object's type, or -1. */
gint type_field(const struct type *t, struct text key);
/* Whether a value of type from can become one of type to. unsafe: also where only some values can
 * (string to number, list to set, map to object). */
gboolean type_convertible(struct heap *h, const struct type *from, const struct type *to,
                          gboolean unsafe);
/* The type that values of all n types can be converted to, or NULL when there is none (n of 0 has
 * none). Prefers what loses least: string over number, list over tuple, as cty does. */
const struct type *type_unify(struct heap *h, const struct type *const *types, guint n,
                              gboolean unsafe);
/* As users write it: "string", "list(number)", "object({a=string})". */
char *type_text(const struct type *t);
/* As messages call it: "string", "list of number", "object", "tuple". A constant, or in h. */
const char *type_name(struct heap *h, const struct type *t);

int text_compare(struct text a, struct text b);
#define TEXT(literal) ((struct text){"" literal, sizeof(literal) - 1})

#endif
