#include "ui/text.h"

#include <string.h>

#define GAP 2       /* columns between columns */
#define MIN_FREE 12 /* the last column is never cut below this */

struct table {
    guint columns;
    char *right;     /* columns characters: 'r' right-aligned, all others left */
    GPtrArray *rows; /* char**, columns cells each; the first is the heads */
};

struct table *table_new(const char *const *heads, const char *right_aligned_mask)
{
    struct table *t = g_new0(struct table, 1);
    t->columns = g_strv_length((char **)heads);
    t->right = g_strdup(right_aligned_mask ? right_aligned_mask : "");
    t->rows = g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    table_row(t, heads);
    return t;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    g_free(t->right);
    g_ptr_array_unref(t->rows);
    g_free(t);
}

void table_row(struct table *t, const char *const *cells)
{
    char **row = g_new0(char *, t->columns + 1);
    for (guint i = 0; i < t->columns; i++)
        row[i] = text_fit(cells[i] ? cells[i] : "-", 10000);
    g_ptr_array_add(t->rows, row);
}

static void measure(const struct table *t, int *widths)
{
    for (guint c = 0; c < t->columns; c++) {
        widths[c] = 0;
        for (guint r = 0; r < t->rows->len; r++) {
            char **row = g_ptr_array_index(t->rows, r);
            widths[c] = MAX(widths[c], text_width(row[c]));
        }
    }
}

/* Shrinks the last column to what the terminal leaves. */
static void fit_last(const struct table *t, int *widths, int total)
{
    int used = 0;
    for (guint c = 0; c + 1 < t->columns; c++)
        used += widths[c] + GAP;
    guint last = t->columns - 1;
    if (total > 0 && used + widths[last] > total)
        widths[last] = MAX(MIN_FREE, total - used);
}

static void print_cell(FILE *f, const struct table *t, guint c, const char *cell, int width,
                       gboolean last)
{
    g_autofree char *fit = text_fit(cell, width);
    int pad = width - text_width(fit);
    gboolean right = c < strlen(t->right) && t->right[c] == 'r';
    if (right)
        fprintf(f, "%*s%s", pad, "", fit);
    else
        fprintf(f, "%s%*s", fit, last ? 0 : pad, "");
    if (!last)
        fprintf(f, "%*s", GAP, "");
}

void table_print(struct table *t, FILE *f)
{
    g_autofree int *widths = g_new0(int, t->columns);
    measure(t, widths);
    fit_last(t, widths, text_columns(f));
    gboolean colour = text_colours(f);
    for (guint r = 0; r < t->rows->len; r++) {
        char **row = g_ptr_array_index(t->rows, r);
        if (r == 0 && colour)
            fputs("\x1b[2m", f);
        for (guint c = 0; c < t->columns; c++)
            print_cell(f, t, c, row[c], widths[c], c + 1 == t->columns);
        fputs(r == 0 && colour ? "\x1b[0m\n" : "\n", f);
    }
}
