/* A layer blob that another thread fetches and that is read, still compressed, while it arrives.
 */
#ifndef VARVE_IMAGE_PULLTAP_H
#define VARVE_IMAGE_PULLTAP_H

#include "image/unpack.h"

struct pulltap;
/* Nothing is fetched before the first read. src (with fetch_tapped) and d are borrowed. */
struct pulltap *pulltap_new(struct blob_source *src, const struct descriptor *d);
/* A decompress_read_fn; ctx is the pulltap. */
gssize pulltap_read(gpointer ctx, void *buf, gsize len, GError **err);
/* No more will be read: waits for the fetch to finish. FALSE if it failed. TRUE if nothing was
 * fetched. */
gboolean pulltap_finish(struct pulltap *p, GError **err);
void pulltap_free(struct pulltap *p);

typedef struct pulltap pulltap;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pulltap, pulltap_free)

#endif
