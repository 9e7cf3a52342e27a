/* Why steps ran, and what is kept to tell later; private to solver/. */
#ifndef VARVE_SOLVER_EXPLAIN_H
#define VARVE_SOLVER_EXPLAIN_H

#include "solver/node.h"

/* The place of n, to compare with earlier builds. NULL for internal vertices: they share the slot
 * of their instruction. */
char *node_slot(const struct solver *s, const struct node *n);

/* JSON text of what n reads: op digest, per input a name, a digest and, where small, its files. */
char *node_inputs_json(struct solver *s, struct node *n);
/* The text of node_explain_miss() if there is no such record; not shown while the step starts. */
#define NEVER_BUILT "never built here"
/* Why n was not a hit, compared with the newest record in its slot. */
char *node_explain_miss(struct solver *s, struct node *n);

#endif
