#include "image/jsonout.h"

#include <string.h>

void jsonout_init(struct jsonout *j, int indent)
{
    j->text = g_string_new(NULL);
    j->indent = indent;
    j->depth = 0;
    j->filled = FALSE;
}

GBytes *jsonout_finish(struct jsonout *j)
{
    return g_string_free_to_bytes(g_steal_pointer(&j->text));
}

static void put_escape(GString *s, gunichar c)
{
    switch (c) {
    case '\n':
        g_string_append(s, "\\n");
        break;
    case '\r':
        g_string_append(s, "\\r");
        break;
    case '\t':
        g_string_append(s, "\\t");
        break;
    case '\b':
        g_string_append(s, "\\b");
        break;
    case '\f':
        g_string_append(s, "\\f");
        break;
    default:
        g_string_append_printf(s, "\\u%04x", c);
    }
}

static gboolean needs_escape(gunichar c)
{
    return c < 0x20 || c == '<' || c == '>' || c == '&' || c == 0x2028 || c == 0x2029;
}

static void put_text(GString *s, const char *p)
{
    g_string_append_c(s, '"');
    while (*p) {
        gunichar c = g_utf8_get_char_validated(p, -1);
        if (c >= 0xfffffffe) {
            g_string_append(s, "\\ufffd");
            p++;
            continue;
        }
        const char *next = g_utf8_next_char(p);
        if (c == '"' || c == '\\')
            g_string_append_printf(s, "\\%c", (char)c);
        else if (needs_escape(c))
            put_escape(s, c);
        else
            g_string_append_len(s, p, next - p);
        p = next;
    }
    g_string_append_c(s, '"');
}

static void new_line(struct jsonout *j)
{
    if (!j->indent)
        return;
    g_string_append_printf(j->text, "\n%*s", j->indent * j->depth, "");
}

static void begin_member(struct jsonout *j, const char *key)
{
    if (j->filled)
        g_string_append_c(j->text, ',');
    if (j->depth)
        new_line(j);
    j->filled = TRUE;
    if (!key)
        return;
    put_text(j->text, key);
    g_string_append(j->text, j->indent ? ": " : ":");
}

void jsonout_open(struct jsonout *j, const char *key, char bracket)
{
    begin_member(j, key);
    g_string_append_c(j->text, bracket);
    j->depth++;
    j->filled = FALSE;
}

void jsonout_close(struct jsonout *j, char bracket)
{
    j->depth--;
    if (j->filled)
        new_line(j);
    g_string_append_c(j->text, bracket);
    j->filled = TRUE;
}

void jsonout_str(struct jsonout *j, const char *key, const char *value)
{
    begin_member(j, key);
    put_text(j->text, value);
}

void jsonout_int(struct jsonout *j, const char *key, gint64 value)
{
    begin_member(j, key);
    g_string_append_printf(j->text, "%" G_GINT64_FORMAT, value);
}

void jsonout_true(struct jsonout *j, const char *key)
{
    begin_member(j, key);
    g_string_append(j->text, "true");
}

void jsonout_opt_str(struct jsonout *j, const char *key, const char *value)
{
    if (value && *value)
        jsonout_str(j, key, value);
}

void jsonout_opt_int(struct jsonout *j, const char *key, gint64 value)
{
    if (value)
        jsonout_int(j, key, value);
}

void jsonout_opt_strv(struct jsonout *j, const char *key, char *const *strv, gsize n)
{
    if (!n)
        return;
    jsonout_open(j, key, '[');
    for (gsize i = 0; i < n; i++)
        jsonout_str(j, NULL, strv[i]);
    jsonout_close(j, ']');
}

static gboolean write_pair(gpointer key, gpointer value, gpointer ctx)
{
    jsonout_str(ctx, key, value);
    return FALSE;
}

static gboolean write_set_member(gpointer key, gpointer value, gpointer ctx)
{
    jsonout_open(ctx, key, '{');
    jsonout_close(ctx, '}');
    return FALSE;
}

void jsonout_opt_map(struct jsonout *j, const char *key, GTree *map, gboolean as_set)
{
    if (!map || !g_tree_nnodes(map))
        return;
    jsonout_open(j, key, '{');
    g_tree_foreach(map, as_set ? write_set_member : write_pair, j);
    jsonout_close(j, '}');
}
