/* Sizes as Docker's flags take them: "64m", "1.5g", "512KiB", "1024"; units are powers of 1024. */
#ifndef VARVE_TEXT_BYTESIZE_H
#define VARVE_TEXT_BYTESIZE_H

#include <glib.h>

/* Bytes. VARVE_ERROR_INVALID, with the text in the message, when malformed or too large. */
gboolean bytesize_parse(const char *text, guint64 *bytes, GError **err);

#endif
