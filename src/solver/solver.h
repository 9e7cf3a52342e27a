/* The solver: makes a vertex's chain, doing as little as possible.
 *
 * Keys (DESIGN "Keys"). The definition key of a vertex is hash(op, definition keys of its inputs),
 * in which a local source is represented by the digest of what the op selects from it, one on the
 * network by its current content. The content key is hash(op, content digests of what the op reads
 * of its inputs' results, earlier writers of its cache mounts). A vertex is solved like this, from
 * the target down:
 *   1. its record under the definition key, as long as nothing below it ran in this build: a hit;
 *   2. else its inputs are solved (independent ones at the same time);
 *   3. its record under the content key: an early cutoff, also stored under the definition key;
 *   4. else it runs, under a lock of its key shared with other processes, and is recorded under
 * both. Nothing a hit depends on is touched: inputs of a hit are neither pulled nor unpacked. Of
 * base images only what steps read comes here: a merge that need not know what it lies on has no
 * content key then. Only steps that a result needs are ever looked at. Threads: as many steps run
 * at once as the graph allows, at most max_parallel, and no more than the current work has slots
 * for (base/work.h). Several targets are solved at once, and a step that they share once. With a
 * cache (cache/reader.h) its records are looked up after the store's. A layer that then cannot be
 * had, or is damaged, is no failure: the steps that need it are solved again without it. With a
 * share (cache/share.h) a RUN that another builder runs is waited for, without a thread. */
#ifndef VARVE_SOLVER_SOLVER_H
#define VARVE_SOLVER_SOLVER_H

#include "base/cancel.h"
#include "base/event.h"
#include "cache/reader.h"
#include "cache/share.h"
#include "exec/resources.h"
#include "graph/graph.h"
#include "snapshot/snapshot.h"
#include "store/absent.h"
#include "store/record.h"
#include "tree/tree.h"

/* What the solver needs from its environment; all functions may be called from several threads. */
struct solver_env {
    /* The tree of a local source, scanned at most once. */
    struct tree *(*local)(struct solver_env *self, const struct source_op *op, GError **err);
    /* Chain of any but a local source, pulled and unpacked or fetched as far as this build is known
     * to need it. More may be needed later, of what is not here then: store/absent.h. */
    struct chain *(*image)(struct solver_env *self, const struct source_op *op,
                           enum layer_need need, GError **err);
    /* Value of a secret of the build with this number (vertex_meta.owner), NULL with NOT_FOUND when
     * there is none. */
    GBytes *(*secret)(struct solver_env *self, int owner, const char *id, GError **err);
    /* Path of the agent socket for an ssh id, likewise, newly allocated. */
    char *(*ssh)(struct solver_env *self, int owner, const char *id, GError **err);
    /* Returns the text that represents the current content of an http or git source in keys; asks
     * the network as needed. May be NULL when the graph has no such source. */
    char *(*resolve)(struct solver_env *self, const struct source_op *op, GError **err);
    /* Runs an exec op on base (NULL: scratch) instead of this machine's sandbox. May be NULL. */
    struct chain *(*exec)(struct solver_env *self, const struct vertex *v, const struct chain *base,
                          struct cancel *c, GError **err);
};

struct solver_options {
    struct store *store;
    struct solver_env *env;
    struct event_sink *events; /* or NULL */
    struct cancel *cancel;     /* or NULL */
    guint max_parallel;        /* 0: twice the number of CPUs, at least 4: steps often wait */
    const gint64 *build_ids;   /* for logs, by vertex_meta.owner, borrowed; NULL: none kept */
    gint64 now_ns;             /* mtimes of what is made; SOURCE_DATE_EPOCH if set */
    const char *host_ca;       /* bundle to mount into RUN, or NULL */
    const struct resources *resources; /* of a RUN, borrowed */
    struct netpool *nets;              /* networks for RUN, borrowed; NULL: the host's */
    enum snapshot_driver snapshots;    /* how layers are mounted */
    struct cache_reader
        *cache;                /* records of other machines, after the store's; borrowed, or NULL */
    struct cache_share *share; /* with a cache: steps are shared with other builders;
                                  borrowed, or NULL */
    /* With share: whether v's result will be published if it runs. */
    gboolean (*publishes)(gpointer ctx, const struct vertex *v);
    gboolean keep_failed; /* keep files and mounts of a RUN that failed, for solver_debug() */
    gboolean keep_going;  /* a step that fails ends only what needs it */
    /* Told of each vertex whose chain became known, because it ran, was cut or hit: once each, from
     * any thread, without a lock. May be NULL. */
    void (*finished)(gpointer ctx, const struct vertex *v, const struct chain *c);
    gpointer finished_ctx; /* and of publishes */
};

struct solver;
struct solver *solver_new(const struct graph *g, const struct solver_options *o);
void solver_free(struct solver *s);
/* Solves n targets at once. out[i] gets the chain of targets[i] (the caller's), or NULL if it
 * failed or was abandoned. FALSE with the first error if one has none. Finished steps are kept. May
 * be called again, even after the graph has grown: what is done stays done, what failed is tried
 * again. */
gboolean solver_run(struct solver *s, struct vertex *const *targets, guint n, struct chain **out,
                    GError **err);

/* The result of each vertex. Valid after solver_run(). */
struct vertex_result {
    /* the target depends on it (vertices below a hit are needed but not looked up) */
    gboolean needed;
    gboolean done; /* outcome is set */
    enum event_outcome outcome;
    struct digest key; /* definition key, zero when it could not be made */
    char *why;         /* "1 of 14 files differs: src/server.ts", "its input … changed", … */
    gint64 started_us, duration_us; /* wall clock when it began, 0: it did not run */
    gint64 saved_us;                /* hits: what running it took when it ran */
    const char *from;               /* hits: the cache that had it, borrowed from it; NULL: here */
    guint64 layer_bytes;            /* bytes of files it added */
    gint64 cpu_us;                  /* a RUN that ran: CPU time of its processes */
    guint64 memory_peak;            /* the same: the most memory in use, 0: unknown */
    int exit_code;                  /* failed RUN */
    gboolean emulated;              /* a RUN that ran: its programs were for another machine */
    int step;         /* its number among the steps of this build, from 1; 0: it is none */
    gboolean nothing; /* a COPY or ADD whose sources were looked at: none holds a file */
    guint missing;    /* failed: the action or mount whose source was not found, from 1; 0: it was
                         something else */
};
const struct vertex_result *solver_result(const struct solver *s, const struct vertex *v);
/* The store's id of a cache mount, the same on every machine: its id, and owner and mode where they
 * count. NULL: it begins with layers, which are this machine's own. */
char *solver_volume_id(const struct exec_mount *m);
/* What is known about a step; borrowed until the next solver_run(). */
struct solver_step {
    struct digest definition, content_key; /* its keys; zero: not made */
    const struct chain *chain;             /* NULL: not made, or not looked at (below a hit) */
    struct digest content;                 /* of chain; zero: nobody asked for it yet */
};
void solver_step(const struct solver *s, const struct vertex *v, struct solver_step *out);
/* The step's stable place, under which the store keeps its inputs and history; NULL if it has none.
 */
char *solver_slot(const struct solver *s, const struct vertex *v);
/* After an output found that layers cannot be had (store_layers_lost()): the steps whose results
 * need them are solved by the next solver_run(). *again FALSE: nothing of s needs them. */
void solver_forget_lost(struct solver *s, gboolean *again);
/* Whether a lost layer of c was made by a step, not pulled with an image. */
gboolean solver_lost_own(struct solver *s, const struct chain *c);
/* The vertex that failed first in the last solver_run(), or NULL. */
struct vertex *solver_failed(const struct solver *s);
/* The first vertex that failed of those that target needs, with its error, borrowed; NULL: none. */
struct vertex *solver_failed_below(struct solver *s, const struct vertex *target,
                                   const GError **error);
/* The chain on which the RUN v was started, borrowed; NULL: none, or not made. */
const struct chain *solver_base_chain(struct solver *s, const struct vertex *v);
/* The failed RUN that was kept, or NULL. */
const struct vertex *solver_kept(const struct solver *s);
/* After solver_run() with a kept RUN: runs the step's shell (SHELL's, else /bin/sh) on a terminal,
 * in the file system as the step left it, with its mounts, environment, directory and user. tmpfs
 * mounts are fresh. Changes are discarded with the solver. terminal gets the terminal's other side
 * (exec/sandbox.h). term: value of TERM unless the step sets it, or NULL. */
gboolean solver_debug(struct solver *s, void (*terminal)(gpointer ctx, int master_fd), gpointer ctx,
                      const char *term, int *exit_code, GError **err);

typedef struct solver solver;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(solver, solver_free)

#endif
