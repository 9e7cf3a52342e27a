/* Durations as Go writes them: "1m30s", "1.5h", "250ms"; a sign is allowed, "0" needs no unit (Go's
 * time.ParseDuration). */
#ifndef VARVE_TEXT_DURATION_H
#define VARVE_TEXT_DURATION_H

#include <glib.h>

/* Nanoseconds. VARVE_ERROR_INVALID, with the text in the message, when malformed or too large. */
gboolean duration_parse(const char *text, gint64 *ns, GError **err);
/* As Go prints it: "1m30s", "250ms", "0s". */
char *duration_text(gint64 ns);

#endif
