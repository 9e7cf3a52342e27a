/* Images by name and platform, as a lowering asks the resolver for them. Internal to graph/. */
#ifndef VARVE_GRAPH_LOWER_IMAGES_H
#define VARVE_GRAPH_LOWER_IMAGES_H

#include "graph/lowering.h"

/* Asks once for each image and platform; what was refused stays so. The result is lw's. */
const struct resolved_image *lower_image(struct lowering *lw, enum context_kind kind,
                                         const char *reference, const struct platform *p,
                                         GError **err);
/* The same for all images that starts (struct build_stage*) start from, at once; lower_image() has
 * the answers. */
void lower_ask_images(struct lowering *lw, const GPtrArray *starts);
/* lower_base.c: the reference that s starts from, newly allocated; NULL: no image, or no good one.
 */
char *lower_base_reference(struct lowering *lw, const struct build_stage *s,
                           enum context_kind *kind);
void lower_free_asked(gpointer asked);

#endif
