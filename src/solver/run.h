/* Running steps: each once, of all builds of this machine and, with a share, of all builders that
 * run now. Private to solver/. */
#ifndef VARVE_SOLVER_RUN_H
#define VARVE_SOLVER_RUN_H

#include "solver/node.h"

/* run_*.c: make n's chain by running its op; fills layer_bytes. */
struct chain *run_exec(struct solver *s, struct node *n, GError **err);
/* Releases s->kept. */
void run_release_kept(struct solver *s);
struct chain *run_file(struct solver *s, struct node *n, GError **err);
struct chain *run_merge(struct solver *s, struct node *n, GError **err);
struct chain *run_diff(struct solver *s, struct node *n, GError **err);

/* solver.c */
/* Takes what is recorded under n's content key, here or in the cache. */
gboolean node_take_cut(struct solver *s, struct node *n);
/* Nothing more is to be solved. The lock is held. */
gboolean solver_is_over(const struct solver *s);
/* Starts a worker for each ready vertex without one, as far as threads are available. The rest is
 * tried again whenever a worker starts a vertex. The lock is held. */
void solver_hire(struct solver *s);

/* run.c: records n's result in the store. */
gboolean node_put_records(struct solver *s, struct node *n, GError **err);
/* Runs n's op while only this process holds its key; another process or, with a share, another
 * builder may have made it meanwhile. With n->parked, it is not done: another builder runs it. */
gboolean node_run(struct solver *s, struct node *n, GError **err);

/* share.c */
enum shared_turn {
    SHARED_RUN,  /* n is to be run */
    SHARED_MADE, /* another builder made it, and it is taken */
    SHARED_WAIT, /* another builder runs it */
};
/* Whether n's step is shared at all. */
gboolean node_is_shared(struct solver *s, const struct node *n);
/* Claims n's step, which is shared, or finds it made by another. */
enum shared_turn node_claim(struct solver *s, struct node *n);
/* n ran, and has no result. */
void node_unclaim(struct solver *s, struct node *n);
/* n goes to the ready ones when the wait for it is over. The lock is held. */
void node_park(struct solver *s, struct node *n);
/* No node is made ready any more. */
void nodes_unpark(struct solver *s);

#endif
