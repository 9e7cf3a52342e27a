/* What commands show of an image beside its row. */
#ifndef VARVE_CLI_IMAGEROW_H
#define VARVE_CLI_IMAGEROW_H

#include "store/images.h"

/* Bytes of file content over the image's layers; 0 while it is not unpacked. */
guint64 image_bytes(struct store *s, const struct image_row *r);
/* An image that was pulled for a platform that it does not have is stored under the one wanted:
 * sets r's to the one that its config says. */
void set_true_platform(struct store *s, struct image_row *r);

#endif
