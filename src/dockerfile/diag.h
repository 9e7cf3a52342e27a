/* Diagnostics about a Dockerfile (or a trigger, or any other text with lines): what is wrong,
 * where, and what to write instead. A list belongs to one text; its errors are collected, up to
 * DIAG_MAX, so that the user sees them together.
 *
 * Order of calls: diags_new(), diags_set_source() (dockerfile_parse() does it), diags_error() as
 * things are found, then diags_render(). Not thread-safe. */
#ifndef VARVE_DOCKERFILE_DIAG_H
#define VARVE_DOCKERFILE_DIAG_H

#include <glib.h>

#define DIAG_MAX 20 /* errors kept */

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

/* A position in a text, in bytes; diag_render() shows characters. */
struct span {
    guint line; /* from 1; 0: the text as a whole */
    guint col;  /* byte in the line, from 1; 0: the line as a whole */
    guint len;  /* bytes; at least 1 is shown, nothing beyond the line is */
};

struct diag {
    enum diag_severity severity;
    struct span span;
    char *message; /* one line, no full stop: "unknown instruction COYP; did you mean COPY?" */
    char *hint;    /* what to do next, on a line of its own, or NULL */
    /* beyond span.line: all lines up to it are shown and marked, without a caret */
    guint last_line;
    guint max_lines; /* how many of these are shown at most; 0: all */
};

struct diags {
    char *name;     /* of the text: "Dockerfile" */
    GBytes *source; /* the text, or NULL while unknown */
    GArray *lines;  /* gsize: offset of each line of source, made at the first rendering; or NULL */
    GPtrArray *items; /* struct diag*, in the order found */
    guint columns;  /* of the terminal that they are shown on; 0: none, lines then take about 100 */
    guint n_errors; /* errors found, those beyond DIAG_MAX included */
    guint n_outside; /* how many of the errors are not caused by the text: VARVE_ERROR_OUTSIDE */
};

struct diags *diags_new(void);
void diags_free(struct diags *d);
/* Names the text and keeps a copy of it for rendering; replaces an earlier one. */
void diags_set_source(struct diags *d, const char *name, const void *bytes, gsize len);

void diags_error(struct diags *d, struct span at, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
/* A warning; those beyond twice DIAG_MAX are dropped. */
void diags_warning(struct diags *d, struct span at, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
/* An error with the message of err, and its next moves as the hint. */
void diags_gerror(struct diags *d, struct span at, const GError *err);
/* Adds a hint to the last diagnostic; no-op if that one was dropped. */
void diags_hint(struct diags *d, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* TRUE if further errors would be dropped: a parser should stop. */
gboolean diags_full(const struct diags *d);
gboolean diags_has_errors(const struct diags *d);
/* The class of all errors together (base/error.h): VARVE_ERROR_OUTSIDE if every error is of that
 * class, so that retrying may help, else VARVE_ERROR_INVALID. */
int diags_error_class(const struct diags *d);

enum diag_render_flags {
    DIAG_RENDER_COLOR = 1,   /* ANSI colours */
    DIAG_RENDER_CONTEXT = 2, /* also the line before */
};

/* One diagnostic as text that ends with a newline:
 *     Dockerfile:7:1: error: unknown instruction COYP; did you mean COPY?
 *         7 │ COYP src ./src
 *           │ ^^^^
 * Safe for terminals: control characters, bidirectional overrides and bytes that are not UTF-8 are
 * replaced, long lines are cut around the caret to the window. */
char *diag_render(struct diags *d, const struct diag *item, guint flags);
/* All of them, by position, and how many were left out. "" if there are none. */
char *diags_render(struct diags *d, guint flags);

typedef struct diags diags;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(diags, diags_free)

#endif
