/* Unpacking a layer's tar into a layer directory (OCI image-spec "Applying Changesets").
 *
 * Everything in the tar is hostile: names are resolved below the layer's fs with openat and never
 * through symlinks; "..", absolute link escapes, devices other than those Docker permits, huge headers and
 * archives over the limits are VARVE_ERROR_INVALID, and nothing outside is ever touched. Limits:
 * 64 GiB of content, 10 million entries, 1 MiB of PAX header per entry, 4,096 bytes per path. */
#ifndef VARVE_LAYER_APPLY_H
#define VARVE_LAYER_APPLY_H

#include "base/cancel.h"
#include "layer/decompress.h"
#include "layer/index.h"

struct apply_result {
    struct digest diff_id;   /* of the plain tar, all bytes to its end */
    struct layer_info info;  /* indexed */
    gboolean needs_parents;  /* it relies on lower layers (implicit directories, links into them): apply it
                                again with parents, as a layer of its own for this chain */
};
/* Unpacks the tar pulled from d into tmp/fs (tmp relative to the store's root, empty) and writes tmp/index: files
 * are hashed as they are written, nothing is walked again. parents: the layers below, or NULL. Ownership
 * is as in the archive (in a single-id user namespace: 0:0 with the loss noted once). */
gboolean layer_apply(struct store *s, const char *tmp, struct decompress *d, const struct chain *parents,
                     struct cancel *c, struct apply_result *out, GError **err);

/* Unpacks a blob of the store as a layer: checks diff_id (VARVE_ERROR_INVALID on a mismatch), commits it with
 * source "diff:<hex>" (or "chain:<hex>") and its layer_blob row ("pulled"). Returns the existing layer
 * when it was unpacked before. parents: chain below. One process at a time does it (store lock). */
gboolean layer_from_blob(struct store *s, const struct digest *blob, const char *media_type,
                         const struct digest *diff_id, const struct chain *parents, struct cancel *c,
                         struct layer_info *out, GError **err);
/* The same for bytes that arrive while they are unpacked (pull: unpack and download overlap). */
gboolean layer_from_stream(struct store *s, decompress_read_fn read, gpointer ctx,
                           const struct digest *diff_id, const struct chain *parents,
                           struct cancel *c, struct layer_info *out, GError **err);

#endif
