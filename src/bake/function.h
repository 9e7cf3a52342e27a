/* The functions that expressions call: one table row each, grouped in files (functions_logic.c,
 * functions_text.c, …) whose tables function.c joins. A row says which arguments there are, and
 * function_call() has them converted and checked before it calls, so that a function sees only
 * what it asked for. Semantics are those of cty's standard library and of buildx's own additions.
 */
#ifndef VARVE_BAKE_FUNCTION_H
#define VARVE_BAKE_FUNCTION_H

#include "bake/value.h"

struct expr;
struct bake_scope;
struct eval;

struct param {
    const char *name;        /* for messages */
    const struct type *type; /* arguments are converted to it; &type_any: taken as they are */
    gboolean allow_null;     /* else null is an error before the call */
};

/* What a function is called with beside its arguments. */
struct call {
    struct heap *heap;               /* for the result */
    const struct function *function; /* whose row this is */
    gint64 now;  /* seconds since 1970 at the start of the evaluation, for timestamp() */
    int bad_arg; /* out: which argument (from 0) the error is about; -1: none in particular */
};

/* The result, or NULL with an error that says why ("must be a positive number"), without the
 * function's name, which the caller knows. args: n_params or more, each converted. */
typedef const struct value *(*function_body)(struct call *c, const struct value *const *args,
                                             guint n, GError **err);
/* Of functions that take expressions in place of values: try, can, convert. Only the evaluator has
 * them (eval_lazy.c). */
typedef const struct value *(*function_lazy)(struct eval *ev, const struct expr *const *args,
                                             guint n, const struct bake_scope *scope, GError **err);

struct function {
    const char *name;           /* as it is called */
    const struct param *params; /* n_params, which must all be given */
    guint n_params;
    const struct param *variadic; /* what any number of further arguments are, or NULL: none */
    function_body call;           /* or NULL: */
    function_lazy lazy; /* with expressions; then params are there for their number only */
    const struct user_function *user; /* of a file; or NULL (eval.h) */
};

/* Rows of a group: 'FUNCTION("upper", upper_params, NULL, call_upper)'. params: an array, not a
 * pointer.
 */
#define FUNCTION(name, params, variadic, call)                                                     \
    {name, params, G_N_ELEMENTS(params), variadic, call, NULL, NULL}
/* Without fixed parameters. */
#define FUNCTION_VARIADIC(name, variadic, call) {name, NULL, 0, variadic, call, NULL, NULL}

/* The tables, each ended by a row without name; function.c joins them. */
extern const struct function functions_character[], functions_csv[], functions_digest[],
    functions_encode[], functions_format[], functions_lazy[], functions_list[], functions_logic[],
    functions_map[], functions_net[], functions_number[], functions_path[], functions_regex[],
    functions_set[], functions_text[], functions_time[], functions_version[];

/* The row of that name, or NULL. */
const struct function *function_find(const char *name);
/* Adds all names to names (const char*, not to be freed), for "did you mean" and completion. */
void function_names(GPtrArray *names);

/* Checks the number of arguments, converts them, refuses nulls, and calls; not for lazy and user
 * functions. NULL with VARVE_ERROR_INVALID: 'upper: argument "str": string required'. *bad is the
 * argument in question (from 0), -1 for none; may be NULL. */
const struct value *function_call(struct heap *h, const struct function *f, gint64 now,
                                  const struct value *const *args, guint n, int *bad, GError **err);
/* FALSE with VARVE_ERROR_INVALID when f cannot take n arguments. */
gboolean function_takes(const struct function *f, guint n, GError **err);

/* For function bodies: sets *err about argument i, and returns NULL. */
const struct value *call_bad_arg(struct call *c, int i, GError **err, const char *fmt, ...)
    G_GNUC_PRINTF(4, 5);
/* The elements that were collected in an array, in the heap. */
const struct value *const *call_items(struct heap *h, const GPtrArray *items);
/* Sets *err about the call as a whole, and returns NULL. */
const struct value *call_fail(GError **err, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* The argument as a whole number between min and max, or FALSE with an error about it. */
gboolean call_int(struct call *c, const struct value *const *args, guint i, gint64 min, gint64 max,
                  gint64 *out, GError **err);

#endif
