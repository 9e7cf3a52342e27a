/* Text for people: sizes, durations, tables, and colours, which respect NO_COLOR and non-terminals.
 */
#ifndef VARVE_UI_TEXT_H
#define VARVE_UI_TEXT_H

#include "text/fit.h"

#include <stdio.h>

/* "812 B", "40 kB", "1.8 MB", "2.31 GB" (powers of 1000). */
char *text_size(guint64 bytes);
/* "9 ms", "2.1 s", "1 min 4 s", "2 h 3 min". */
char *text_duration(gint64 us);
/* "3 days ago", "just now". */
char *text_age(gint64 seconds_since_epoch);
/* Columns and rows of the terminal that f is; 0 when it is none. */
int text_columns(FILE *f);
int text_rows(FILE *f);

enum text_style {
    STYLE_NONE,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_GREEN,
    STYLE_RED,
    STYLE_YELLOW,
    STYLE_CYAN
};
/* TRUE if f can show colours: a terminal, TERM not dumb, NO_COLOR unset or empty. */
gboolean text_colours(FILE *f);
/* Escape sequences around s when on. */
char *text_styled(const char *s, enum text_style style, gboolean on);

/* A table: aligned columns, the last one unpadded; numbers right-aligned if requested. */
struct table;
struct table *table_new(const char *const *heads, const char *right_aligned_mask);
void table_row(struct table *t, const char *const *cells);
/* Prints heads and rows to f, fitted to its width if it is a terminal: texts are cut, the last
 * column first, numbers are not, so on a very narrow one a row may take several lines. */
void table_print(struct table *t, FILE *f);
void table_free(struct table *t);

typedef struct table table;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(table, table_free)

#endif
