#include "graph/gotext.h"

/* Go prints letters, marks, numbers, punctuation, symbols and the ASCII space as they are. */
static gboolean printable(gunichar c)
{
    if (c == ' ')
        return TRUE;
    if (c == 0xad || g_unichar_isspace(c))
        return FALSE;
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_FORMAT:
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
    case G_UNICODE_SPACE_SEPARATOR:
        return FALSE;
    default:
        return TRUE;
    }
}

static void append_char(GString *out, gunichar c, char quote)
{
    static const char letters[] = "abtnvfr"; /* 7 to 13 */
    if (c == (gunichar)quote || c == '\\')
        g_string_append_printf(out, "\\%c", (char)c);
    else if (printable(c))
        g_string_append_unichar(out, c);
    else if (c >= 7 && c <= 13)
        g_string_append_printf(out, "\\%c", letters[c - 7]);
    else if (c < 0x80)
        g_string_append_printf(out, "\\x%02x", c);
    else
        g_string_append_printf(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

void gotext_append_quoted(GString *out, const char *s)
{
    g_string_append_c(out, '"');
    while (*s) {
        gunichar c = g_utf8_get_char_validated(s, -1);
        if (c == (gunichar)-1 || c == (gunichar)-2) {
            g_string_append_printf(out, "\\x%02x", (guchar)*s++);
            continue;
        }
        append_char(out, c, '"');
        s += g_utf8_skip[(guchar)*s];
    }
    g_string_append_c(out, '"');
}

void gotext_append_rune(GString *out, gint64 rune)
{
    gboolean valid = rune >= 0 && rune <= 0x10ffff && !(rune >= 0xd800 && rune < 0xe000);
    g_string_append_c(out, '\'');
    append_char(out, valid ? (gunichar)rune : 0xfffd, '\'');
    g_string_append_c(out, '\'');
}

void gotext_append_quoted_list(GString *out, const char *const *list)
{
    g_string_append_c(out, '[');
    for (guint i = 0; list && list[i]; i++) {
        if (i)
            g_string_append_c(out, ' ');
        gotext_append_quoted(out, list[i]);
    }
    g_string_append_c(out, ']');
}

void gotext_append_list(GString *out, const char *const *list)
{
    g_string_append_c(out, '[');
    for (guint i = 0; list && list[i]; i++)
        g_string_append_printf(out, "%s%s", i ? " " : "", list[i]);
    g_string_append_c(out, ']');
}
