/* Everything that a reference holds, as one segment. */
#ifndef VARVE_CACHE_COLLECT_H
#define VARVE_CACHE_COLLECT_H

#include "cache/backend.h"
#include "cache/segment.h"

struct collected {
    struct cache_segment *all; /* merged; never NULL after collect() */
    GPtrArray *listed;         /* struct cache_listed*: what was listed last */
    GHashTable *taken; /* names of listed ones that all holds, or that hold nothing: char* */
    guint64 bytes;     /* received */
};
/* Lists and reads; what is retired meanwhile is listed anew. FALSE with the first error: then out
 * holds what could be read. What another program has there alone is VARVE_ERROR_UNSUPPORTED. stop
 * may be NULL. */
gboolean collect(struct cache_backend *b, struct cancel *stop, struct collected *out, GError **err);
void collected_clear(struct collected *c);

#endif
