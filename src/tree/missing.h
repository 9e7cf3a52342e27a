/* What is said of a path that is not in a tree. */
#ifndef VARVE_TREE_MISSING_H
#define VARVE_TREE_MISSING_H

#include "tree/tree.h"

/* FALSE, with VARVE_ERROR_NOT_FOUND: names pattern, and what may have been meant: a name that is
 * near, the same one elsewhere, or what there is. path: pattern without "." and "..", or the part
 * of it that is not there; where it holds wildcards, nothing can be guessed. t: the whole tree. */
gboolean tree_not_found(const struct tree *t, const char *pattern, const char *path, GError **err);

#endif
