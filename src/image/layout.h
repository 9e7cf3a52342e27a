/* OCI image layouts (image-spec "Image Layout") as a source of base images. */
#ifndef VARVE_IMAGE_LAYOUT_H
#define VARVE_IMAGE_LAYOUT_H

#include "image/manifest.h"
#include "image/unpack.h"
#include "store/store.h"

/* Finds the image that ref ("tag", "sha256:…" or NULL: the only or first one) and platform choose
 * in a layout directory: reads index.json and manifests, copies manifest and config but no layers.
 * Fast if nothing changed. An archive is VARVE_ERROR_UNSUPPORTED (image/load.h reads those). */
gboolean layout_resolve(struct store *s, const char *path, const char *ref,
                        const struct platform *p, struct digest *manifest, GError **err);

/* A source of layer blobs for image_unpack() from a layout directory (each verified). The caller
 * frees it. */
struct blob_source *layout_blob_source(struct store *s, const char *path);
void layout_blob_source_free(struct blob_source *b);

#endif
