/* Results of other machines, and results that turn out to be lost. Private to solver/. */
#ifndef VARVE_SOLVER_REMOTE_H
#define VARVE_SOLVER_REMOTE_H

#include "solver/node.h"

/* The record of key, here or in the cache; then *from is its label. NULL: none that can be used. */
struct record *find_record(struct solver *s, const struct digest *key, const char **from);
/* Queues the hits whose files are needed and would take longer to fetch than to make. TRUE: some.
 */
gboolean queue_slow_hits(struct solver *s, GPtrArray *stack);
/* Records here what hit in the cache. */
gboolean keep_remote_hits(struct solver *s, GError **err);
/* Why n hit: newly allocated. */
char *hit_reason(const struct node *n);
/* Whether n failed because layers were lost since this try began. Tells of those that steps made.
 */
gboolean lost_meanwhile(struct solver *s, const struct node *n, const GError *error);

#endif
