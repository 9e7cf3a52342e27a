/* The error for a path that is not in a tree. */
#ifndef VARVE_TREE_MISSING_H
#define VARVE_TREE_MISSING_H

#include "tree/tree.h"

/* FALSE, with VARVE_ERROR_NOT_FOUND: names pattern and a guess at what was meant: a similar name,
 * the same name elsewhere, or what exists. path: pattern without "." and "..", or its missing part;
 * with wildcards nothing can be guessed. t: the whole tree. */
gboolean tree_not_found(const struct tree *t, const char *pattern, const char *path, GError **err);

#endif
