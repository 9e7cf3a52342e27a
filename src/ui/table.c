#include "ui/text.h"

#include <string.h>

#define GAP 2       /* columns between columns */
#define MIN_FREE 12 /* the last column is not cut below this as long as others can give way */
#define MIN_TEXT 8  /* nor any other */
#define INDENT 4    /* of the rest of a row that takes several lines */

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

static void measure_columns(const struct table *t, int *widths)
{
    for (guint c = 0; c < t->columns; c++) {
        widths[c] = 0;
        for (guint r = 0; r < t->rows->len; r++) {
            char **row = g_ptr_array_index(t->rows, r);
            widths[c] = MAX(widths[c], text_width(row[c]));
        }
    }
}

static gboolean is_right(const struct table *t, guint c)
{
    return c < strlen(t->right) && t->right[c] == 'r';
}

static int width_of(const struct table *t, const int *widths)
{
    int sum = 0;
    for (guint c = 0; c < t->columns; c++)
        sum += widths[c] + (c > 0 ? GAP : 0);
    return sum;
}

/* The widest column of text, wider than least; -1: there is none. */
static int widest(const struct table *t, const int *widths, int least)
{
    int found = -1;
    for (guint c = 0; c < t->columns; c++)
        if (!is_right(t, c) && widths[c] > least && (found < 0 || widths[c] > widths[found]))
            found = (int)c;
    return found;
}

/* Shrinks the last column to what the terminal leaves, then the widest ones: numbers stay whole. If
 * that is not enough, rows take several lines, and columns get back the space of these. */
static void fit(const struct table *t, int *widths, int total)
{
    g_autofree int *whole = g_memdup2(widths, t->columns * sizeof *widths);
    guint last = t->columns - 1;
    int over = width_of(t, widths) - total;
    if (total == 0 || over <= 0)
        return;
    widths[last] = MAX(MIN(MIN_FREE, widths[last]), widths[last] - over);
    for (int c; width_of(t, widths) > total && (c = widest(t, widths, MIN_TEXT)) >= 0;)
        widths[c]--;
    for (guint c = 0; c < t->columns && width_of(t, widths) > total; c++)
        widths[c] = MIN(whole[c], MAX(MIN_TEXT, total - INDENT));
}

static void print_cell(FILE *f, const struct table *t, guint c, const char *cell, int width,
                       gboolean last)
{
    g_autofree char *shown = text_fit(cell, width);
    int pad = width - text_width(shown);
    if (is_right(t, c))
        fprintf(f, "%*s%s", pad, "", shown);
    else
        fprintf(f, "%s%*s", shown, last ? 0 : pad, "");
    if (!last)
        fprintf(f, "%*s", GAP, "");
}

/* One row. What still does not fit stands below, indented: a row breaks between columns only. */
static void print_row(FILE *f, const struct table *t, char **row, const int *widths, int total)
{
    int at = 0;
    for (guint c = 0; c < t->columns; c++) {
        gboolean last = c + 1 == t->columns;
        gboolean breaks = !last && total > 0 && at + widths[c] + GAP + widths[c + 1] > total;
        print_cell(f, t, c, row[c], widths[c], last || breaks);
        at = breaks ? INDENT : at + widths[c] + GAP;
        if (breaks)
            fprintf(f, "\n%*s", INDENT, "");
    }
}

void table_print(struct table *t, FILE *f)
{
    g_autofree int *widths = g_new0(int, t->columns);
    int total = text_columns(f);
    measure_columns(t, widths);
    fit(t, widths, total);
    gboolean colour = text_colours(f);
    for (guint r = 0; r < t->rows->len; r++) {
        if (r == 0 && colour)
            fputs("\x1b[2m", f);
        print_row(f, t, g_ptr_array_index(t->rows, r), widths, total);
        fputs(r == 0 && colour ? "\x1b[0m\n" : "\n", f);
    }
}
