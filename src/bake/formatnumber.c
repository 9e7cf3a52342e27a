#include "bake/formatnumber.h"

#include "base/error.h"

#include <string.h>

#define DIGITS_MAX (4u << 20) /* of one number */
#define SHORT_EXPONENT 6      /* %g without precision: a number of more digits has an exponent */

/* Decimal digits: 0.DIGITS * 10^exponent; none for zero. */
struct digits {
    GString *text;
    gint64 exponent;
};

/* Sign, prefix, zeros and digits, padded to the width. */
static gboolean padded_append(struct heap *h, const struct format_verb *verb, const char *sign,
                              const GString *body, gboolean zeros, GString *out, GError **err)
{
    gsize len = strlen(sign) + body->len;
    gsize pad = verb->width > 0 && (gsize)verb->width > len ? (gsize)verb->width - len : 0;
    if (!heap_reserve_string(h, out->len + len + pad, err))
        return FALSE;
    gboolean right = verb->minus, zero = zeros && !right;
    if (!right && !zero)
        g_string_append_printf(out, "%*s", (int)pad, "");
    g_string_append(out, sign);
    for (gsize i = 0; zero && i < pad; i++)
        g_string_append_c(out, '0');
    g_string_append_len(out, body->str, (gssize)body->len);
    if (right)
        g_string_append_printf(out, "%*s", (int)pad, "");
    return TRUE;
}

static const char *sign_of(const struct format_verb *verb, gboolean negative)
{
    return negative ? "-" : verb->plus ? "+" : verb->space ? " " : "";
}

static int verb_base(char mode)
{
    return mode == 'b' ? 2 : mode == 'o' ? 8 : mode == 'd' ? 10 : 16;
}

/* All digits of a whole number that is not zero, without sign. */
static char *whole_digits(struct heap *h, mpfr_srcptr x, int base, GError **err)
{
    mpfr_exp_t bits = mpfr_get_exp(x), place;
    gsize n = (gsize)((double)bits / (base == 2 ? 1 : base == 8 ? 3 : base == 10 ? 3.3219 : 4)) + 2;
    if (bits > DIGITS_MAX) {
        error_set(err, VARVE_ERROR_INVALID, "a number has too many digits");
        return NULL;
    }
    if (!heap_step(h, n, err))
        return NULL;
    char *text = mpfr_get_str(NULL, &place, base, n, x, MPFR_RNDZ);
    const char *digits = text + (*text == '-');
    char *whole = g_strndup(digits, (gsize)place);
    mpfr_free_str(text);
    return whole;
}

gboolean format_whole(struct heap *h, const struct format_verb *verb, const struct value *v,
                      GString *out, GError **err)
{
    static const char *const PREFIXES[] = {"b", "0b", "o", "0", "x", "0x", "X", "0X"};
    g_autofree char *digits = mpfr_zero_p(v->number)
                                  ? g_strdup(verb->precision == 0 ? "" : "0")
                                  : whole_digits(h, v->number, verb_base(verb->mode), err);
    g_autoptr(GString) body = g_string_new(NULL);
    if (!digits || !heap_reserve_string(h, (gsize)MAX(verb->precision, 0), err))
        return FALSE;
    if (mpfr_zero_p(v->number) && verb->precision == 0)
        return TRUE;
    gsize n = strlen(digits);
    for (gsize i = n; verb->precision > 0 && i < (gsize)verb->precision; i++)
        g_string_append_c(body, '0');
    g_string_append(body, digits);
    if (verb->mode == 'X')
        g_string_ascii_up(body);
    const char *prefix = "";
    for (guint i = 0; i < G_N_ELEMENTS(PREFIXES); i += 2)
        if (verb->sharp && verb->mode == *PREFIXES[i])
            prefix = PREFIXES[i + 1];
    gboolean negative = mpfr_signbit(v->number) && !mpfr_zero_p(v->number);
    g_autofree char *sign = g_strconcat(sign_of(verb, negative), prefix, NULL);
    return padded_append(h, verb, sign, body, verb->zero && verb->precision < 0, out, err);
}

/* The fewest digits that give the number again. */
static gboolean digits_shortest(struct digits *d, const struct value *v, GError **err)
{
    g_autofree char *text = number_text(v, err);
    if (!text)
        return FALSE;
    const char *p = text + (*text == '-');
    const char *point = strchr(p, '.');
    gsize whole = point ? (gsize)(point - p) : strlen(p);
    g_string_append_len(d->text, p, (gssize)whole);
    if (point)
        g_string_append(d->text, point + 1);
    gsize leading = strspn(d->text->str, "0");
    d->exponent = (gint64)whole - (gint64)leading;
    g_string_erase(d->text, 0, (gssize)leading);
    return TRUE;
}

/* Whether the number, which begins at the place behind those that are kept, is more than a half
 * there: then it becomes 1. A half itself becomes 0, which is even. */
static gboolean above_half(mpfr_srcptr x, mpfr_exp_t *exponent)
{
    mpfr_exp_t up;
    char *down = mpfr_get_str(NULL, exponent, 10, 40, x, MPFR_RNDZ);
    char *away = mpfr_get_str(NULL, &up, 10, 40, x, MPFR_RNDA);
    const char *digits = down + (*down == '-');
    gboolean half = *digits == '5' && strspn(digits + 1, "0") == 39 && strcmp(down, away) == 0;
    gboolean above = *digits >= '5' && !half;
    mpfr_free_str(down);
    mpfr_free_str(away);
    return above;
}

/* n digits, rounded to the nearest; with n of 0 there is one if that rounds up. */
static void digits_rounded(struct digits *d, mpfr_srcptr x, gsize n)
{
    mpfr_exp_t exponent;
    if (n == 0) {
        if (above_half(x, &exponent)) {
            g_string_append_c(d->text, '1');
            d->exponent = exponent + 1;
        }
        return;
    }
    char *text = mpfr_get_str(NULL, &exponent, 10, n, x, MPFR_RNDN);
    g_string_append(d->text, text + (*text == '-'));
    d->exponent = exponent;
    mpfr_free_str(text);
}

static void digits_trim(struct digits *d)
{
    while (d->text->len > 0 && d->text->str[d->text->len - 1] == '0')
        g_string_truncate(d->text, d->text->len - 1);
    if (d->text->len == 0)
        d->exponent = 0;
}

/* The digit at a place, counted from the first one; 0 beyond them. */
static char digit_at(const struct digits *d, gint64 i)
{
    return i >= 0 && i < (gint64)d->text->len ? d->text->str[i] : '0';
}

static void exponent_append(const struct digits *d, gint64 precision, char letter, GString *out)
{
    gint64 exponent = d->text->len ? d->exponent - 1 : 0;
    g_string_append_c(out, digit_at(d, 0));
    if (precision > 0)
        g_string_append_c(out, '.');
    for (gint64 i = 1; i <= precision; i++)
        g_string_append_c(out, digit_at(d, i));
    g_string_append_printf(out, "%c%c%02" G_GINT64_FORMAT, letter, exponent < 0 ? '-' : '+',
                           ABS(exponent));
}

static void plain_append(const struct digits *d, gint64 precision, GString *out)
{
    for (gint64 i = 0; i < d->exponent; i++)
        g_string_append_c(out, digit_at(d, i));
    if (d->exponent <= 0)
        g_string_append_c(out, '0');
    if (precision > 0)
        g_string_append_c(out, '.');
    for (gint64 i = 0; i < precision; i++)
        g_string_append_c(out, digit_at(d, d->exponent + i));
}

/* %g: with an exponent if that is below -4, or not below the precision. */
static void general_append(const struct digits *d, gint64 precision, gboolean shortest, char letter,
                           GString *out)
{
    gint64 n = (gint64)d->text->len, limit = precision, exponent = d->exponent - 1;
    if (shortest)
        limit = SHORT_EXPONENT;
    else if (limit > n && n >= d->exponent)
        limit = n;
    if (exponent < -4 || exponent >= limit) {
        exponent_append(d, MIN(precision, n) - 1, letter, out);
        return;
    }
    precision = precision > d->exponent ? n : precision;
    plain_append(d, MAX(precision - d->exponent, 0), out);
}

/* How many digits a verb with a precision keeps of a number, at most DIGITS_MAX, at least 0;
 * -1: it is so small that none is left. */
static gint64 digits_kept(const struct format_verb *verb, mpfr_srcptr x, gint64 precision)
{
    if (verb->mode == 'e' || verb->mode == 'E')
        return precision + 1;
    if (verb->mode != 'f')
        return MAX(precision, 1);
    mpfr_exp_t exponent;
    mpfr_free_str(mpfr_get_str(NULL, &exponent, 10, 2, x, MPFR_RNDZ));
    return MAX(exponent + precision, -1);
}

static gboolean digits_of(struct heap *h, struct digits *d, const struct format_verb *verb,
                          const struct value *v, gint64 precision, GError **err)
{
    if (mpfr_zero_p(v->number))
        return TRUE;
    if (precision < 0)
        return digits_shortest(d, v, err);
    gint64 n = digits_kept(verb, v->number, precision);
    if (n > DIGITS_MAX)
        return error_set(err, VARVE_ERROR_INVALID, "a number has too many digits");
    if (!heap_step(h, (guint64)MAX(n, 1), err))
        return FALSE;
    if (n >= 0)
        digits_rounded(d, v->number, (gsize)n);
    return TRUE;
}

static void body_append(const struct format_verb *verb, const struct digits *d, gint64 precision,
                        GString *body)
{
    if (verb->mode == 'f')
        plain_append(d, precision, body);
    else if (verb->mode == 'e' || verb->mode == 'E')
        exponent_append(d, precision, verb->mode, body);
    else if (precision < 0)
        general_append(d, (gint64)d->text->len, TRUE, (char)(verb->mode - 2), body);
    else
        general_append(d, MAX(precision, 1), FALSE, (char)(verb->mode - 2), body);
}

gboolean format_float(struct heap *h, const struct format_verb *verb, const struct value *v,
                      GString *out, GError **err)
{
    g_autoptr(GString) text = g_string_new(NULL), body = g_string_new(NULL);
    struct digits d = {text, 0};
    gboolean general = verb->mode == 'g' || verb->mode == 'G';
    gint64 precision = verb->precision < 0 && !general ? 6 : verb->precision;
    gboolean infinite = mpfr_inf_p(v->number);
    if (!heap_reserve_string(h, (gsize)MAX(precision, 0), err))
        return FALSE;
    if (infinite) {
        g_string_append(body, "Inf");
    } else {
        if (!digits_of(h, &d, verb, v, precision, err))
            return FALSE;
        digits_trim(&d);
        body_append(verb, &d, precision, body);
    }
    const char *sign = sign_of(verb, mpfr_signbit(v->number));
    if (infinite && !*sign)
        sign = "+";
    return padded_append(h, verb, sign, body, verb->zero && !infinite, out, err);
}
