/* Builds that run together: one store, one graph, one run of the solver. What they have in common
 * (base images, contexts, equal steps) is read and run once, and the result of one can be a context
 * of others. One that fails ends only itself and those that need it. build_new() makes a batch of
 * one.
 *
 * Order of calls: batch_new(), batch_add() for each build, batch_run(), then for each build what is
 * asked of it after build_run(); batch_free(). */
#ifndef VARVE_BUILD_BATCH_H
#define VARVE_BUILD_BATCH_H

#include "build/build.h"

#define BATCH_MAX_BUILDS 4096 /* of one batch */

struct batch_options {
    gboolean fail_fast; /* the first failure stops all of them, and nothing is output */
};

struct batch;
/* ports as for build_new(): those of all builds. options may be NULL. What requests say of the run
 * as a whole (parallel, resources, host_ca, keep_failed) is taken from the first. */
struct batch *batch_new(struct session *s, const struct build_ports *ports,
                        const struct batch_options *o);
/* Frees its builds, too. */
void batch_free(struct batch *x);
/* A build, owned by the batch. name: what contexts of kind CONTEXT_BUILD in later requests, and
 * output, call it; unique. NULL with VARVE_ERROR_INVALID if a context of it names no earlier build.
 * r is borrowed until batch_free(). */
struct build *batch_add(struct batch *x, const struct build_request *r, const char *name,
                        GError **err);
/* Runs all phases of all builds. FALSE: one or more failed: build_error(). Finished steps are kept.
 */
gboolean batch_run(struct batch *x);
/* What ended b, or NULL: nothing did. */
const GError *build_error(const struct build *b);

typedef struct batch batch;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(batch, batch_free)

#endif
