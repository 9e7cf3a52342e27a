/* File ops: builds a layer directory and its index for COPY, ADD, mkdir, mkfile, rm and symlink,
 * from trees and the destination chain's view, without mounting anything. Semantics are BuildKit's
 * FileOp (and through it COPY's and ADD's, LANGUAGE.md). */
#ifndef VARVE_LAYER_FILEOP_H
#define VARVE_LAYER_FILEOP_H

#include "graph/op.h"
#include "layer/chainview.h"

/* The environment of a file op. */
struct fileop_env {
    struct store *store;
    struct chainview *base; /* the destination's chain; NULL for scratch */
    struct tree **inputs; /* by input number of the vertex; only those that actions read are set */
    guint n_inputs;       /* length of inputs */
    /* By action: the result of tree_select() for its fileop_selection(), borrowed; NULL: not known.
     * The array may be NULL. */
    GPtrArray **selected;
    struct cancel *cancel; /* may be NULL */
    gint64 now_ns;         /* mtime of what is made without a source; SOURCE_DATE_EPOCH if set */
    /* Receives a line about an action that may not be what was meant. May be NULL. */
    void (*warn)(gpointer ctx, const char *text);
    gpointer warn_ctx;
};
/* Applies op's actions in order and writes fs/ and index into the directory tmp (relative to the
 * store's root). Fills info (indexed). Nothing in the destination outside the new layer changes.
 * Parents that exist in the chain are repeated in the layer with their own attributes.
 *
 * Actions may build on one another (input: the result of the previous one) and may read the result
 * of a chain of actions on scratch (secondary); a result changed by two actions is
 * VARVE_ERROR_UNSUPPORTED.
 */
gboolean fileop_run(const struct file_op *op, const struct fileop_env *env, const char *tmp,
                    struct layer_info *info, GError **err);

/* What a copy action selects from its secondary, both for keys and for fileop_run(). sel points
 * into a. */
void fileop_selection(const struct file_action *a, struct selection *sel);

/* Resolves a chown-style owner ("1000:1000", "node", "node:staff", ":staff", "" is 0:0) against
 * /etc/passwd and /etc/group of a chain; a NULL view only knows root and numbers. A number alone is
 * uid and gid, a name alone has its group from /etc/passwd, an empty group ("node:") is 0. A name
 * unknown to the chain is ignored, as by Docker's builder; *unknown is then a line that says so,
 * else NULL. */
gboolean fileop_owner(struct chainview *v, const char *owner, guint32 *uid, guint32 *gid,
                      char **unknown, GError **err);

#endif
