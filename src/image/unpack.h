/* From the descriptors of layers, or a manifest in the store, to a chain of layers. */
#ifndef VARVE_IMAGE_UNPACK_H
#define VARVE_IMAGE_UNPACK_H

#include "base/cancel.h"
#include "base/event.h"
#include "image/manifest.h"
#include "store/absent.h"
#include "store/record.h"

/* Sees the bytes of a blob while they arrive, so that unpacking can start before the end. */
struct blob_tap {
    /* len bytes that belong at offset. They may be unverified, and after a failed attempt they may
     * come again from any offset; never called by two threads at once. */
    void (*bytes)(struct blob_tap *self, guint64 offset, const void *bytes, gsize len);
};
/* Supplies the bytes of a layer blob that the store lacks (registry pull, layout copy). Called from
 * several threads. It must place the verified blob in the store. */
struct blob_source {
    gboolean (*fetch)(struct blob_source *self, const struct descriptor *d,
                      GError **err); /* brings the blob into the store */
    /* The same, also passing the bytes to tap as they arrive. NULL if the source cannot do that. */
    gboolean (*fetch_tapped)(struct blob_source *self, const struct descriptor *d,
                             struct blob_tap *tap, GError **err);
    gboolean once; /* what is not fetched now cannot be fetched later */
};
/* Unpacks layers that are known by descriptor, lowest first: blobs holds struct descriptor*,
 * diff_ids one struct digest for each. Independent ones are unpacked in parallel; layers already
 * unpacked cost nothing and their blobs are not fetched (except from a source that can be used
 * once). src may be NULL if all blobs are in the store. *out is owned by the caller, its layers are
 * leased. VARVE_ERROR_INVALID when the two lists differ in length or a blob is not the tar that its
 * diff id names, VARVE_ERROR_UNSUPPORTED for layers that are not file systems, or too many to be
 * mounted. */
gboolean layers_unpack(struct store *s, const GPtrArray *blobs, const GArray *diff_ids,
                       struct blob_source *src, struct event_sink *events, struct cancel *c,
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
/* The same without any blob: what is not here becomes absent layers (store/absent.h). */
gboolean image_describe(struct store *s, const struct digest *manifest, struct chain **out,
                        GError **err);

#endif
