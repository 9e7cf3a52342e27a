/* What a step reads of its solved inputs, opened once for its keys and its run. Results belong to
 * the node until node_close_inputs(). Only the node's own thread opens and closes. Private to
 * solver/. */
#ifndef VARVE_SOLVER_INPUTS_H
#define VARVE_SOLVER_INPUTS_H

#include "layer/chainview.h"
#include "solver/node.h"

/* Input i's chain. */
struct chainview *node_view(struct solver *s, struct node *n, guint i, GError **err);
/* What n's reads select of input i; all of it for a local source. */
struct tree *node_tree(struct solver *s, struct node *n, guint i, GError **err);
/* Frees views, trees and the selections that point into them. */
void node_close_inputs(struct node *n);
/* The content digest of n's chain, made when it is first asked for. */
gboolean node_content(struct solver *s, struct node *n, struct digest *out, GError **err);
/* The same as long as nothing has to be fetched for it: *known. */
gboolean node_content_here(struct solver *s, struct node *n, gboolean *known, GError **err);
/* need.c: fills need of all nodes, of what the queued ones will read. */
void mark_needs(struct solver *s);
/* "stage build", "stage-1", "the image busybox" where it has no stage of a name, or for what
 * belongs to no stage what it is. Newly allocated. */
char *node_shown_name(const struct vertex *input);

#endif
