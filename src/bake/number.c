/* Numbers as text, text as numbers, arithmetic. A number has its precision, which decides how many
 * digits are its shortest text (as Go's big.Float prints with the format 'f' and precision -1). */
#include "bake/value.h"

#include "base/error.h"

#include <string.h>

#define EXPONENT_MAX 2147483647 /* binary, as of Go's big.Float */

struct value *value_number_new(struct heap *h, mpfr_prec_t precision)
{
    struct value *v = heap_alloc(h, sizeof(*v));
    v->kind = TYPE_NUMBER;
    v->type = &type_number;
    gpointer significand = heap_alloc(h, mpfr_custom_get_size(precision));
    mpfr_custom_init(significand, precision);
    mpfr_custom_init_set(v->number, MPFR_ZERO_KIND, 0, precision, significand);
    return v;
}

const struct value *value_int(struct heap *h, gint64 i)
{
    struct value *v = value_number_new(h, 64);
    mpfr_set_sj(v->number, i, MPFR_RNDN);
    return v;
}

const struct value *value_double(struct heap *h, double d)
{
    struct value *v = value_number_new(h, 53);
    mpfr_set_d(v->number, d, MPFR_RNDN);
    return v;
}

gboolean value_fits_int(const struct value *v, gint64 *out)
{
    if (v->null || v->kind != TYPE_NUMBER || !mpfr_integer_p(v->number) ||
        !mpfr_fits_intmax_p(v->number, MPFR_RNDN))
        return FALSE;
    *out = mpfr_get_sj(v->number, MPFR_RNDN);
    return TRUE;
}

static gsize span_digits(const char *s)
{
    return strspn(s, "0123456789");
}

/* "12", "12.5", ".5", "12.", each with an exponent or not; the sign is gone. */
static gboolean number_shape(const char *s)
{
    gsize whole = span_digits(s), fraction = 0;
    s += whole;
    if (*s == '.') {
        fraction = span_digits(s + 1);
        s += 1 + fraction;
    }
    if (whole + fraction == 0)
        return FALSE;
    if (*s == 'e' || *s == 'E') {
        s += s[1] == '+' || s[1] == '-' ? 2 : 1;
        gsize n = span_digits(s);
        if (n == 0 || n > 10)
            return FALSE;
        s += n;
    }
    return *s == '\0';
}

const struct value *value_number_parse(struct heap *h, struct text text)
{
    const char *digits = text.bytes + (*text.bytes == '-' || *text.bytes == '+');
    gboolean infinite = strcmp(digits, "Inf") == 0 || strcmp(digits, "inf") == 0;
    if (strlen(text.bytes) != text.len || !(infinite || number_shape(digits)))
        return NULL;
    struct value *v = value_number_new(h, NUMBER_PRECISION);
    mpfr_set_str(v->number, digits, 10, MPFR_RNDN);
    if (mpfr_regular_p(v->number) && mpfr_get_exp(v->number) > EXPONENT_MAX)
        mpfr_set_inf(v->number, 1);
    if (*text.bytes == '-')
        mpfr_neg(v->number, v->number, MPFR_RNDN);
    return v;
}

/* Significant digits of a positive number: value = 0.DIGITS * 10^exponent. */
struct digits {
    char text[NUMBER_PRECISION]; /* without zeros at the end */
    mpfr_exp_t exponent;         /* decimal */
};

/* Whether a decimal number is at most half a unit of the last bit from a power of two. Below it
 * half of that is the limit, to be precise, which Go's big.Float does not know. */
static gboolean near_power(mpfr_srcptr x, const char *number)
{
    mpfr_t distance, unit;
    mpfr_init2(distance, mpfr_get_prec(x) + 64);
    mpfr_init2(unit, 2);
    mpfr_set_str(distance, number, 10, MPFR_RNDN);
    mpfr_sub(distance, distance, x, MPFR_RNDN);
    mpfr_set_ui_2exp(unit, 1, mpfr_get_exp(x) - 1 - mpfr_get_prec(x), MPFR_RNDN);
    gboolean near = mpfr_cmpabs(distance, unit) <= 0;
    mpfr_clear(distance);
    mpfr_clear(unit);
    return near;
}

/* n digits of |x| rounded in a direction; FALSE when they do not give x again. */
static gboolean digits_try(struct digits *d, mpfr_srcptr x, gsize n, mpfr_rnd_t direction)
{
    char number[NUMBER_PRECISION + 40];
    mpfr_get_str(d->text, &d->exponent, 10, n, x, direction);
    g_snprintf(number, sizeof(number), "0.%se%ld", d->text, (long)d->exponent);
    mpfr_t again;
    mpfr_init2(again, mpfr_get_prec(x));
    mpfr_set_str(again, number, 10, MPFR_RNDN);
    gboolean same = mpfr_equal_p(again, x) || (mpfr_min_prec(x) == 1 && near_power(x, number));
    mpfr_clear(again);
    return same;
}

/* The nearer one of both directions if both give x again. */
static gboolean digits_of(struct digits *d, mpfr_srcptr x, gsize n)
{
    if (digits_try(d, x, n, MPFR_RNDN))
        return TRUE;
    return digits_try(d, x, n, MPFR_RNDZ) || digits_try(d, x, n, MPFR_RNDA);
}

/* The fewest digits that give x > 0 again. If n suffice, so do n + 1. */
static void digits_shortest(struct digits *d, mpfr_srcptr x)
{
    gsize low = 1, high = (gsize)(mpfr_get_prec(x) * 0.30103) + 3;
    while (low < high) {
        gsize middle = (low + high) / 2;
        if (digits_of(d, x, middle))
            high = middle;
        else
            low = middle + 1;
    }
    digits_of(d, x, low);
    for (gsize n = strlen(d->text); n > 1 && d->text[n - 1] == '0'; n--)
        d->text[n - 1] = '\0';
}

static void append_zeros(GString *out, gsize n)
{
    gsize at = out->len;
    g_string_set_size(out, at + n);
    memset(out->str + at, '0', n);
}

static void digits_append(const struct digits *d, GString *out)
{
    gsize n = strlen(d->text);
    if (d->exponent <= 0) {
        g_string_append(out, "0.");
        append_zeros(out, (gsize)-d->exponent);
        g_string_append(out, d->text);
    } else if ((gsize)d->exponent >= n) {
        g_string_append(out, d->text);
        append_zeros(out, (gsize)d->exponent - n);
    } else {
        g_string_append_len(out, d->text, d->exponent);
        g_string_append_printf(out, ".%s", d->text + d->exponent);
    }
}

char *number_text(const struct value *v, GError **err)
{
    const char *sign = mpfr_signbit(v->number) ? "-" : "";
    gint64 whole;
    if (mpfr_inf_p(v->number))
        return g_strdup(*sign ? "-Inf" : "+Inf");
    if (mpfr_zero_p(v->number))
        return g_strconcat(sign, "0", NULL);
    mpfr_exp_t exponent = mpfr_get_exp(v->number);
    if (exponent <= MIN(mpfr_get_prec(v->number), 62) && value_fits_int(v, &whole))
        return g_strdup_printf("%" G_GINT64_FORMAT, whole);
    if (ABS(exponent) > (mpfr_exp_t)HEAP_MAX_STRING * 3) {
        error_set(err, VARVE_ERROR_INVALID, "a number has too many digits");
        return NULL;
    }
    struct digits d;
    mpfr_t positive; /* shares the digits */
    memcpy(positive, v->number, sizeof(positive));
    positive->_mpfr_sign = 1;
    digits_shortest(&d, positive);
    g_autoptr(GString) out = g_string_new(sign);
    digits_append(&d, out);
    return g_strdup(out->str);
}

/* The product keeps all of its bits, at least as many as the factors have. */
static const struct value *number_product(struct heap *h, const struct value *a,
                                          const struct value *b, mpfr_prec_t precision)
{
    struct value *exact = value_number_new(h, MAX(precision, NUMBER_PRECISION));
    mpfr_mul(exact->number, a->number, b->number, MPFR_RNDN);
    mpfr_prec_t needed = mpfr_regular_p(exact->number) ? mpfr_min_prec(exact->number) : 0;
    struct value *v = value_number_new(h, MAX(precision, needed));
    mpfr_set(v->number, exact->number, MPFR_RNDN);
    return v;
}

/* What is left of a when b is taken from it as often as it goes: the sign is a's. */
static const struct value *number_rest(struct heap *h, const struct value *a, const struct value *b,
                                       mpfr_prec_t precision)
{
    if (mpfr_inf_p(a->number) || mpfr_inf_p(b->number))
        return number_product(h, a, b, precision);
    if (mpfr_zero_p(b->number))
        return a;
    struct value *v = value_number_new(h, mpfr_get_prec(a->number));
    struct value *times = value_number_new(h, precision);
    mpfr_div(times->number, a->number, b->number, MPFR_RNDN);
    mpfr_trunc(times->number, times->number);
    mpfr_mul(v->number, times->number, b->number, MPFR_RNDN);
    mpfr_sub(v->number, a->number, v->number, MPFR_RNDN);
    return v;
}

const struct value *number_binary(struct heap *h, char op, const struct value *a,
                                  const struct value *b, GError **err)
{
    mpfr_prec_t precision = MAX(mpfr_get_prec(a->number), mpfr_get_prec(b->number));
    struct value *v = value_number_new(h, precision);
    const struct value *result = v;
    if (op == '+')
        mpfr_add(v->number, a->number, b->number, MPFR_RNDN);
    else if (op == '-')
        mpfr_sub(v->number, a->number, b->number, MPFR_RNDN);
    else if (op == '/')
        mpfr_div(v->number, a->number, b->number, MPFR_RNDN);
    else
        result = op == '*' ? number_product(h, a, b, precision) : number_rest(h, a, b, precision);
    if (mpfr_nan_p(result->number)) {
        error_set(err, VARVE_ERROR_INVALID, "%s",
                  op == '/'   ? "zero cannot be divided by zero, nor infinity by infinity"
                  : op == '*' ? "zero cannot be multiplied by infinity"
                              : "infinities cancel each other");
        return NULL;
    }
    return result;
}
