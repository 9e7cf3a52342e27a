#include "text/fit.h"

#include <string.h>

#define INDENT 2       /* of the further lines of a message */
#define MIN_MESSAGE 20 /* columns: narrower windows are none */

static int char_width(gunichar c)
{
    if (g_unichar_iszerowidth(c))
        return 0;
    return g_unichar_iswide(c) ? 2 : 1;
}

/* Controls, and the bidirectional overrides that can make text read as something else. */
static gboolean is_unsafe(gunichar c)
{
    return g_unichar_iscntrl(c) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

char *text_first_line(const char *s)
{
    return g_strndup(s, strcspn(s, "\n"));
}

int text_width(const char *s)
{
    int w = 0;
    for (const char *p = s; *p;) {
        gunichar c = g_utf8_get_char_validated(p, -1);
        gboolean bad = c == (gunichar)-1 || c == (gunichar)-2;
        w += bad || is_unsafe(c) ? 1 : char_width(c);
        p = bad ? p + 1 : g_utf8_next_char(p);
    }
    return w;
}

char *text_fit(const char *s, int columns)
{
    GString *out = g_string_new(NULL);
    int w = 0;
    gsize last_fit = 0; /* length of out that leaves room for the ellipsis */
    for (const char *p = s; *p;) {
        gunichar c = g_utf8_get_char_validated(p, -1);
        gboolean bad = c == (gunichar)-1 || c == (gunichar)-2;
        p = bad ? p + 1 : g_utf8_next_char(p);
        if (bad)
            c = 0xfffd;
        else if (is_unsafe(c))
            c = c == '\t' ? ' ' : 0xfffd;
        w += char_width(c);
        if (w > columns) {
            g_string_truncate(out, last_fit);
            g_string_append(out, "…");
            break;
        }
        g_string_append_unichar(out, c);
        if (w < columns)
            last_fit = out->len;
    }
    return g_string_free(out, FALSE);
}

/* Where the escape sequence that begins at s ends. */
static const char *skip_escape(const char *s)
{
    const char *p = s + 1;
    if (*p == '[') { /* parameters and intermediates, then one final byte */
        for (p++; *p >= 0x20 && *p <= 0x3f; p++)
            ;
        return *p >= 0x40 && *p <= 0x7e ? p + 1 : p;
    }
    if (*p && strchr("]PX^_", *p)) { /* a string, up to BEL or ESC \ */
        for (p++; *p && *p != '\a' && *p != '\x1b'; p++)
            ;
        return *p == '\a' ? p + 1 : p[0] && p[1] == '\\' ? p + 2 : p;
    }
    while (*p >= 0x20 && *p <= 0x2f)
        p++;
    return *p >= 0x30 && *p <= 0x7e ? p + 1 : p;
}

char *text_without_escapes(const char *s)
{
    GString *out = g_string_new(NULL);
    while (*s) {
        if (*s == '\x1b')
            s = skip_escape(s);
        else
            g_string_append_c(out, *s++);
    }
    return g_string_free(out, FALSE);
}

char *text_one_line(const char *s, gsize max)
{
    g_autofree char *valid = g_utf8_make_valid(s, strnlen(s, max * 4));
    g_autoptr(GString) out = g_string_new(NULL);
    for (const char *p = valid; *p && out->len < max; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (g_unichar_isprint(c))
            g_string_append_unichar(out, c);
        else if (out->len > 0 && out->str[out->len - 1] != ' ')
            g_string_append_c(out, ' ');
    }
    return g_strchomp(g_string_free(g_steal_pointer(&out), FALSE));
}

char *text_command(const char *step)
{
    const char *p = step + strlen("RUN ");
    if (!g_str_has_prefix(step, "RUN --"))
        return g_strdup(step);
    while (g_str_has_prefix(p, "--")) {
        p += strcspn(p, " ");
        p += strspn(p, " ");
    }
    return g_strconcat("RUN ", p, NULL);
}

char *text_step(const char *step, int columns)
{
    g_autofree char *command = text_width(step) > columns ? text_command(step) : g_strdup(step);
    return text_fit(command, columns);
}

char *text_wrap(const char *s, int columns, int indent)
{
    GString *out = g_string_new(NULL);
    int at = 0; /* columns taken in the line, without its indent */
    while (*s) {
        int blanks = (int)strspn(s, " ");
        gsize n = strcspn(s + blanks, " \n");
        g_autofree char *word = g_strndup(s + blanks, n);
        int width = text_width(word);
        gboolean breaks = columns > 0 && at > 0 && at + blanks + width > columns;
        g_string_append_printf(out, "%s%*s%s", breaks ? "\n" : "", breaks ? indent : blanks, "",
                               word);
        at = breaks ? width : at + blanks + width;
        s += blanks + n;
        if (*s != '\n')
            continue;
        at = 0;
        s++;
        g_string_append_printf(out, "\n%*s", *s && *s != '\n' ? indent : 0, "");
    }
    return g_string_free(out, FALSE);
}

char *text_wrap_message(const char *s, int columns)
{
    return columns > 0 ? text_wrap(s, MAX(MIN_MESSAGE, columns - INDENT), INDENT) : g_strdup(s);
}
