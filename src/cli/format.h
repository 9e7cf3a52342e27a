/* --format of the commands that print rows: "table" (as without it), "json" (an object per line), a
 * template (a line for each row) or "table TEMPLATE" (the same in columns, below headings). */
#ifndef VARVE_CLI_FORMAT_H
#define VARVE_CLI_FORMAT_H

#include "cli/template.h"

#define FORMAT_ARG "table|json|TEMPLATE"
#define FORMAT_HELP "json (an object per line), or a template as in docker: '{{.FIELD}}'"

enum format_kind { FORMAT_TABLE, FORMAT_JSON, FORMAT_TEMPLATE };
struct format {
    enum format_kind kind;
    struct template *template;
    GPtrArray *lines; /* of "table TEMPLATE": the rows rendered so far; else NULL */
    /* Set by the command: names of fields that a row may lack, which are empty in templates; ends
     * with NULL, or is NULL. */
    const char *const *optional;
};
/* text may be NULL, *f is zeroed. VARVE_ERROR_USAGE. Free with format_clear() in any case. */
gboolean format_parse(struct format *f, const char *text, GError **err);
void format_clear(struct format *f);
/* Prints one row (and frees it); not for FORMAT_TABLE. The errors of template_render(). */
gboolean format_row(struct format *f, json_t *row, GError **err);
/* For a listing without rows: checks the template against a row like sample (which it frees).
 * Prints nothing. The errors of template_render() for an unknown field. */
gboolean format_check(struct format *f, json_t *sample, GError **err);
/* After the last row. special: as template_heads(), or NULL. */
gboolean format_end(struct format *f, const char *const (*special)[2], GError **err);

/* The template rendered for value, and a line feed; control characters are made visible.
 */
gboolean format_print(const struct template *t, json_t *value, GError **err);
/* A size, "1.23MB", and a time as docker writes them. */
char *format_size(guint64 bytes);
char *format_time(gint64 seconds);

#endif
