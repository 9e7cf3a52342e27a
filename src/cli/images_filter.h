/* Which images `varve images` shows: NAME and --filter, as in docker. An image must match all keys
 * and labels, but only one of several references. */
#ifndef VARVE_CLI_IMAGES_FILTER_H
#define VARVE_CLI_IMAGES_FILTER_H

#include "store/images.h"

struct images_filter;
/* all: store_image_list(), newest first; before and since refer to its order. name: a repository, a
 * name with its tag or a pattern, or NULL. filters: "reference=PATTERN", "label=KEY[=VALUE]",
 * "dangling=BOOLEAN", "before=IMAGE", "since=IMAGE"; NULL: none. Errors: USAGE; NOT_FOUND for the
 * IMAGE of before and since. What is given must outlive the filter. */
struct images_filter *images_filter_new(struct store *s, GPtrArray *all, const char *name,
                                        char **filters, GError **err);
void images_filter_free(struct images_filter *f);
/* Of all's element at this place. */
gboolean images_filter_passes(const struct images_filter *f, guint at);

typedef struct images_filter images_filter;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(images_filter, images_filter_free)

#endif
