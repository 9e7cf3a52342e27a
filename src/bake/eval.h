/* Expression → value. What names mean is asked of a chain of scopes when an expression needs them,
 * so that whoever owns the names evaluates on demand, and notices cycles. An evaluator without
 * unknown values: what cannot be known is an error.
 *
 * An error is a GError and a place, ev->at: where the expression is wrong (in the file of that
 * expression, which a reference may have led to). To show it: diags_gerror(ev->at.file->diags,
 * ev->at.span, err). Not thread-safe. */
#ifndef VARVE_BAKE_EVAL_H
#define VARVE_BAKE_EVAL_H

#include "bake/expr.h"
#include "bake/function.h"

enum scope_answer { SCOPE_FOUND, SCOPE_UNKNOWN, SCOPE_FAILED };

/* The value of the variable t->name. For things that are many (target.app.tags) more steps of the
 * traversal may be consumed: *used of t->steps are then part of the name; the evaluator applies the
 * others. FAILED with *err; the place is ev->at if the callback (or an evaluation in it) set one
 * since it was called, else that of t. */
typedef enum scope_answer (*scope_variable)(gpointer self, struct eval *ev, const struct expr *t,
                                            guint *used, const struct value **v, GError **err);
/* The function of that name, user functions for example; builtin ones come after all scopes. */
typedef enum scope_answer (*scope_function)(gpointer self, struct eval *ev, const char *name,
                                            const struct function **f, GError **err);
/* Adds the names that could have been meant (const char*). */
typedef void (*scope_names)(gpointer self, GPtrArray *variables, GPtrArray *functions);

struct bake_local {
    const char *name; /* of a variable */
    const struct value *value;
};

/* Where names are looked up: locals, then the callbacks, then the parent. */
struct bake_scope {
    const struct bake_scope *parent; /* or NULL */
    const struct bake_local *locals; /* n_locals */
    guint n_locals;
    gpointer self;           /* for the callbacks */
    scope_variable variable; /* or NULL */
    scope_function function; /* or NULL */
    scope_names names;       /* or NULL */
};

/* A function that a file defines. Its parameters shadow what scope has. */
struct user_function {
    const char *const *params; /* n_params names */
    guint n_params;
    const char *variadic;           /* name of the list of further arguments, or NULL */
    const struct expr *result;      /* evaluated for each call */
    const struct bake_scope *scope; /* of the file */
};

/* One evaluation of any number of expressions. */
struct eval {
    struct heap *heap; /* owns the values; the caller's */
    gint64 now;        /* seconds since 1970, for timestamp() */
    struct place at;   /* of the last error; file is NULL while there was none */
};

/* NULL with VARVE_ERROR_INVALID and ev->at. */
const struct value *bake_eval(struct eval *ev, const struct expr *e, const struct bake_scope *scope,
                              GError **err);
/* The same, then converted to a type. */
const struct value *bake_eval_as(struct eval *ev, const struct expr *e,
                                 const struct bake_scope *scope, const struct type *type,
                                 GError **err);
/* Sets *err and ev->at, unless this error has a place already; returns NULL. */
const struct value *eval_fail(struct eval *ev, const struct place *at, GError **err,
                              const char *fmt, ...) G_GNUC_PRINTF(4, 5);

#endif
