/* From a manifest in the store to a chain of layers. */
#ifndef VARVE_IMAGE_UNPACK_H
#define VARVE_IMAGE_UNPACK_H

#include "base/cancel.h"
#include "base/event.h"
#include "image/manifest.h"
#include "store/record.h"

/* Supplies the bytes of a layer blob that the store lacks (registry pull, layout copy). Called from
 * several threads. It must place the verified blob in the store. */
struct blob_source {
    gboolean (*fetch)(struct blob_source *self, const struct descriptor *d, GError **err);
};
/* Unpacks the layers of the manifest (its config is in the store too), in parallel where they do not need each
 * other; layers already unpacked cost nothing and their blobs are not fetched. */
gboolean image_unpack(struct store *s, const struct digest *manifest, struct blob_source *src,
                      struct event_sink *events, struct cancel *c, struct chain **out, GError **err);

#endif
