/* Everything that a reference holds, as one segment. */
#ifndef VARVE_CACHE_COLLECT_H
#define VARVE_CACHE_COLLECT_H

#include "cache/backend.h"
#include "cache/segment.h"

#define COLLECT_SEGMENTS 1000

struct collected {
    struct cache_segment *all; /* merged; never NULL after collect() */
    GPtrArray *listed;         /* struct cache_listed*: what was listed last */
    GHashTable *taken; /* names of listed ones that all holds, or that hold nothing: char* */
    guint64 bytes;     /* received */
    gsize weight;      /* segment_weight() of what was read */
    guint n_read;      /* segments */
};
/* Lists and reads; what is retired meanwhile is listed anew. FALSE with the first error: then out
 * holds what could be read. What another program has there alone is VARVE_ERROR_UNSUPPORTED. stop
 * may be NULL. */
gboolean collect_all(struct cache_backend *b, struct cancel *stop, struct collected *out,
                     GError **err);
/* The same for a build, which reads no more than COLLECT_SEGMENTS segments, and little memory's
 * worth: beyond, VARVE_ERROR_INVALID. */
gboolean collect(struct cache_backend *b, struct cancel *stop, struct collected *out, GError **err);
/* What was added since: c was filled by collect() or this; of what c->taken names nothing is read
 * again, and c->all becomes what is new. */
gboolean collect_new(struct cache_backend *b, struct cancel *stop, struct collected *c,
                     GError **err);
void collected_clear(struct collected *c);

#endif
