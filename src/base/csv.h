/* One record of comma-separated fields, as -o, --secret and --mount take them (RFC 4180, one line).
 */
#ifndef VARVE_BASE_CSV_H
#define VARVE_BASE_CSV_H

#include <glib.h>

/* The fields of text, newly allocated; an empty text is one empty field. A field may be quoted as a
 * whole with '"'; it may then contain commas, and "" means one '"'. NULL with VARVE_ERROR_INVALID
 * for a quote elsewhere or not closed. */
char **csv_split(const char *text, GError **err);

#endif
