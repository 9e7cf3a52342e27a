/* What the files of the evaluator share; private to eval*.c. Each eval_FORM() yields the value of
 * an expression of that form, or NULL with *err and ev->at. */
#ifndef VARVE_BAKE_EVALUATING_H
#define VARVE_BAKE_EVALUATING_H

#include "bake/eval.h"

/* Notes where the error is that *err tells of; NULL. */
const struct value *eval_place(struct eval *ev, const struct place *at);
/* v as the key of an object: a string, not null. */
const struct value *eval_key(struct eval *ev, const struct value *v, const struct place *at,
                             GError **err);

/* The function that e calls, or NULL with an error. */
const struct function *eval_function(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, GError **err);

/* eval_call.c */
const struct value *eval_call(struct eval *ev, const struct expr *e, const struct bake_scope *scope,
                              GError **err);
/* eval_for.c */
const struct value *eval_for(struct eval *ev, const struct expr *e, const struct bake_scope *scope,
                             GError **err);
/* eval_operator.c */
const struct value *eval_conditional(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, GError **err);
const struct value *eval_unary(struct eval *ev, const struct expr *e,
                               const struct bake_scope *scope, GError **err);
const struct value *eval_binary(struct eval *ev, const struct expr *e,
                                const struct bake_scope *scope, GError **err);

#endif
