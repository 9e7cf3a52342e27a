/* Chains of layers: the results of vertices. */
#ifndef VARVE_STORE_CHAIN_H
#define VARVE_STORE_CHAIN_H

#include "store/store.h"

#define LAYER_ID_LEN                                                                               \
    12 /* random lower-case hex: short, so that many fit in one page of mount options */

/* Ordered layer ids, lowest first. An empty chain is scratch. */
struct chain {
    guint n; /* layers */
    char (*ids)[LAYER_ID_LEN + 1];
};
struct chain *chain_new(void);
struct chain *chain_copy(const struct chain *c); /* NULL gives an empty chain */
void chain_free(struct chain *c);
void chain_append(struct chain *c, const char *layer_id);
gboolean chain_equal(const struct chain *a, const struct chain *b);

typedef struct chain chain;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(chain, chain_free)

#endif
