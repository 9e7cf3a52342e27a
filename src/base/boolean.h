/* Truth values as Docker's tools write them (Go's strconv.ParseBool). */
#ifndef VARVE_BASE_BOOLEAN_H
#define VARVE_BASE_BOOLEAN_H

#include <glib.h>

/* 1, t, T, true, TRUE, True and 0, f, F, false, FALSE, False; FALSE for any other text. */
gboolean boolean_parse(const char *text, gboolean *out);

#endif
