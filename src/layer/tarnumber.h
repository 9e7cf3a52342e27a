/* Numbers in tar headers. */
#ifndef VARVE_LAYER_TARNUMBER_H
#define VARVE_LAYER_TARNUMBER_H

#include <glib.h>

/* Times after the year 2262, which do not fit into nanoseconds, are clamped to it. */
#define TARNUMBER_MAX_SECONDS (G_MAXINT64 / G_GINT64_CONSTANT(1000000000) - 1)

/* A header field: octal digits between blanks, or base-256 (GNU) when its first bit is set. FALSE
 * when it is neither or does not fit. */
gboolean tarnumber_field(const guint8 *field, gsize len, gint64 *out);
/* A whole non-negative decimal number; all of text. */
gboolean tarnumber_decimal(const char *text, guint64 *out);
/* PAX times: seconds with an optional sign and fraction, as nanoseconds. */
gboolean tarnumber_time(const char *text, gint64 *out);

#endif
