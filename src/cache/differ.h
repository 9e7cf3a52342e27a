/* What differs between a layer here and the one that a cache has for the same step. */
#ifndef VARVE_CACHE_DIFFER_H
#define VARVE_CACHE_DIFFER_H

#include "cache/backend.h"
#include "cache/segment.h"

/* "/a, /b, /c and 4 more": the files in which layer id differs from theirs, whose index is fetched.
 * NULL: that cannot be told. */
char *differing_files(struct cache_backend *b, struct store *s, const struct cache_layer *theirs,
                      const char *id, struct cancel *c);

#endif
