/* Loading images from a file into the store: an OCI image layout (a directory, or one as a tar) or
 * an archive of docker save. */
#ifndef VARVE_IMAGE_LOAD_H
#define VARVE_IMAGE_LOAD_H

#include "base/cancel.h"
#include "base/event.h"
#include "image/loaded.h"
#include "image/manifest.h"
#include "store/store.h"

struct load_options {
    struct store *store;
    /* only images for it; NULL: all, and of an index those that the file has */
    const struct platform *platform;
    struct event_sink *events; /* or NULL */
    struct cancel *cancel;     /* or NULL */
};
/* Loads all images of path, at most 1,000: struct loaded_image*, owned, never empty. Every blob is
 * verified. VARVE_ERROR_NOT_FOUND if it has none for the platform, VARVE_ERROR_INVALID if it is
 * damaged or not an image; then only unreferenced blobs stay in the store. */
GPtrArray *load_images(const struct load_options *o, const char *path, GError **err);

#endif
