/* The solver's own state of one vertex; private to solver/. */
#ifndef VARVE_SOLVER_NODE_H
#define VARVE_SOLVER_NODE_H

#include "base/work.h"
#include "solver/solver.h"

/* Bumped when the meaning of a key or the result of an op changes. */
#define KEY_EPOCH 5

/* What an op reads of one input that is not simply its root file system. */
struct read {
    guint input;          /* index in the vertex's inputs */
    guint part;           /* index of the action or mount */
    struct selection sel; /* what is read of it */
    struct digest digest; /* of what is selected, once known */
    GPtrArray *selected;  /* struct selected*, while the tree that they point into exists */
};

/* What earlier steps wrote to a cache mount before this one sees it. */
struct volume_past {
    const struct exec_mount *mount;
    struct digest digest; /* of the writers, for the content key */
};

struct opened;
struct node {
    struct vertex *v;         /* what it solves, borrowed */
    struct vertex_result res; /* what became of it */
    gint64 begun_us; /* monotonic time of res.started_us: durations do not follow the wall clock */
    GArray *reads;   /* struct read: of local inputs and of parts of other inputs */
    struct opened *opened; /* by input, while n is solved */
    GArray *pasts;         /* struct volume_past: of cache mounts, once its inputs are done */
    gboolean local;        /* a local source: has no chain of its own and is never run */
    gboolean tainted; /* it or something below it has no_cache: its definition key proves nothing */
    gboolean keyed;   /* res.key is made */
    gboolean visited; /* seen by the top-down pass */
    gboolean queued;  /* missed there: must be solved */
    gboolean run_it;  /* running it is faster than fetching what is recorded */
    enum layer_need need;      /* what queued steps read of its result */
    gboolean parked;           /* another builder runs it: it goes on when that is over */
    gboolean claimed;          /* this builder runs it, and others wait for that */
    gint64 parked_us;          /* monotonic time when it was parked first; 0: never */
    guint waiting;             /* inputs not done yet */
    gboolean told;             /* solver_options.finished was */
    GPtrArray *dependents;     /* struct node* that wait for this one */
    char *resolved;            /* http and git sources: what stands for them in keys; else NULL */
    struct chain *chain;       /* the result, once done */
    struct digest content;     /* of chain, by node_content(); zero: not known yet */
    struct digest content_key; /* zero: none was made */
    gint64 created;    /* hits and cuts: when the result was made, seconds since the epoch */
    char *inputs_json; /* what it reads, for explanations */
    gboolean wanted;   /* the targets of this run need it */
    GError *error;     /* with which it failed; or NULL */
};

struct run;
struct solver {
    const struct graph *graph;
    struct solver_options o; /* as given to solver_new() */
    GPtrArray *nodes;        /* struct node*, by vertex number */
    int steps;               /* numbered so far */
    struct cancel *stop;     /* set by the user's cancel and by the first failure */
    GMutex lock; /* guards ready, idle, crew, left, error, failed, the nodes' scheduling fields and
                    contents */
    GCond changed;
    struct work work;    /* the work of its threads: stop, and the caller's slots */
    GQueue ready;        /* struct node* */
    guint idle;          /* workers that wait for changed */
    GPtrArray *crew;     /* GThread*: the workers besides the caller's thread */
    guint left;          /* queued nodes not done */
    guint lost;          /* store_layers_lost() when this try began */
    gboolean again;      /* layers were lost meanwhile: what runs ends, then another try */
    GError *error;       /* first error of this run */
    struct node *failed; /* its node */
    struct run *kept;    /* the state of a failed exec, for solver_debug(); or NULL */
    GMutex floor_lock;   /* guards floor */
    char *floor;         /* a directory of the store below every RUN's root (sandbox_floor()) */
    GMutex renewing;     /* guards renewed, and is held while one is emptied */
    GHashTable *renewed; /* ids of cache mounts that this build emptied: char* */
    GHashTable *first_writers; /* ids of cache mounts → number of the first vertex that writes it */
    gint warned;               /* the warning that layers are copied was given; atomic */
    guint32 nonce[4];          /* random, unique to this run */
};

/* Files of a selection whose digests are kept so that a later miss can name the ones that differ.
 */
#define EXPLAIN_MAX_FILES 4096

struct node *node_of(struct solver *s, const struct vertex *v);
/* The work that a thread enters for n; events of transfers then name n, or the step that an
 * internal n is part of. */
struct work node_work(const struct solver *s, const struct node *n);
gboolean node_is_local(const struct vertex *v);
/* The input on whose root file system n's layer is made; NULL for scratch and for other ops. */
struct node *node_base(struct solver *s, const struct node *n);
/* Its number, or -1. */
int node_base_input(const struct node *n);

/* keys.c */

/* Fills n->reads from its op; no I/O. */
void node_init_reads(struct node *n);
/* The definition key; inputs must have theirs. Scans and hashes local sources as needed. */
gboolean node_definition_key(struct solver *s, struct node *n, GError **err);
/* The content key; all inputs must be done. */
gboolean node_content_key(struct solver *s, struct node *n, GError **err);
/* Content digest of a chain; indexes layers as needed. */
gboolean chain_content(struct solver *s, const struct chain *c, struct digest *out, GError **err);

/* volumes.c */

/* Adds to s->first_writers what v writes, in the order of the graph. */
void volumes_add(struct solver *s, const struct vertex *v);
/* Fills n->pasts; all inputs must be done. */
void node_find_pasts(struct solver *s, struct node *n);

/* solver.c: n failed before any step was started. FALSE with *err, unless the others go on. Takes
 * error. The solver's lock is held or not needed. */
gboolean node_failed_early(struct solver *s, struct node *n, GError *error, GError **err);

/* announce.c: an event about n, if it is shown; and numbers and tells of all steps that are needed.
 */
void node_emit(struct solver *s, struct node *n, struct event *ev);
void solver_announce(struct solver *s);

/* resolve.c: fills resolved of all needed http and git sources. */
gboolean resolve_sources(struct solver *s, GError **err);

/* Adds to n's content key what a merge reads beyond contents. */
gboolean hash_merged(struct solver *s, struct node *n, struct hasher *h, GError **err);
/* Receives the warnings of file ops; ctx is a struct warned. */
struct warned {
    struct solver *s; /* that the node belongs to */
    struct node *n;   /* the step it is about */
};
void node_warn(gpointer ctx, const char *text);
/* The chain (of one layer) of what read selects of a local source, made once per content.
 */
struct chain *local_chain(struct solver *s, struct node *n, struct read *r, GError **err);

#endif
