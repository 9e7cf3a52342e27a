/* A batch while it runs; private to build/. */
#ifndef VARVE_BUILD_BATCHING_H
#define VARVE_BUILD_BATCHING_H

#include "build/batch.h"

/* What builds have in common that run together. */
struct batch {
    struct session *session;
    struct build_ports ports;
    struct batch_options o; /* as given */
    GPtrArray *builds;      /* struct build*, by number; owned */
    struct store *store;
    const struct build_config *config; /* the session's */
    struct netpool *nets;              /* for RUN */
    struct sources *sources;
    GHashTable *secrets; /* id → GBytes*, borrowed, of all builds: for sources on the network */
    struct graph *graph; /* of all builds; NULL: nothing is lowered yet */
    struct solver *solver;
    struct cache_reader *cache_reader; /* of every --cache-from; or NULL */
    struct cache_share *cache_share;   /* of the reference with share=true; or NULL */
    gint64 *build_ids;                 /* in the history, by number */
};

struct build *batch_new_build(struct batch *x, const struct build_request *r, const char *name);
/* The builds without an error (struct build*, borrowed); the caller frees the list. */
GPtrArray *batch_alive(const struct batch *x);
/* Opens the store and what is read of the configuration, once. */
gboolean batch_open(struct batch *x, GError **err);
/* Begins to read caches, and makes the sources of all builds that have no error; after their
 * inputs. */
gboolean batch_open_sources(struct batch *x, GError **err);
/* The build whose result is the context name, for lower_options.result_of. */
const struct lowered *batch_result_of(gpointer build, const char *name, const struct platform *p,
                                      GError **err);
/* Solves the goals of builds (struct build*); those that then have no result have failed. */
void batch_solve(const GPtrArray *builds);
/* batchout.c: outputs of all builds without an error, side by side where they cannot meet; what is
 * lost meanwhile is made again. */
void batch_make_outputs(struct batch *x);
/* batchnames.c: warns of a FROM that names the image that another build is about to make: it gets
 * the one of an earlier run. */
void batch_note_names(const struct batch *x);

#endif
