/* An image out of a file: what image/load.h gives. */
#ifndef VARVE_IMAGE_LOADED_H
#define VARVE_IMAGE_LOADED_H

#include "base/digest.h"
#include "base/platform.h"
#include "store/chain.h"

/* An image that came in, unpacked; its manifest, config and layers are in the store. */
struct loaded_image {
    GPtrArray *names;       /* char*: canonical references that the file gives it; may be empty */
    struct digest manifest; /* of its platform; made here for an old docker archive */
    struct digest top;      /* what the file lists: the manifest, or an index around it */
    struct digest config;   /* of the image's config */
    struct platform platform;
    struct chain *chain;
};
struct loaded_image *loaded_image_new(void);
void loaded_image_free(struct loaded_image *image);
/* Text that is no name of an image (a bare tag) is passed over. */
void loaded_image_add_name(struct loaded_image *image, const char *text);

#endif
