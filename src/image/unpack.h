/* From the descriptors of layers, or a manifest in the store, to a chain of layers. */
#ifndef VARVE_IMAGE_UNPACK_H
#define VARVE_IMAGE_UNPACK_H

#include "base/cancel.h"
#include "base/event.h"
#include "image/manifest.h"
#include "store/absent.h"
#include "store/record.h"

/* Sees the bytes of a blob while they arrive, so that unpacking can begin before the last one. */
struct blob_tap {
    /* len bytes that belong at offset. They need not be verified yet, and after a failed try they
     * may come again from any offset; never called by two threads at once. */
    void (*bytes)(struct blob_tap *self, guint64 offset, const void *bytes, gsize len);
};
/* Supplies the bytes of a layer blob that the store lacks (registry pull, layout copy). Called from
 * several threads. It must place the verified blob in the store. */
struct blob_source {
    gboolean (*fetch)(struct blob_source *self, const struct descriptor *d,
                      GError **err); /* places d's blob in the store */
    /* The same, and shows the bytes to tap as they come. NULL when the source cannot do that. */
    gboolean (*fetch_tapped)(struct blob_source *self, const struct descriptor *d,
                             struct blob_tap *tap, GError **err);
    gboolean once; /* nobody can be asked again for what is not fetched now */
};
/* Unpacks layers that are known by descriptor, lowest first: blobs holds struct descriptor*,
 * diff_ids one struct digest for each. In parallel where they do not need each other; layers
 * already unpacked cost nothing and their blobs are not fetched (but from a source that can be
 * asked once). src may be NULL when all blobs are there. *out is owned by the caller, its layers
 * are leased. VARVE_ERROR_INVALID when the two lists differ in length or a blob is not the tar that
 * its diff id names, VARVE_ERROR_UNSUPPORTED for what is no file system or too many layers to be
 * mounted. */
gboolean layers_unpack(struct store *s, const GPtrArray *blobs, const GArray *diff_ids,
                       struct blob_source *src, struct event_sink *events, struct cancel *c,
                       struct chain **out, GError **err);
/* The same without any blob: what is not here becomes absent layers (store/absent.h). */
gboolean layers_describe(struct store *s, const GPtrArray *blobs, const GArray *diff_ids,
                         struct chain **out, GError **err);
/* Unpacks the layers of c that are absent, under the ids that they have; for NEED_TREE their blobs
 * are read into indexes alone. Blobs as in layers_unpack(). */
gboolean layers_present(struct store *s, const struct chain *c, enum layer_need need,
                        struct blob_source *src, struct event_sink *events, struct cancel *cancel,
                        GError **err);
/* layers_unpack() for the layers of the manifest, whose config is in the store too. */
gboolean image_unpack(struct store *s, const struct digest *manifest, struct blob_source *src,
                      struct event_sink *events, struct cancel *c, struct chain **out,
                      GError **err);
gboolean image_describe(struct store *s, const struct digest *manifest, struct chain **out,
                        GError **err);

#endif
