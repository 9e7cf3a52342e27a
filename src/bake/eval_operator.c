/* Operators and the conditional. */
#include "bake/evaluating.h"

#include "base/error.h"

/* v as a type that is not null; what: of which operator. */
static const struct value *operand_as(struct eval *ev, const struct value *v, const struct expr *at,
                                      const struct type *type, GError **err)
{
    const struct value *converted = value_convert(ev->heap, v, type, err);
    if (converted && converted->null)
        return eval_fail(ev, &at->at, err, "null cannot be used with an operator");
    if (!converted) {
        g_prefix_error(err, "this cannot be used with this operator: ");
        return eval_place(ev, &at->at);
    }
    return converted;
}

static const struct value *eval_operand(struct eval *ev, const struct expr *e,
                                        const struct bake_scope *scope, const struct type *type,
                                        GError **err)
{
    const struct value *v = bake_eval(ev, e, scope, err);
    return v ? operand_as(ev, v, e, type, err) : NULL;
}

const struct value *eval_unary(struct eval *ev, const struct expr *e,
                               const struct bake_scope *scope, GError **err)
{
    gboolean negate = e->op == OP_NEGATE;
    const struct value *v =
        eval_operand(ev, e->operands[0], scope, negate ? &type_number : &type_bool, err);
    if (!v || !negate)
        return v ? value_bool(!v->boolean) : NULL;
    struct value *n = value_number_new(ev->heap, mpfr_get_prec(v->number));
    mpfr_neg(n->number, v->number, MPFR_RNDN);
    return n;
}

static const struct value *compare_numbers(enum expr_op op, const struct value *a,
                                           const struct value *b)
{
    int c = mpfr_cmp(a->number, b->number);
    switch (op) {
    case OP_LESS:
        return value_bool(c < 0);
    case OP_LESS_EQUAL:
        return value_bool(c <= 0);
    case OP_GREATER:
        return value_bool(c > 0);
    default:
        return value_bool(c >= 0);
    }
}

static char arithmetic_of(enum expr_op op)
{
    switch (op) {
    case OP_ADD:
        return '+';
    case OP_SUBTRACT:
        return '-';
    case OP_MULTIPLY:
        return '*';
    case OP_DIVIDE:
        return '/';
    case OP_MODULO:
        return '%';
    default:
        return 0;
    }
}

static const struct value *eval_numbers(struct eval *ev, const struct expr *e,
                                        const struct bake_scope *scope, GError **err)
{
    const struct value *a = eval_operand(ev, e->operands[0], scope, &type_number, err);
    const struct value *b = a ? eval_operand(ev, e->operands[1], scope, &type_number, err) : NULL;
    char op = arithmetic_of(e->op);
    if (!b)
        return NULL;
    if (!op)
        return compare_numbers(e->op, a, b);
    const struct value *v = number_binary(ev->heap, op, a, b, err);
    return v ? v : eval_place(ev, &e->at);
}

static const struct value *eval_equality(struct eval *ev, const struct expr *e,
                                         const struct bake_scope *scope, GError **err)
{
    const struct value *a = bake_eval(ev, e->operands[0], scope, err);
    const struct value *b = a ? bake_eval(ev, e->operands[1], scope, err) : NULL;
    return b ? value_bool(value_equal(ev->heap, a, b) == (e->op == OP_EQUAL)) : NULL;
}

const struct value *eval_binary(struct eval *ev, const struct expr *e,
                                const struct bake_scope *scope, GError **err)
{
    if (e->op == OP_EQUAL || e->op == OP_NOT_EQUAL)
        return eval_equality(ev, e, scope, err);
    if (e->op != OP_AND && e->op != OP_OR)
        return eval_numbers(ev, e, scope, err);
    /* both sides count, also when the first decides: as in the HCL of buildx 0.29 */
    const struct value *a = eval_operand(ev, e->operands[0], scope, &type_bool, err);
    const struct value *b = a ? eval_operand(ev, e->operands[1], scope, &type_bool, err) : NULL;
    if (!b)
        return NULL;
    return value_bool(e->op == OP_OR ? a->boolean || b->boolean : a->boolean && b->boolean);
}

/* The value that counts as the type that both arms have in common; other is NULL when that arm
 * cannot be evaluated, which is no error while it does not count. */
static const struct value *arm_unify(struct eval *ev, const struct value *v,
                                     const struct value *other, const struct expr *e, GError **err)
{
    if (!other || other == &value_null)
        return v;
    if (v == &value_null)
        return value_null_of(ev->heap, other->type);
    const struct type *both[] = {v->type, other->type};
    const struct type *t = type_unify(ev->heap, both, 2, TRUE);
    if (!heap_reserve(ev->heap, 0, err)) /* then no type was found because of that */
        return eval_place(ev, &e->at);
    if (!t)
        return eval_fail(ev, &e->at, err,
                         "both results of a conditional must have a type in common, not %s and %s",
                         type_name(ev->heap, v->type), type_name(ev->heap, other->type));
    const struct value *converted = value_convert(ev->heap, v, t, err);
    return converted ? converted : eval_place(ev, &e->at);
}

const struct value *eval_conditional(struct eval *ev, const struct expr *e,
                                     const struct bake_scope *scope, GError **err)
{
    const struct value *condition = bake_eval(ev, e->operands[0], scope, err);
    if (!condition)
        return NULL;
    if (condition->null)
        return eval_fail(ev, &e->operands[0]->at, err, "the condition is null");
    condition = value_convert(ev->heap, condition, &type_bool, err);
    if (!condition) {
        g_prefix_error(err, "this is no condition: ");
        return eval_place(ev, &e->operands[0]->at);
    }
    guint arm = condition->boolean ? 1 : 2;
    const struct value *v = bake_eval(ev, e->operands[arm], scope, err);
    if (!v)
        return NULL;
    g_autoptr(GError) ignored = NULL; /* but not when a limit was passed, which bake_eval() sees */
    const struct value *other = bake_eval(ev, e->operands[3 - arm], scope, &ignored);
    return arm_unify(ev, v, other, e, err);
}
