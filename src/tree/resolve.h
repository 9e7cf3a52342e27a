/* Resolving paths as a process rooted in a tree would, over any kind of tree that can look one path
 * up. */
#ifndef VARVE_TREE_RESOLVE_H
#define VARVE_TREE_RESOLVE_H

#include "base/entry.h"

#define RESOLVE_MAX_LINKS 40  /* symlinks passed through, the kernel's number */
#define RESOLVE_MAX_PATH 4095 /* bytes of a path on the way */

/* Fills *out with the entry at exactly this clean path; FALSE when there is none. */
typedef gboolean (*resolve_lookup_fn)(gpointer ctx, const char *path, struct entry *out);

/* The lexically clean path: no empty components, ".", leading or trailing '/'; ".." removes the
 * component before it and stops at the root. "" is the root. */
char *resolve_clean(const char *path);

/* Resolves path (absolute or relative, both mean from root) through symlinks, the last component's
 * too when follow. Absolute links and ".." start over or stop at root, a clean path ("" for the
 * whole tree) that must itself be a real directory. Returns the clean path, even if its last
 * components do not exist (then *exists is FALSE). NULL with VARVE_ERROR_INVALID for a loop or if a
 * component is not a directory. */
char *resolve_path(resolve_lookup_fn lookup, gpointer ctx, const char *root, const char *path,
                   gboolean follow, gboolean *exists, struct entry *out, GError **err);

#endif
