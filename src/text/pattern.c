#include "text/pattern.h"

#include "base/error.h"

#include <string.h>

gboolean pattern_has_wildcards(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (strchr("*?[", *p))
            return TRUE;
    }
    return FALSE;
}

/* Reads one character; bytes that are not UTF-8 stand for themselves beyond Unicode. */
static gunichar read_char(const char **p)
{
    gunichar c = g_utf8_get_char_validated(*p, -1);
    if (c == (gunichar)-1 || c == (gunichar)-2)
        return 0x110000 + (guchar) * (*p)++;
    *p += g_utf8_skip[(guchar) * *p];
    return c;
}

/* Reads one bound of a class; FALSE when there is none. */
static gboolean class_bound(const char **p, gunichar *c)
{
    if (!**p || **p == '-' || **p == ']')
        return FALSE;
    if (**p == '\\' && !*++*p)
        return FALSE;
    *c = read_char(p);
    return TRUE;
}

/* *p is behind '['; moves it behind ']'. Returns 1 or 0 for a match of c, -1 when malformed. */
static int match_class(const char **p, gunichar c)
{
    gboolean negated = **p == '^', found = FALSE;
    *p += negated;
    for (guint n = 0; **p != ']' || n == 0; n++) {
        gunichar lo, hi;
        if (!class_bound(p, &lo))
            return -1;
        hi = lo;
        if (**p == '-') {
            (*p)++;
            if (!class_bound(p, &hi))
                return -1;
        }
        found |= lo <= c && c <= hi;
    }
    (*p)++;
    return found != negated;
}

gboolean pattern_check(const char *pattern, GError **err)
{
    for (const char *p = pattern; *p;) {
        char c = *p++;
        gboolean bad = c == '\\' ? !*p : c == '[' ? match_class(&p, 0) < 0 : FALSE;
        if (bad)
            return error_set(err, VARVE_ERROR_INVALID, "malformed pattern \"%s\": %s", pattern,
                             c == '[' ? "a [class] is empty or not closed"
                                      : "nothing follows the last \\");
        if (c == '\\')
            p++;
    }
    return TRUE;
}

/* Matches one pattern item that is not '*' at *p against *n; moves both on success. */
static gboolean match_one(const char **p, const char **n)
{
    if (!**n)
        return FALSE;
    if (**p == '?') {
        if (**n == '/')
            return FALSE;
        (*p)++;
        read_char(n);
        return TRUE;
    }
    if (**p == '[') {
        if (**n == '/')
            return FALSE;
        (*p)++;
        return match_class(p, read_char(n)) == 1;
    }
    if (**p == '\\' && (*p)[1])
        (*p)++;
    return *(*p)++ == *(*n)++;
}

/* Only the last '*' is ever tried again: an earlier one that ended sooner leaves at least as much
 * to the later. */
gboolean pattern_match(const char *pattern, const char *name)
{
    const char *p = pattern, *n = name;
    const char *star_p = NULL, *star_n = NULL;
    for (;;) {
        if (*p == '*') {
            star_p = ++p;
            star_n = n;
            continue;
        }
        if (!*p && !*n)
            return TRUE;
        if (*p && match_one(&p, &n))
            continue;
        if (!star_p || !*star_n || *star_n == '/')
            return FALSE;
        read_char(&star_n);
        p = star_p;
        n = star_n;
    }
}

char *pattern_unescape(const char *pattern)
{
    GString *out = g_string_new(NULL);
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        g_string_append_c(out, *p);
    }
    return g_string_free(out, FALSE);
}
