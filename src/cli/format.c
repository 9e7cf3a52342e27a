#include "cli/format.h"

#include "base/error.h"
#include "cli/show.h"
#include "ui/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GAP 3 /* columns between columns, as in docker's tables */

/* Docker reads "\t" and "\n" in the text of a listing's template, where the shell's quotes keep
 * them. */
static char *unescaped(const char *text)
{
    GString *out = g_string_new(text);
    g_string_replace(out, "\\t", "\t", 0);
    g_string_replace(out, "\\n", "\n", 0);
    return g_string_free(out, FALSE);
}

gboolean format_parse(struct format *f, const char *text, GError **err)
{
    f->kind = FORMAT_TABLE;
    if (!text || g_str_equal(text, "table"))
        return TRUE;
    f->kind = FORMAT_JSON;
    if (g_str_equal(text, "json"))
        return TRUE;
    f->kind = FORMAT_TEMPLATE;
    if (!strstr(text, "{{")) {
        error_set(err, VARVE_ERROR_USAGE,
                  "--format %s: must be table, json or a template with {{…}}", text);
        error_add_next(err,
                       "for example --format '{{.ID}}'; --format json shows the fields there are");
        return FALSE;
    }
    gboolean table = g_str_has_prefix(text, "table ") || g_str_has_prefix(text, "table\\t");
    g_autofree char *plain = unescaped(table ? text + strlen("table ") : text);
    if (table)
        f->lines = g_ptr_array_new_with_free_func(g_free);
    f->template = template_new(plain, err);
    return f->template != NULL;
}

void format_clear(struct format *f)
{
    template_free(f->template);
    if (f->lines)
        g_ptr_array_unref(f->lines);
}

/* Line feeds and tabs stay. */
static char *safe(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) cells = g_strsplit(*line, "\t", -1);
        for (char **cell = cells; *cell; cell++) {
            char *fit = text_fit(*cell, G_MAXINT);
            g_free(*cell);
            *cell = fit;
        }
        g_free(*line);
        *line = g_strjoinv("\t", cells);
    }
    return g_strjoinv("\n", lines);
}

static void print_line(const char *text)
{
    g_autofree char *shown = isatty(STDOUT_FILENO) ? safe(text) : g_strdup(text);
    printf("%s\n", shown);
}

gboolean format_print(const struct template *t, json_t *value, GError **err)
{
    g_autofree char *text = template_render(t, value, err);
    if (text)
        print_line(text);
    return text != NULL;
}

static void add_optional(const struct format *f, json_t *row)
{
    for (const char *const *name = f->optional; name && *name; name++)
        if (!json_object_get(row, *name))
            json_object_set_new(row, *name, json_string(""));
}

gboolean format_check(struct format *f, json_t *sample, GError **err)
{
    json_auto_t *owned = sample;
    if (!f->template)
        return TRUE;
    add_optional(f, owned);
    GError *why = NULL;
    g_autofree char *text = template_render(f->template, owned, &why);
    /* Errors of functions do not matter for a value that does not exist. */
    if (!g_error_matches(why, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_clear_error(&why);
        return TRUE;
    }
    g_propagate_error(err, why);
    return FALSE;
}

gboolean format_row(struct format *f, json_t *row, GError **err)
{
    json_auto_t *owned = row;
    if (f->kind == FORMAT_JSON) {
        print_json(g_steal_pointer(&owned), FALSE);
        return TRUE;
    }
    add_optional(f, owned);
    if (!f->lines)
        return format_print(f->template, owned, err);
    char *text = template_render(f->template, owned, err);
    if (text)
        g_ptr_array_add(f->lines, text);
    return text != NULL;
}

/* Splits lines into cells; returns the widths of the columns. */
static GArray *split_lines(GPtrArray *lines, GPtrArray *rows)
{
    GArray *widths = g_array_new(FALSE, TRUE, sizeof(int));
    for (guint i = 0; i < lines->len; i++) {
        char **cells = g_strsplit(g_ptr_array_index(lines, i), "\t", -1);
        g_ptr_array_add(rows, cells);
        guint n = g_strv_length(cells);
        if (widths->len < n)
            g_array_set_size(widths, n);
        for (guint c = 0; c < n; c++)
            g_array_index(widths, int, c) =
                MAX(g_array_index(widths, int, c), text_width(cells[c]));
    }
    return widths;
}

static void print_columns(GPtrArray *lines)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    g_autoptr(GArray) widths = split_lines(lines, rows);
    for (guint i = 0; i < rows->len; i++) {
        g_autoptr(GString) line = g_string_new(NULL);
        char **cells = g_ptr_array_index(rows, i);
        for (guint c = 0; cells[c]; c++) {
            int pad = g_array_index(widths, int, c) + GAP - text_width(cells[c]);
            g_string_append_printf(line, "%s%*s", cells[c], cells[c + 1] ? pad : 0, "");
        }
        print_line(line->str);
    }
}

gboolean format_end(struct format *f, const char *const (*special)[2], GError **err)
{
    if (!f->lines)
        return TRUE;
    char *heads = template_heads(f->template, special, err);
    if (!heads)
        return FALSE;
    g_ptr_array_insert(f->lines, 0, heads);
    print_columns(f->lines);
    return TRUE;
}

char *format_size(guint64 bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double n = (double)bytes;
    guint i = 0;
    for (; n >= 999.5 && i + 1 < G_N_ELEMENTS(units); i++)
        n /= 1000;
    return g_strdup_printf("%.3g%s", n, units[i]);
}

char *format_time(gint64 seconds)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_local(seconds);
    return t ? g_date_time_format(t, "%Y-%m-%d %H:%M:%S %z %Z") : g_strdup("-");
}
