/* Functions of numbers. Precisions are as in cty: what was computed through a double has 53 bits,
 * what became an integer as many as it needs, but at least 64. */
#include "bake/function.h"

#include <math.h>
#include <string.h>

#define PARSED_BITS_MAX 1024 /* of parseint(): twice what a number in a file has */

static const struct param ONE_NUMBER[] = {{"num", &type_number, FALSE}};
static const struct param TWO_NUMBERS[] = {{"a", &type_number, FALSE}, {"b", &type_number, FALSE}};
static const struct param NUMBER_BASE[] = {{"num", &type_number, FALSE},
                                           {"base", &type_number, FALSE}};
static const struct param NUMBER_POWER[] = {{"num", &type_number, FALSE},
                                            {"power", &type_number, FALSE}};
static const struct param TEXT_BASE[] = {{"number", &type_any, FALSE},
                                         {"base", &type_number, FALSE}};
static const struct param NUMBERS = {"numbers", &type_number, FALSE};

static const struct value *call_absolute(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    struct value *v = value_number_new(c->heap, mpfr_get_prec(args[0]->number));
    mpfr_abs(v->number, args[0]->number, MPFR_RNDN);
    return v;
}

static const struct value *call_negate(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    struct value *v = value_number_new(c->heap, mpfr_get_prec(args[0]->number));
    mpfr_neg(v->number, args[0]->number, MPFR_RNDN);
    return v;
}

static const struct value *call_add(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    return number_binary(c->heap, '+', args[0], args[1], err);
}

static const struct value *call_subtract(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    return number_binary(c->heap, '-', args[0], args[1], err);
}

static const struct value *call_multiply(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    return number_binary(c->heap, '*', args[0], args[1], err);
}

static const struct value *call_divide(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    return number_binary(c->heap, '/', args[0], args[1], err);
}

static const struct value *call_modulo(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    return number_binary(c->heap, '%', args[0], args[1], err);
}

/* Zero loses its sign. */
static const struct value *zero_plain(struct value *v)
{
    if (mpfr_zero_p(v->number))
        mpfr_set_zero(v->number, 1);
    return v;
}

static const struct value *call_ceil(struct call *c, const struct value *const *args, guint n,
                                     GError **err)
{
    struct value *v = value_number_new(c->heap, mpfr_get_prec(args[0]->number));
    mpfr_ceil(v->number, args[0]->number);
    return zero_plain(v);
}

static const struct value *call_floor(struct call *c, const struct value *const *args, guint n,
                                      GError **err)
{
    struct value *v = value_number_new(c->heap, mpfr_get_prec(args[0]->number));
    mpfr_floor(v->number, args[0]->number);
    return zero_plain(v);
}

/* The same whole number with the precision that it needs. */
static const struct value *number_fitted(struct heap *h, mpfr_srcptr whole)
{
    gint64 bits = mpfr_regular_p(whole) ? mpfr_get_exp(whole) : 0;
    struct value *v = value_number_new(h, MAX(bits, 64));
    mpfr_set(v->number, whole, MPFR_RNDN);
    return v;
}

static const struct value *call_truncate(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    if (mpfr_integer_p(args[0]->number))
        return args[0];
    if (mpfr_inf_p(args[0]->number))
        return call_bad_arg(c, 0, err, "infinity has no whole part");
    struct value *v = value_number_new(c->heap, mpfr_get_prec(args[0]->number));
    mpfr_trunc(v->number, args[0]->number);
    return mpfr_zero_p(v->number) ? value_int(c->heap, 0) : number_fitted(c->heap, v->number);
}

static const struct value *call_min(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    if (n == 0)
        return call_fail(err, "at least one number is needed");
    const struct value *least = args[0];
    for (guint i = 1; i < n; i++)
        if (mpfr_less_p(args[i]->number, least->number))
            least = args[i];
    return least;
}

static const struct value *call_max(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    if (n == 0)
        return call_fail(err, "at least one number is needed");
    const struct value *greatest = args[0];
    for (guint i = 1; i < n; i++)
        if (mpfr_greater_p(args[i]->number, greatest->number))
            greatest = args[i];
    return greatest;
}

static gboolean arg_double(struct call *c, const struct value *const *args, guint i, double *out,
                           GError **err)
{
    *out = mpfr_get_d(args[i]->number, MPFR_RNDN);
    if (!isinf(*out) || mpfr_inf_p(args[i]->number))
        return TRUE;
    call_bad_arg(c, (int)i, err, "is too large for a double");
    return FALSE;
}

static const struct value *number_of_double(struct call *c, double d, GError **err)
{
    return isnan(d) ? call_fail(err, "the result is not a number") : value_double(c->heap, d);
}

/* The natural logarithm as Go computes it, whose last bit is not always that of libm: x is 2^k (1 +
 * f), and log(1 + f) a polynomial in s = f / (2 + f) (the method and the coefficients of fdlibm).
 */
static double log_go(double x)
{
    static const double L[] = {6.666666666666735130e-01, 3.999999999940941908e-01,
                               2.857142874366239149e-01, 2.222219843214978396e-01,
                               1.818357216161805012e-01, 1.531383769920937332e-01,
                               1.479819860511658591e-01};
    static const double LN2_HIGH = 6.93147180369123816490e-01, LN2_LOW = 1.90821492927058770002e-10;
    int k;
    if (isinf(x) || x <= 0)
        return log(x);
    double f = frexp(x, &k);
    if (f < M_SQRT1_2) {
        f *= 2;
        k--;
    }
    f -= 1;
    double s = f / (2 + f), s2 = s * s, s4 = s2 * s2;
    double odd = s2 * (L[0] + s4 * (L[2] + s4 * (L[4] + s4 * L[6])));
    double even = s4 * (L[1] + s4 * (L[3] + s4 * L[5]));
    double half = 0.5 * f * f;
    return k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f);
}

/* x to the power of y > 0 with a whole part below 2^63: by squaring, on significand and exponent
 * each, which is what Go does. */
static double power_go(double x, double y)
{
    double whole, fraction = modf(y, &whole), result = 1;
    int x_exponent, exponent = 0;
    if (fraction > 0.5) {
        fraction -= 1;
        whole += 1;
    }
    if (fraction != 0)
        result = exp(fraction * log_go(x));
    double square = frexp(x, &x_exponent);
    for (gint64 i = (gint64)whole; i != 0; i >>= 1) {
        if (ABS(x_exponent) > 1 << 12) /* far beyond what a double holds */
            return ldexp(result, exponent + x_exponent);
        if (i & 1) {
            result *= square;
            exponent += x_exponent;
        }
        square *= square;
        x_exponent *= 2;
        if (square < 0.5) {
            square *= 2;
            x_exponent--;
        }
    }
    return ldexp(result, exponent);
}

static double pow_go(double x, double y)
{
    gboolean special = x == 0 || y == 0 || x == 1 || isinf(x) || isinf(y) || fabs(y) == 0.5 ||
                       fabs(y) >= 0x1p63 || (x < 0 && y != trunc(y));
    if (special || y == 1)
        return pow(x, y);
    return y > 0 ? power_go(x, y) : 1 / power_go(x, -y);
}

static const struct value *call_log(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    double num, base;
    if (!arg_double(c, args, 0, &num, err) || !arg_double(c, args, 1, &base, err))
        return NULL;
    return number_of_double(c, log_go(num) / log_go(base), err);
}

static const struct value *call_pow(struct call *c, const struct value *const *args, guint n,
                                    GError **err)
{
    double num, power;
    if (!arg_double(c, args, 0, &num, err) || !arg_double(c, args, 1, &power, err))
        return NULL;
    return number_of_double(c, pow_go(num, power), err);
}

static const struct value *call_signum(struct call *c, const struct value *const *args, guint n,
                                       GError **err)
{
    gint64 i;
    if (!call_int(c, args, 0, G_MININT64, G_MAXINT64, &i, err))
        return NULL;
    return value_int(c->heap, (i > 0) - (i < 0));
}

/* The value of a digit; at least 62 for all else. Above base 36 upper-case letters follow the
 * lower-case ones. */
static guint digit_value(char ch, gint64 base)
{
    if (g_ascii_isdigit(ch))
        return (guint)(ch - '0');
    if (g_ascii_islower(ch))
        return (guint)(ch - 'a' + 10);
    if (g_ascii_isupper(ch))
        return (guint)(ch - 'A' + (base > 36 ? 36 : 10));
    return G_MAXUINT;
}

/* A sign, then digits of base; FALSE for all else. */
static gboolean digits_valid(struct text t, gint64 base)
{
    gsize i = t.len > 0 && (*t.bytes == '-' || *t.bytes == '+');
    gboolean some = i < t.len;
    while (i < t.len && digit_value(t.bytes[i], base) < base)
        i++;
    return some && i == t.len;
}

static const struct value *call_parseint(struct call *c, const struct value *const *args, guint n,
                                         GError **err)
{
    gint64 base;
    if (args[0]->kind != TYPE_STRING)
        return call_bad_arg(c, 0, err, "a string is needed, not %s",
                            type_name(c->heap, args[0]->type));
    if (!call_int(c, args, 1, 2, 62, &base, err))
        return NULL;
    struct text t = args[0]->text;
    if (!digits_valid(t, base))
        return call_bad_arg(c, 0, err, "\"%s\" is no whole number in base %d", t.bytes, (int)base);
    struct value *v = value_number_new(c->heap, PARSED_BITS_MAX + 8);
    gboolean negative = *t.bytes == '-';
    for (gsize i = negative || *t.bytes == '+'; i < t.len; i++) {
        mpfr_mul_si(v->number, v->number, (long)base, MPFR_RNDN);
        mpfr_add_ui(v->number, v->number, digit_value(t.bytes[i], base), MPFR_RNDN);
        if (mpfr_regular_p(v->number) && mpfr_get_exp(v->number) > PARSED_BITS_MAX)
            return call_bad_arg(c, 0, err, "the number needs more than %d bits", PARSED_BITS_MAX);
    }
    if (negative && !mpfr_zero_p(v->number))
        mpfr_neg(v->number, v->number, MPFR_RNDN);
    return number_fitted(c->heap, v->number);
}

const struct function functions_number[] = {
    FUNCTION("absolute", ONE_NUMBER, NULL, call_absolute),
    FUNCTION("add", TWO_NUMBERS, NULL, call_add),
    FUNCTION("ceil", ONE_NUMBER, NULL, call_ceil),
    FUNCTION("divide", TWO_NUMBERS, NULL, call_divide),
    FUNCTION("floor", ONE_NUMBER, NULL, call_floor),
    FUNCTION("int", ONE_NUMBER, NULL, call_truncate),
    FUNCTION("log", NUMBER_BASE, NULL, call_log),
    FUNCTION_VARIADIC("max", &NUMBERS, call_max),
    FUNCTION_VARIADIC("min", &NUMBERS, call_min),
    FUNCTION("modulo", TWO_NUMBERS, NULL, call_modulo),
    FUNCTION("multiply", TWO_NUMBERS, NULL, call_multiply),
    FUNCTION("negate", ONE_NUMBER, NULL, call_negate),
    FUNCTION("parseint", TEXT_BASE, NULL, call_parseint),
    FUNCTION("pow", NUMBER_POWER, NULL, call_pow),
    FUNCTION("signum", ONE_NUMBER, NULL, call_signum),
    FUNCTION("subtract", TWO_NUMBERS, NULL, call_subtract),
    {0},
};
