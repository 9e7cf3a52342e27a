/* Image configs as JSON (OCI image-spec "Image Configuration" and Docker's additions). */
#ifndef VARVE_IMAGE_CONFIG_H
#define VARVE_IMAGE_CONFIG_H

#include "graph/imageconf.h"
#include "store/store.h"

/* Without an architecture in the config, it is "". At most 4 MiB; types and digests are checked,
 * unknown fields dropped. */
struct image_conf *image_conf_parse(const void *json, gsize len, GError **err);
/* The same of a blob of the store. */
struct image_conf *image_conf_load(struct store *s, const struct digest *d, GError **err);
/* Compact JSON with BuildKit's key order and omissions (empty fields left out as it does). */
GBytes *image_conf_write(const struct image_conf *c);

#endif
