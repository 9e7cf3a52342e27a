/* Images by name and platform, as lowering gets them from the resolver. Internal to graph/. */
#ifndef VARVE_GRAPH_LOWER_IMAGES_H
#define VARVE_GRAPH_LOWER_IMAGES_H

#include "graph/lowering.h"

/* Asks once per image and platform, and remembers errors. The result belongs to lw. */
const struct resolved_image *lower_image(struct lowering *lw, enum context_kind kind,
                                         const char *reference, const struct platform *p,
                                         GError **err);
/* The same, in parallel, for all images that starts (struct build_stage*) start from; lower_image()
 * then has the answers. */
void lower_ask_images(struct lowering *lw, const GPtrArray *starts);
/* lower_base.c: the reference that s starts from; NULL: not an image, or not a valid one.
 */
char *lower_base_reference(struct lowering *lw, const struct build_stage *s,
                           enum context_kind *kind);
void lower_free_asked(gpointer asked);

#endif
