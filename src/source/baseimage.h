/* Base images of a build: found in the local store, an OCI layout, or a registry; fetched and
 * unpacked as far as somebody needs them. */
#ifndef VARVE_SOURCE_BASEIMAGE_H
#define VARVE_SOURCE_BASEIMAGE_H

#include "source/sources.h"

struct baseimages;
/* Uses store, registry, events, cancel and pull of o, which must outlive it. */
struct baseimages *baseimages_new(const struct sources_options *o);
void baseimages_free(struct baseimages *b);
/* image_resolver's resolve: an image built here is identified by its config's digest, all others by
 * their platform's manifest. */
gboolean baseimages_resolve(struct baseimages *b, enum context_kind kind, const char *reference,
                            const struct platform *p, struct resolved_image *out, GError **err);
/* solver_env's image: op must come from a resolve of b. A layout's is always unpacked. */
struct chain *baseimages_chain(struct baseimages *b, const struct source_op *op,
                               enum layer_need need, GError **err);

#endif
