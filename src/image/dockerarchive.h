/* docker-archives ("docker save" before OCI layouts): manifest.json names configs and layers by
 * file. */
#ifndef VARVE_IMAGE_DOCKERARCHIVE_H
#define VARVE_IMAGE_DOCKERARCHIVE_H

#include "image/archive.h"

/* Makes the manifest of the image that ref chooses ("tag", "name:tag" or NULL: the first) and puts
 * it into the store. */
gboolean dockerarchive_convert(struct store *s, const struct image_archive *a, const char *ref,
                               struct digest *manifest, GError **err);

#endif
