/* One record of comma-separated fields, as -o, --secret and --mount take them (RFC 4180, one line).
 */
#ifndef VARVE_BASE_CSV_H
#define VARVE_BASE_CSV_H

#include <glib.h>

/* The fields of text, newly allocated; an empty text is one empty field. A whole field may be
 * quoted with '"', which then may hold commas, and "" for one '"'. NULL with VARVE_ERROR_INVALID
 * when a quote is elsewhere or not closed. */
char **csv_split(const char *text, GError **err);

#endif
