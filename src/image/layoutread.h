/* Walking an OCI image layout (image-spec "Image Layout"); private to image/. */
#ifndef VARVE_IMAGE_LAYOUTREAD_H
#define VARVE_IMAGE_LAYOUTREAD_H

#include "image/manifest.h"
#include "store/store.h"

/* A layout being read: a directory, or (dir -1) one whose blobs are already in the store. */
struct layout {
    struct store *store;
    const char *path; /* for messages */
    int dir;          /* the layout's directory, borrowed, or -1 */
};

/* "blobs/sha256/<hex>". */
char *layout_blob_path(const struct digest *d);
/* The directory's index.json. */
struct manifest *layout_index(const struct layout *l, GError **err);
/* From top through indexes to a manifest; both it and its config are then in the store. p selects
 * in indexes. */
gboolean layout_descend(struct layout *l, const struct digest *top, const struct platform *p,
                        struct digest *manifest, struct manifest **out, GError **err);
/* Appends to out (struct platform) those of the images of top, if it is an index, that are here; an
 * archive may have only some. */
gboolean layout_platforms(struct layout *l, const struct digest *top, GArray *out, GError **err);
/* Returns ok; when it is FALSE, *err names the layout. */
gboolean layout_named(const struct layout *l, gboolean ok, GError **err);

#endif
