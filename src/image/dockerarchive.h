/* docker-archives ("docker save" before OCI layouts): manifest.json names configs and layers by
 * file. */
#ifndef VARVE_IMAGE_DOCKERARCHIVE_H
#define VARVE_IMAGE_DOCKERARCHIVE_H

#include "image/archive.h"
#include "image/loaded.h"

/* Makes a manifest for each image of the archive, puts it into the store and the image (still
 * without platform and chain) into images. */
gboolean dockerarchive_convert(struct store *s, const struct image_archive *a, GPtrArray *images,
                               GError **err);

#endif
