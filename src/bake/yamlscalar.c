#include "bake/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    enum yaml_kind kind;
    const char *text;
} words[] = {
    {"", YAML_NULL, ""},           {"~", YAML_NULL, ""},          {"null", YAML_NULL, ""},
    {"Null", YAML_NULL, ""},       {"NULL", YAML_NULL, ""},       {"true", YAML_BOOL, "true"},
    {"True", YAML_BOOL, "true"},   {"TRUE", YAML_BOOL, "true"},   {"false", YAML_BOOL, "false"},
    {"False", YAML_BOOL, "false"}, {"FALSE", YAML_BOOL, "false"}, {".nan", YAML_FLOAT, "NaN"},
    {".NaN", YAML_FLOAT, "NaN"},   {".NAN", YAML_FLOAT, "NaN"},   {".inf", YAML_FLOAT, "+Inf"},
    {".Inf", YAML_FLOAT, "+Inf"},  {".INF", YAML_FLOAT, "+Inf"},  {"+.inf", YAML_FLOAT, "+Inf"},
    {"+.Inf", YAML_FLOAT, "+Inf"}, {"+.INF", YAML_FLOAT, "+Inf"}, {"-.inf", YAML_FLOAT, "-Inf"},
    {"-.Inf", YAML_FLOAT, "-Inf"}, {"-.INF", YAML_FLOAT, "-Inf"},
};

/* A double as Go's fmt prints it with %v. The caller's. */
static char *yaml_float_text(double d)
{
    if (isnan(d))
        return g_strdup("NaN");
    if (isinf(d))
        return g_strdup(d > 0 ? "+Inf" : "-Inf");
    char e[40];
    for (int digits = 0; digits < 18; digits++) {
        g_snprintf(e, sizeof e, "%.*e", digits, d);
        if (strtod(e, NULL) == d)
            break;
    }
    char *mark = strchr(e, 'e');
    int exponent = (int)strtol(mark + 1, NULL, 10);
    if (exponent < -4 || exponent >= 6)
        return g_strdup(e);
    int shown = MAX((int)(mark - e) - (*e == '-') - 2, 0); /* digits behind the point */
    return g_strdup_printf("%.*f", MAX(shown - exponent, 0), d);
}

/* "2020-01-02", also with a time behind it. */
static gboolean yaml_is_time(const char *s)
{
    int year, month, day, n = 0;
    if (strspn(s, "0123456789") != 4 || s[4] != '-')
        return FALSE;
    if (sscanf(s, "%4d-%2d-%2d%n", &year, &month, &day, &n) != 3 || month < 1 || day < 1)
        return FALSE;
    if (!g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)MAX(year, 1)))
        return FALSE;
    if (!s[n])
        return TRUE;
    int hour, minute, second, m = 0;
    if (!strchr("Tt ", s[n]) ||
        sscanf(s + n + 1, "%2d:%2d:%2d%n", &hour, &minute, &second, &m) != 3)
        return FALSE;
    const char *rest = s + n + 1 + m;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (s[n] == ' ')
        return !*rest;
    return !strcmp(rest, "Z") || (strchr("+-", *rest) && strlen(rest) == 6 && rest[3] == ':');
}

static gboolean scalar_digits(const char *s, int base)
{
    if (!*s)
        return FALSE;
    for (; *s; s++)
        if (!g_ascii_isxdigit(*s) || g_ascii_xdigit_value(*s) >= base)
            return FALSE;
    return TRUE;
}

/* A whole number in any of Go's notations that fits in 64 bits (unsigned without a sign). */
static char *yaml_int_text(const char *s)
{
    gboolean negative = *s == '-', sign = negative || *s == '+';
    const char *d = s + sign;
    int base = 10;
    if (d[0] == '0' && d[1]) {
        char c = g_ascii_tolower(d[1]);
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        d += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
    }
    if (!scalar_digits(d, base))
        return NULL;
    errno = 0;
    guint64 n = g_ascii_strtoull(d, NULL, (guint)base);
    guint64 max = negative ? (guint64)1 << 63 : *s == '+' ? G_MAXINT64 : G_MAXUINT64;
    if (errno || n > max)
        return NULL;
    return g_strdup_printf("%s%" G_GUINT64_FORMAT, negative && n ? "-" : "", n);
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static gboolean yaml_is_float(const char *s)
{
    s += *s == '-' || *s == '+';
    gsize whole = strspn(s, "0123456789"), part = 0;
    s += whole;
    if (*s == '.') {
        part = strspn(s + 1, "0123456789");
        s += 1 + part;
    }
    if (!whole && !part)
        return FALSE;
    if (*s == 'e' || *s == 'E') {
        s += 1 + (s[1] == '-' || s[1] == '+');
        gsize n = strspn(s, "0123456789");
        if (!n)
            return FALSE;
        s += n;
    }
    return !*s;
}

static enum yaml_kind resolve_number(struct arena *a, const char *s, const char **text)
{
    g_autofree char *plain = g_malloc(strlen(s) + 1);
    char *end = plain;
    for (const char *c = s; *c; c++)
        if (*c != '_')
            *end++ = *c;
    *end = '\0';
    g_autofree char *whole = *s == '.' ? NULL : yaml_int_text(plain);
    if (whole) {
        *text = arena_strdup(a, whole);
        return YAML_INT;
    }
    double d = yaml_is_float(plain) ? g_ascii_strtod(plain, NULL) : INFINITY;
    if (isinf(d))
        return YAML_TEXT; /* also what is too large for a double */
    g_autofree char *shown = yaml_float_text(d);
    *text = arena_strdup(a, shown);
    return YAML_FLOAT;
}

enum yaml_kind yaml_resolve(struct arena *a, const char *s, const char **text)
{
    *text = s;
    for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
        if (!strcmp(s, words[i].word)) {
            *text = words[i].text;
            return words[i].kind;
        }
    }
    if (!g_ascii_isdigit(*s) && !strchr("+-.", *s))
        return YAML_TEXT;
    if (yaml_is_time(s))
        return YAML_TIME;
    return resolve_number(a, s, text);
}
