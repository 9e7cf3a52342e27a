/* A step of this machine as a cache has it: its layers as descriptors, their blobs and indexes
 * made. */
#ifndef VARVE_CACHE_DESCRIBE_H
#define VARVE_CACHE_DESCRIBE_H

#include "cache/segment.h"
#include "layer/export.h"

/* How layer id is known elsewhere. Makes its blob, unless it came with an image, and the blob of
 * its index; an absent layer needs neither. */
struct cache_layer *describe_layer(struct store *s, const char *id, const struct export_options *o,
                                   struct cancel *c, GError **err);
/* The same as a layer of the image that holds the cache: known by its blob alone. */
struct cache_layer *describe_inline(struct store *s, const char *id, const struct export_options *o,
                                    struct cancel *c, GError **err);
/* Puts text, compressed, as a blob into the store. */
gboolean describe_text(struct store *s, const char *text, const char *media_type,
                       struct descriptor *out, GError **err);
/* The bytes that a blob of the store holds so. */
GBytes *describe_unpack(struct store *s, const struct digest *blob, GError **err);

#endif
