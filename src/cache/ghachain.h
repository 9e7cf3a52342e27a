/* The chain of a branch's indexes in GitHub's cache: entries CHAIN and a number of eight digits, of
 * which the newest counts. How no writer's change is lost: cache/gha.c. */
#ifndef VARVE_CACHE_GHACHAIN_H
#define VARVE_CACHE_GHACHAIN_H

#include "cache/ghaentry.h"
#include "cache/ghaindex.h"

/* The newest index; an empty one when there is none yet. */
struct ghaindex *ghachain_read(struct ghacache *g, const char *chain, GError **err);

struct ghachange {
    /* Changes an index; FALSE: it was as it should be. Called again for each newer one that
     * somebody else made. */
    gboolean (*apply)(const struct ghachange *self, struct ghaindex *x);
};
/* Makes a new index, unless the newest one is as it should be: what it holds. */
struct ghaindex *ghachain_change(struct ghacache *g, const char *chain, const struct ghachange *c,
                                 GError **err);

#endif
