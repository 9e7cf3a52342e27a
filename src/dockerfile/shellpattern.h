/* The patterns of ${v#p}, ${v%p} and ${v/p/r}: '*' any text, '?' one character, '\' makes a
 * following '*', '?', '\', '}' or '/' literal. Internal to expand.c. */
#ifndef VARVE_DOCKERFILE_SHELLPATTERN_H
#define VARVE_DOCKERFILE_SHELLPATTERN_H

#include <glib.h>

struct shellpattern;
/* VARVE_ERROR_INVALID for a '\' before anything else and for patterns that are too long. */
struct shellpattern *shellpattern_new(const char *text, GError **err);
void shellpattern_free(struct shellpattern *p);

/* Bytes of the shortest or longest start of value that matches, or -1. */
gssize shellpattern_prefix(const struct shellpattern *p, const char *value, gboolean longest);
/* Offset of the shortest or longest end of value that matches, or -1. */
gssize shellpattern_suffix(const struct shellpattern *p, const char *value, gboolean longest);
/* The leftmost, then longest match at or after from; FALSE if there is none. */
gboolean shellpattern_find(const struct shellpattern *p, const char *value, gsize from,
                           gsize *start, gsize *end);

typedef struct shellpattern shellpattern;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(shellpattern, shellpattern_free)

#endif
