/* Functions that take expressions: can, try, convert. */
#include "bake/evaluating.h"

#include "base/error.h"

/* TRUE with a value. Errors of the expression are swallowed, those of limits are not. */
static const struct value *eval_or_null(struct eval *ev, const struct expr *e,
                                        const struct bake_scope *scope)
{
    g_autoptr(GError) ignored = NULL;
    return bake_eval(ev, e, scope, &ignored);
}

static const struct value *lazy_can(struct eval *ev, const struct expr *const *args, guint n,
                                    const struct bake_scope *scope, GError **err)
{
    return value_bool(eval_or_null(ev, args[0], scope) != NULL);
}

static const struct value *lazy_try(struct eval *ev, const struct expr *const *args, guint n,
                                    const struct bake_scope *scope, GError **err)
{
    for (guint i = 0; i + 1 < n; i++) {
        const struct value *v = eval_or_null(ev, args[i], scope);
        if (v)
            return v;
    }
    const struct value *v = bake_eval(ev, args[n - 1], scope, err);
    if (!v)
        g_prefix_error(err, "try: no argument could be evaluated, the last one because: ");
    return v;
}

static const struct value *lazy_convert(struct eval *ev, const struct expr *const *args, guint n,
                                        const struct bake_scope *scope, GError **err)
{
    const struct value *v = bake_eval(ev, args[0], scope, err);
    const struct type *t = v ? expr_type(ev->heap, args[1], &ev->at, err) : NULL;
    if (!t)
        return NULL;
    v = value_convert(ev->heap, v, t, err);
    return v ? v : eval_place(ev, &args[0]->at);
}

static const struct param EXPRESSION[] = {{"expression", &type_any, TRUE}};
static const struct param CONVERT[] = {{"value", &type_any, TRUE}, {"type", &type_any, TRUE}};

const struct function functions_lazy[] = {
    {"can", EXPRESSION, 1, NULL, NULL, lazy_can, NULL},
    {"convert", CONVERT, 2, NULL, NULL, lazy_convert, NULL},
    {"try", EXPRESSION, 1, EXPRESSION, NULL, lazy_try, NULL},
    {0},
};
