/* Lists of what a selection held, to say later what became different. */
#ifndef VARVE_CONTEXT_MANIFEST_H
#define VARVE_CONTEXT_MANIFEST_H

#include "context/tree.h"

/* One line per entry, newly allocated: 16 hex digits that stand for all of the entry but its mtime, a
 * blank, its path in the tree ('/' after directories). '"', '\', control characters and bytes that are
 * not UTF-8 are written \xNN, so that the text may be put into JSON. NULL when there are more than
 * max entries. Digests must have been ensured. */
char *tree_selection_manifest(GPtrArray *selected, guint max);
/* "1 of 14 files differs: src/server.ts", "2 of 14 files differ: a, b; 1 is new: c; 4 are gone: d,
 * e, f and 1 more"; newly allocated. NULL when the two say the same. Malformed lines count as nothing. */
char *tree_manifest_explain(const char *before, const char *after);

#endif
