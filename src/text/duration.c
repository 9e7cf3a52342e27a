#include "text/duration.h"

#include "base/error.h"

#include <string.h>

#define NS_PER_S G_GINT64_CONSTANT(1000000000)

static const struct unit {
    const char *name;
    gint64 ns;
} units[] = {
    {"ns", 1},       {"us", 1000},    {"\xc2\xb5s", 1000},  {"\xce\xbcs", 1000},
    {"ms", 1000000}, {"s", NS_PER_S}, {"m", 60 * NS_PER_S}, {"h", 3600 * NS_PER_S},
};

static const struct unit *find_unit(const char *p, gsize n)
{
    for (guint i = 0; i < G_N_ELEMENTS(units); i++)
        if (strlen(units[i].name) == n && memcmp(units[i].name, p, n) == 0)
            return &units[i];
    return NULL;
}

/* Reads digits; FALSE when they do not fit 63 bits. */
static gboolean read_digits(const char **p, guint64 *v)
{
    for (*v = 0; g_ascii_isdigit(**p); (*p)++)
        if (*v > (G_MAXINT64 - 9) / 10)
            return FALSE;
        else
            *v = *v * 10 + (**p - '0');
    return TRUE;
}

/* Reads one "<number>[.<fraction>]<unit>" and adds it to *sum. */
static gboolean read_part(const char **p, guint64 *sum)
{
    guint64 whole = 0;
    double fraction = 0, scale = 1;
    const char *start = *p;
    if (!read_digits(p, &whole))
        return FALSE;
    gsize n_digits = *p - start;
    if (**p == '.') {
        for ((*p)++; g_ascii_isdigit(**p); (*p)++, n_digits++)
            fraction += (**p - '0') * (scale /= 10);
    }
    gsize n_unit = 0;
    while ((*p)[n_unit] && (*p)[n_unit] != '.' && !g_ascii_isdigit((*p)[n_unit]))
        n_unit++;
    const struct unit *unit = find_unit(*p, n_unit);
    if (n_digits == 0 || !unit || whole > (guint64)(G_MAXINT64 / unit->ns))
        return FALSE;
    *p += n_unit;
    guint64 value = whole * unit->ns + (guint64)(fraction * unit->ns + 1e-6);
    if (value > (guint64)G_MAXINT64 - *sum)
        return FALSE;
    *sum += value;
    return TRUE;
}

gboolean duration_parse(const char *text, gint64 *ns, GError **err)
{
    const char *p = text;
    gboolean negative = *p == '-';
    p += *p == '-' || *p == '+';
    guint64 sum = 0;
    gboolean ok = *p != '\0';
    if (strcmp(p, "0") == 0)
        p++;
    while (ok && *p)
        ok = read_part(&p, &sum);
    if (!ok)
        return error_set(
            err, VARVE_ERROR_INVALID,
            "invalid duration \"%s\": write a number with a unit, like 30s, 1m30s or 250ms", text);
    *ns = negative ? -(gint64)sum : (gint64)sum;
    return TRUE;
}

/* A number of units with up to 9 decimals and no trailing zeros. */
static void append_decimal(GString *out, guint64 ns, guint64 unit, const char *name)
{
    g_string_append_printf(out, "%" G_GUINT64_FORMAT, ns / unit);
    guint64 rest = ns % unit;
    if (rest) {
        g_string_append_c(out, '.');
        for (guint64 digit = unit / 10; rest; rest %= digit, digit /= 10)
            g_string_append_c(out, '0' + rest / digit);
    }
    g_string_append(out, name);
}

char *duration_text(gint64 ns)
{
    GString *out = g_string_new(ns < 0 ? "-" : "");
    guint64 v = ns < 0 ? -(guint64)ns : (guint64)ns;
    if (v == 0)
        g_string_append(out, "0s");
    else if (v < 1000)
        g_string_append_printf(out, "%" G_GUINT64_FORMAT "ns", v);
    else if (v < 1000000)
        append_decimal(out, v, 1000, "\xc2\xb5s");
    else if (v < (guint64)NS_PER_S)
        append_decimal(out, v, 1000000, "ms");
    else {
        guint64 minutes = v / (60 * NS_PER_S);
        if (minutes >= 60)
            g_string_append_printf(out, "%" G_GUINT64_FORMAT "h", minutes / 60);
        if (minutes > 0)
            g_string_append_printf(out, "%" G_GUINT64_FORMAT "m", minutes % 60);
        append_decimal(out, v % (60 * NS_PER_S), NS_PER_S, "s");
    }
    return g_string_free(out, FALSE);
}
