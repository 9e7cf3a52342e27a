/* Putting a layer that was made on scratch (COPY --link) on a chain. What the layer was made for
 * stays as it is; the directories on the way to it (implied, base/entry.h) are no more than a way:
 * where the chain has one already, its mode, owner and attributes stay, and a symlink to one is
 * followed, inside of the image. What is not a directory is replaced by one.
 *
 * Most layers can be put on most chains as they are, and then are the same layer everywhere. Where
 * that would change the chain's directories, another layer of the same files is made. */
#ifndef VARVE_LAYER_GRAFT_H
#define VARVE_LAYER_GRAFT_H

#include "layer/chainview.h"

struct graft {
    struct store *store;
    struct chainview *base; /* the chain */
    const char *layer;      /* id of the layer: without whiteouts and opaque directories */
    struct cancel *cancel;  /* may be NULL */
    /* Receives a line about each directory of the layer that replaces something else of the chain,
     * and each file that was put in the place of a directory. May be NULL. */
    void (*warn)(gpointer ctx, const char *text);
    gpointer warn_ctx;
    gboolean plain_root; /* the chain's root is taken to be 0755, 0:0, whatever it is */
};
/* *fits says whether the layer can be put on the chain as it is; *key names what graft_make() makes
 * otherwise: it counts the layer, and of the chain what was looked at. Costs look-ups of the
 * layer's directories and what lies in implied ones, but not below a directory that the chain
 * does not have. */
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
