/* File name patterns with the rules of Go's filepath.Match: '*' any characters but '/', '?' one
 * character but '/', '[a-z]' and '[^a-z]' classes, '\' makes the next character literal. A pattern
 * must match the whole name. Used for wildcards in COPY and ADD. */
#ifndef VARVE_TEXT_PATTERN_H
#define VARVE_TEXT_PATTERN_H

#include <glib.h>

/* TRUE when text contains an unescaped '*', '?' or '['. */
gboolean pattern_has_wildcards(const char *text);
/* VARVE_ERROR_INVALID when malformed: an unclosed or empty class, a '\' at the end. */
gboolean pattern_check(const char *pattern, GError **err);
/* pattern must have passed pattern_check(). Time is at most the product of both lengths. */
gboolean pattern_match(const char *pattern, const char *name);
/* The plain name that a pattern without wildcards matches. */
char *pattern_unescape(const char *pattern);

#endif
