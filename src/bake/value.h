/* Values of HCL: what expressions yield and functions take. A value lives in a heap and never
 * changes once it has been handed out, so values share parts freely.
 *
 * Numbers are binary floats with their own precision in bits, as in cty: 512 for what is written in
 * a file, 53 for what comes from a double (log, pow, the environment), 64 for counts (length). The
 * result of an operation has the larger precision of its operands (number_binary()). MPFR has the
 * functions (bake/mpfr.h): mpfr_floor(v->number, …) and so on, on a value from value_number_new().
 */
#ifndef VARVE_BAKE_VALUE_H
#define VARVE_BAKE_VALUE_H

#include "bake/mpfr.h"
#include "bake/type.h"

#define NUMBER_PRECISION 512 /* bits of a number that is written in a file */

struct value {
    enum type_kind kind;     /* TYPE_ANY only when null */
    gboolean null;           /* nothing of the union is set then */
    const struct type *type; /* the whole type */
    union {
        gboolean boolean; /* of a bool */
        mpfr_t number;    /* never NaN */
        struct text text; /* of a string */
        struct {
            const struct value *const *items; /* n; of a set: ascending, without duplicates */
            const struct text *keys;          /* map, object: n, ascending by bytes, unique */
            guint n;                          /* how many */
        };
    };
};

extern const struct value value_null, value_true, value_false; /* value_null is of type any */
const struct value *value_null_of(struct heap *h, const struct type *t);
static inline const struct value *value_bool(gboolean b)
{
    return b ? &value_true : &value_false;
}

/* Strings are brought into the normal form C, as cty does, and must be valid UTF-8. */
const struct value *value_string(struct heap *h, const char *bytes, gsize len);
const struct value *value_cstring(struct heap *h, const char *s);
/* Takes the text of b, which is cleared. */
const struct value *value_take(struct heap *h, GString *b);

/* A number of precision bits, 0 so far, to write to before it is handed out. */
struct value *value_number_new(struct heap *h, mpfr_prec_t precision);
const struct value *value_int(struct heap *h, gint64 i);    /* 64 bits */
const struct value *value_double(struct heap *h, double d); /* 53 bits; not NaN */
/* From decimal digits as in a file ("12.5e3"), 512 bits; NULL when text is no number. Accepts what
 * converting a string to a number does. */
const struct value *value_number_parse(struct heap *h, struct text text);

/* items and keys are kept as they are; those of collections all have the element type. */
const struct value *value_list(struct heap *h, const struct type *element,
                               const struct value *const *items, guint n);
/* Sorts and drops duplicates. */
const struct value *value_set(struct heap *h, const struct type *element,
                              const struct value *const *items, guint n);
const struct value *value_tuple(struct heap *h, const struct value *const *items, guint n);
/* Pairs in any order; of equal keys the last counts. */
const struct value *value_map(struct heap *h, const struct type *element, const struct text *keys,
                              const struct value *const *items, guint n);
const struct value *value_object(struct heap *h, const struct text *keys,
                                 const struct value *const *items, guint n);

/* Whether it has elements: list, set, map, tuple or object, and not null. */
gboolean value_iterable(const struct value *v);
/* Of list, set or tuple. */
static inline gboolean value_sequence(const struct value *v)
{
    return !v->null && (v->kind == TYPE_LIST || v->kind == TYPE_SET || v->kind == TYPE_TUPLE);
}
/* Of map or object. */
static inline gboolean value_mapping(const struct value *v)
{
    return !v->null && (v->kind == TYPE_MAP || v->kind == TYPE_OBJECT);
}
/* The element of a map or object with that key, or NULL. */
const struct value *value_get(const struct value *v, struct text key);
/* TRUE and the number, if it is whole and fits. */
gboolean value_fits_int(const struct value *v, gint64 *out);

/* As "==" compares: types must be the same, nulls are equal. */
gboolean value_equal(struct heap *h, const struct value *a, const struct value *b);
/* The order of sets: strings by bytes, numbers by value, false before true; others in an order of
 * their own, in which only equal values are equal. Both are of one type. */
int value_compare(const struct value *a, const struct value *b);

/* v as type to, v itself when it is that already. FALSE becomes "false", "1" becomes true, a tuple
 * a list, and so on, as cty's convert.Convert() does; parts of type any stay as they are, or are
 * unified where a collection needs it. NULL with VARVE_ERROR_INVALID: "string required", with the
 * way to the part in question before it: "element 2: attribute \"a\": string required". */
const struct value *value_convert(struct heap *h, const struct value *v, const struct type *to,
                                  GError **err);

/* A number as text: shortest digits that give the number again at its precision, no exponent;
 * "+Inf",
 * "-Inf". NULL with VARVE_ERROR_INVALID when that were too long. */
char *number_text(const struct value *v, GError **err);
/* What +, -, *, / and % yield: op is that character. NULL with VARVE_ERROR_INVALID: a division of
 * zero by zero and the like. */
const struct value *number_binary(struct heap *h, char op, const struct value *a,
                                  const struct value *b, GError **err);

/* Appends v as JSON as cty writes it: keys sorted, no blanks, '<' '>' '&' U+2028 U+2029 escaped.
 * FALSE with VARVE_ERROR_INVALID: an infinite number, or too long. */
gboolean value_json(struct heap *h, const struct value *v, GString *out, GError **err);

#endif
