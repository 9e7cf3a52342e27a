/* Putting a layer that was made on scratch (COPY --link) on a chain. What the layer was made for
 * stays as it is. Its implied directories (base/entry.h) are only the path to that: where the chain
 * already has a directory, that keeps its mode, owner and attributes, and a symlink to one is
 * followed, inside the image. Anything else is replaced by a directory.
 *
 * Most layers can be put on most chains as they are, and then are the same layer everywhere. If
 * that would change the chain's directories, another layer is made from the same files. */
#ifndef VARVE_LAYER_GRAFT_H
#define VARVE_LAYER_GRAFT_H

#include "layer/chainview.h"

struct graft {
    struct store *store;
    struct chainview *base; /* the chain */
    const char *layer;      /* id of the layer: without whiteouts and opaque directories */
    struct cancel *cancel;  /* may be NULL */
    /* Receives a line about each directory of the layer that replaces something else in the chain,
     * and each file that replaces a directory. May be NULL. */
    void (*warn)(gpointer ctx, const char *text);
    gpointer warn_ctx;
    gboolean plain_root; /* the chain's root is taken to be 0755, 0:0, whatever it is */
};
/* *fits says whether the layer can be put on the chain as it is; *key is the key of what
 * graft_make() makes otherwise: it covers the layer and what was looked up in the chain. Costs
 * lookups of the layer's directories and of what is in implied ones, but not below a directory that
 * the chain does not have. */
gboolean graft_look(const struct graft *g, gboolean *fits, struct digest *key, GError **err);
/* Writes fs/ and index into the directory tmp (relative to the store's root), as fileop_run(). */
gboolean graft_make(const struct graft *g, const char *tmp, struct layer_info *info, GError **err);

/* *implied: the layer has directories that are only a way. Without any it fits every chain with a
 * plain root. */
gboolean graft_has_implied(struct store *s, const char *layer, struct cancel *c, gboolean *implied,
                           GError **err);
/* Adds to h which directories of a layer are implied: no content digest tells. */
gboolean graft_hash_implied(struct store *s, const char *layer, struct cancel *c, struct hasher *h,
                            GError **err);

#endif
