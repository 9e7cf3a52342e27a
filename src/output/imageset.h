/* What an output makes an image of: one image, or one for each platform under an index. */
#ifndef VARVE_OUTPUT_IMAGESET_H
#define VARVE_OUTPUT_IMAGESET_H

#include "output/image.h"

struct imageset {
    struct store *store;    /* borrowed */
    GPtrArray *images;      /* struct built_image*, owned, in the order of their platforms */
    gboolean is_index;      /* an index joins them; else there is one image */
    gboolean has_index;     /* it is written */
    struct digest index;    /* its digest */
    const char *index_type; /* its media type; NULL when it was read, not made */
    guint64 index_size;     /* bytes */
};
struct imageset *imageset_new(struct store *s, gboolean is_index);
void imageset_free(struct imageset *set);
/* Takes b. */
void imageset_add(struct imageset *set, struct built_image *b);
struct built_image *imageset_at(const struct imageset *set, guint i);
/* The one for this machine, else the first. */
struct built_image *imageset_main(const struct imageset *set);
/* built_image_manifest() of all; then writes their index, if one joins them. */
gboolean imageset_make(struct imageset *set, const struct image_options *o, GError **err);
/* Tags all of them in the local image store, as built_image_store(). */
gboolean imageset_store(const struct imageset *set, const char *const *names, const char *origin,
                        GError **err);
/* What a name or id of the store stands for: all images of its index, if all those that the index
 * lists are here and p is NULL; else one image, as built_image_open(). */
struct imageset *imageset_open(struct store *s, const char *name, const struct platform *p,
                               GError **err);
/* The digest by which the set is known at a registry; NULL: there is none yet. */
const struct digest *imageset_target(const struct imageset *set);
/* The set's id: its index, or the image's config; NULL: not made. */
const struct digest *imageset_id(const struct imageset *set);

typedef struct imageset imageset;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(imageset, imageset_free)

#endif
