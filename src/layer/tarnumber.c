#include "layer/tarnumber.h"

#define NS G_GINT64_CONSTANT(1000000000)

/* Two's complement, big endian, below the marker bit. */
static gboolean base256(const guint8 *field, gsize len, gint64 *out)
{
    gboolean negative = field[0] & 0x40;
    guint64 v = negative ? ~(guint64)0x3f | (field[0] & 0x3f) : field[0] & 0x3f;
    for (gsize i = 1; i < len; i++) {
        guint8 top = (guint8)(v >> 55); /* the bits that must all be the sign after the shift */
        if (top != (negative ? 0xff : 0) || (v >> 63) != (negative ? 1U : 0U))
            return FALSE;
        v = v << 8 | field[i];
    }
    *out = (gint64)v;
    return TRUE;
}

gboolean tarnumber_field(const guint8 *field, gsize len, gint64 *out)
{
    if (field[0] & 0x80)
        return base256(field, len, out);
    gsize i = 0;
    guint64 v = 0;
    while (i < len && (field[i] == ' ' || field[i] == '\0'))
        i++;
    for (; i < len && field[i] >= '0' && field[i] <= '7'; i++) {
        if (v >> 59)
            return FALSE;
        v = v << 3 | (guint64)(field[i] - '0');
    }
    for (; i < len; i++)
        if (field[i] != ' ' && field[i] != '\0')
            return FALSE;
    *out = (gint64)v;
    return TRUE;
}

gboolean tarnumber_decimal(const char *text, guint64 *out)
{
    return g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, out, NULL);
}

/* Nine digits of a fraction; more are cut off. */
static gboolean fraction(const char *p, gint64 *ns)
{
    gint64 unit = NS / 10;
    *ns = 0;
    for (; g_ascii_isdigit(*p); p++, unit /= 10)
        *ns += unit * (*p - '0');
    return *p == '\0';
}

gboolean tarnumber_time(const char *text, gint64 *out)
{
    gboolean negative = *text == '-';
    const char *p = text + (negative ? 1 : 0);
    gint64 seconds = 0, ns = 0;
    if (!g_ascii_isdigit(*p))
        return FALSE;
    for (; g_ascii_isdigit(*p); p++) {
        seconds = MIN(seconds * 10 + (*p - '0'), TARNUMBER_MAX_SECONDS);
    }
    if (*p == '.' ? !fraction(p + 1, &ns) : *p != '\0')
        return FALSE;
    *out = negative ? -(seconds * NS + ns) : seconds * NS + ns;
    return TRUE;
}
