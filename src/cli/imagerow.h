/* What commands show of an image besides its row. */
#ifndef VARVE_CLI_IMAGEROW_H
#define VARVE_CLI_IMAGEROW_H

#include "store/images.h"

/* Bytes of file content over those of the image's layers whose content is known; 0 while none is.
 */
guint64 image_bytes(struct store *s, const struct image_row *r);
/* How many of its layers were left at their registry; bytes (may be NULL) gets those of their
 * blobs.
 */
guint image_absent(struct store *s, const struct image_row *r, guint64 *bytes);
/* An image that was pulled for a platform that it does not have is stored under the one wanted:
 * sets r's to the one in its config. */
void set_true_platform(struct store *s, struct image_row *r);

#endif
