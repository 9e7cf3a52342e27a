/* A cache inside an image: its config names the segment's records, whose layers are the image's. */
#ifndef VARVE_CACHE_INLINE_H
#define VARVE_CACHE_INLINE_H

#include <glib.h>

/* The member of a config that holds the segment (cache/segment.h), base64. */
#define INLINE_MEMBER "varve.cache.v1"

/* The segment in an image's config; NULL: there is none. *foreign (may be NULL) gets TRUE where
 * BuildKit's is. */
GBytes *inline_segment(const void *config, gsize len, gboolean *foreign);

#endif
