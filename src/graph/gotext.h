/* Text as Go's fmt prints it: history entries contain it, and tools compare them. */
#ifndef VARVE_GRAPH_GOTEXT_H
#define VARVE_GRAPH_GOTEXT_H

#include <glib.h>

/* "%q" of a string: quoted, with Go's escapes. */
void gotext_append_quoted(GString *out, const char *s);
/* "%q" of a number as a rune: 'A', '\x03'. */
void gotext_append_rune(GString *out, gint64 rune);
/* "%q" of a list of strings: ["a" "b"]; NULL is []. */
void gotext_append_quoted_list(GString *out, const char *const *list);
/* "%v" of a list of strings: [a b]. */
void gotext_append_list(GString *out, const char *const *list);

#endif
