/* Small helpers for parsers of UTF-8 text; each byte that is not UTF-8 is a character of its own.
 */
#ifndef VARVE_TEXT_SPACE_H
#define VARVE_TEXT_SPACE_H

#include <glib.h>
#include <string.h>

/* Bytes of the white space character at p, 0 when there is none (Unicode White_Space, as Go's
 * unicode.IsSpace). */
static inline gsize text_space(const char *p, const char *end)
{
    if (p == end)
        return 0;
    guchar c = (guchar)*p;
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        return 1;
    if (c < 0xc2)
        return 0;
    gunichar u = g_utf8_get_char_validated(p, end - p);
    if (u == 0x85 || u == 0xa0)
        return 2;
    gboolean space = u == 0x1680 || (u >= 0x2000 && u <= 0x200a) || u == 0x2028 || u == 0x2029 ||
                     u == 0x202f || u == 0x205f || u == 0x3000;
    return space ? 3 : 0;
}

/* Skips white space. */
static inline const char *text_skip_space(const char *p, const char *end)
{
    for (gsize n; (n = text_space(p, end)) > 0;)
        p += n;
    return p;
}

/* Drops white space before end, back to p at most. */
static inline const char *text_trim_end(const char *p, const char *end)
{
    while (end > p) {
        const char *q = end - 1;
        while (q > p && end - q < 3 && ((guchar)*q & 0xc0) == 0x80)
            q--;
        if (text_space(q, end) != (gsize)(end - q))
            break;
        end = q;
    }
    return end;
}

/* Bytes of the character at p, at least 1; p must be before end. */
static inline gsize text_char(const char *p, const char *end)
{
    gunichar u = g_utf8_get_char_validated(p, end - p);
    return u == (gunichar)-1 || u == (gunichar)-2 ? 1 : g_utf8_skip[(guchar)*p];
}

#endif
