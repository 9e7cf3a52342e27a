/* The internals of a chainview. Internal to chainview.c and chaintree.c. */
#ifndef VARVE_LAYER_CHAINPARTS_H
#define VARVE_LAYER_CHAINPARTS_H

#include "layer/chainview.h"
#include "layer/index.h"

struct chainview {
    struct store *store;
    struct chain *chain;
    struct layer_index **layers; /* by position in chain, lowest first */
    guint n;                     /* of layers */
};

/* TRUE if layer x hides what the layers below it have at path, whatever x itself has there: because
 * a directory above path is removed, replaced or opaque in x. */
gboolean chain_layer_hides(const struct layer_index *x, const char *path);
/* Opens the file path in a layer's fs; -1 on error. */
int chain_layer_open(struct store *s, const char *id, const char *path, GError **err);

#endif
