/* Regular expressions with the syntax and meaning of Go's regexp (RE2), matched by PCRE2. A pattern
 * is read completely and written anew for PCRE2, so what RE2 lacks (backreferences, look-around,
 * possessive repetition, recursion) is refused by name, and what both have means what it means in
 * Go: '$' only the end of the text, '\s' only ASCII, '.' anything but a newline.
 *
 * PCRE2 backtracks where RE2 does not. So each attempt has a limit, which counts as steps of the
 * heap: a pattern that explodes ends in an error, it does not hang. */
#ifndef VARVE_BAKE_REGEX_H
#define VARVE_BAKE_REGEX_H

#include "bake/type.h"

#define REGEX_MAX_PATTERN (64u << 10) /* bytes of a pattern */

struct regex;

/* NULL with VARVE_ERROR_INVALID, and the part of the pattern in question. */
struct regex *regex_new(struct text pattern, GError **err);
void regex_free(struct regex *r);
/* Capture groups without the whole match. */
guint regex_groups(const struct regex *r);
/* The name of group i, from 0, or NULL. */
const char *regex_group_name(const struct regex *r, guint i);
/* The first match in t that begins at byte from or later. *spans: from and to of the whole match,
 * then of each group (both are REGEX_UNSET when it took no part); r's, until the next call. FALSE:
 * no match, or with *err when it took too long. */
gboolean regex_find(struct regex *r, struct heap *h, struct text t, gsize from, const gsize **spans,
                    GError **err);
#define REGEX_UNSET ((gsize) - 1)

typedef struct regex regex;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(regex, regex_free)

#endif
