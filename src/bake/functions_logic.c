/* Functions of truth and comparison. */
#include "bake/function.h"

static const struct param BOOLS[] = {{"a", &type_bool, FALSE}, {"b", &type_bool, FALSE}};
static const struct param ONE_BOOL[] = {{"val", &type_bool, FALSE}};
static const struct param NUMBERS[] = {{"a", &type_number, FALSE}, {"b", &type_number, FALSE}};
static const struct param ANYTHING[] = {{"a", &type_any, TRUE}, {"b", &type_any, TRUE}};

static const struct value *call_and(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    return value_bool(args[0]->boolean && args[1]->boolean);
}

static const struct value *call_or(struct call *c, const struct value *const *args, guint n,
                                   GError **err)
{
    return value_bool(args[0]->boolean || args[1]->boolean);
}

static const struct value *call_not(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    return value_bool(!args[0]->boolean);
}

static const struct value *call_equal(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    return value_bool(value_equal(c->heap, args[0], args[1]));
}

static const struct value *call_notequal(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    return value_bool(!value_equal(c->heap, args[0], args[1]));
}

static const struct value *call_less(struct call *c, const struct value *const *args, guint n,
                                     GError **err)
{
    return value_bool(mpfr_less_p(args[0]->number, args[1]->number));
}

static const struct value *call_less_equal(struct call *c, const struct value *const *args, guint n,
                                           GError **err)
{
    return value_bool(mpfr_lessequal_p(args[0]->number, args[1]->number));
}

static const struct value *call_greater(struct call *c, const struct value *const *args, guint n,
                                        GError **err)
{
    return value_bool(mpfr_greater_p(args[0]->number, args[1]->number));
}

static const struct value *call_greater_equal(struct call *c, const struct value *const *args,
                                              guint n, GError **err)
{
    return value_bool(mpfr_greaterequal_p(args[0]->number, args[1]->number));
}

const struct function functions_logic[] = {
    FUNCTION("and", BOOLS, NULL, call_and),
    FUNCTION("or", BOOLS, NULL, call_or),
    FUNCTION("not", ONE_BOOL, NULL, call_not),
    FUNCTION("equal", ANYTHING, NULL, call_equal),
    FUNCTION("notequal", ANYTHING, NULL, call_notequal),
    FUNCTION("lessthan", NUMBERS, NULL, call_less),
    FUNCTION("lessthanorequalto", NUMBERS, NULL, call_less_equal),
    FUNCTION("greaterthan", NUMBERS, NULL, call_greater),
    FUNCTION("greaterthanorequalto", NUMBERS, NULL, call_greater_equal),
    {0},
};
