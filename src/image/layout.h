/* OCI image layouts (directory or tar) and docker-archives: reading as a source of images. */
#ifndef VARVE_IMAGE_LAYOUT_H
#define VARVE_IMAGE_LAYOUT_H

#include "image/manifest.h"
#include "image/unpack.h"
#include "store/store.h"

/* Imports the image that ref ("tag", "sha256:…" or NULL: the only or first one) and platform choose
 * from an OCI layout directory or an OCI/docker archive file: every blob it needs is copied into
 * the store (verified). *manifest gets the platform's manifest digest; *top what ref named (index
 * or manifest). A docker-archive is converted: its manifest is made. */
gboolean layout_import(struct store *s, const char *path, const char *ref, const struct platform *p,
                       struct digest *manifest, struct digest *top, GError **err);
/* Only resolves: reads index.json and manifests, copies manifest and config but no layers. Fast
 * when nothing changed. Layouts only (an archive is VARVE_ERROR_UNSUPPORTED here). */
gboolean layout_resolve(struct store *s, const char *path, const char *ref,
                        const struct platform *p, struct digest *manifest, GError **err);

/* A source of layer blobs for image_unpack() out of a layout directory (each verified). The caller
 * frees it. */
struct blob_source *layout_blob_source(struct store *s, const char *path);
void layout_blob_source_free(struct blob_source *b);

#endif
