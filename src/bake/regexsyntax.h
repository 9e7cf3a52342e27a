/* Go's syntax of regular expressions as PCRE2's (see regex.h). */
#ifndef VARVE_BAKE_REGEXSYNTAX_H
#define VARVE_BAKE_REGEXSYNTAX_H

#include "bake/type.h"

/* The pattern for PCRE2, for options UTF, DOTALL unset, UCP unset; the caller's. names takes the
 * name of each group (char*, to be freed by the array) or NULL. NULL with VARVE_ERROR_INVALID. */
char *regex_translate(struct text pattern, GPtrArray *names, GError **err);

#endif
