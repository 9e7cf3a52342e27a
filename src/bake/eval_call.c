/* Calls of builtin functions, of functions that files define, and of those that take expressions.
 */
#include "bake/evaluating.h"

#include "base/error.h"

#include <string.h>

/* The arguments of a call, "list..." included, in n. */
static const struct value **eval_arguments(struct eval *ev, const struct expr *e,
                                           const struct bake_scope *scope, guint *n, GError **err)
{
    guint fixed = e->n_operands - (e->expand ? 1 : 0);
    const struct value *rest = NULL;
    if (e->expand) {
        const struct expr *last = e->operands[fixed];
        if (!(rest = bake_eval(ev, last, scope, err)))
            return NULL;
        if (!value_sequence(rest)) {
            eval_fail(ev, &last->at, err, "what stands before \"...\" must be a list, not %s",
                      rest->null ? "null" : type_name(ev->heap, rest->type));
            return NULL;
        }
    }
    *n = fixed + (rest ? rest->n : 0);
    const struct value **args = heap_array(ev->heap, const struct value *, *n + 1);
    for (guint i = 0; i < fixed; i++)
        if (!(args[i] = bake_eval(ev, e->operands[i], scope, err)))
            return NULL;
    for (guint i = fixed; i < *n; i++)
        args[i] = rest->items[i - fixed];
    return args;
}

static const struct value *call_user(struct eval *ev, const struct expr *e,
                                     const struct function *f, const struct value *const *args,
                                     guint n, GError **err)
{
    const struct user_function *u = f->user;
    guint fixed = u->n_params;
    if (n < fixed || (n > fixed && !u->variadic))
        return eval_fail(ev, &e->at, err, "%s() takes %s%u argument%s, not %u", e->name,
                         u->variadic ? "at least " : "", fixed, fixed == 1 ? "" : "s", n);
    for (guint i = 0; i < n; i++)
        if (args[i]->null)
            return eval_fail(ev, &e->at, err, "%s: argument \"%s\" must not be null", e->name,
                             i < fixed ? u->params[i] : u->variadic);
    struct bake_local *locals = heap_array(ev->heap, struct bake_local, fixed + 1);
    for (guint i = 0; i < fixed; i++)
        locals[i] = (struct bake_local){u->params[i], args[i]};
    if (u->variadic)
        locals[fixed] =
            (struct bake_local){u->variadic, value_tuple(ev->heap, args + fixed, n - fixed)};
    struct bake_scope inner = {
        .parent = u->scope, .locals = locals, .n_locals = fixed + (u->variadic ? 1 : 0)};
    return bake_eval(ev, u->result, &inner, err);
}

static const struct value *call_builtin(struct eval *ev, const struct expr *e,
                                        const struct function *f, const struct value *const *args,
                                        guint n, GError **err)
{
    int bad;
    const struct value *v = function_call(ev->heap, f, ev->now, args, n, &bad, err);
    if (v)
        return v;
    gboolean one = bad >= 0 && (guint)bad < e->n_operands;
    return eval_place(ev, one ? &e->operands[bad]->at : &e->at);
}

const struct value *eval_call(struct eval *ev, const struct expr *e, const struct bake_scope *scope,
                              GError **err)
{
    const struct function *f = eval_function(ev, e, scope, err);
    guint n = 0;
    if (!f)
        return NULL;
    if (f->lazy) {
        if (e->expand)
            return eval_fail(ev, &e->at, err, "%s() cannot take its arguments from a list",
                             e->name);
        if (!function_takes(f, e->n_operands, err))
            return eval_place(ev, &e->at);
        return f->lazy(ev, e->operands, e->n_operands, scope, err);
    }
    const struct value **args = eval_arguments(ev, e, scope, &n, err);
    if (!args)
        return NULL;
    return f->user ? call_user(ev, e, f, args, n, err) : call_builtin(ev, e, f, args, n, err);
}
