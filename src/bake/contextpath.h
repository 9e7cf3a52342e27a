/* Contexts of targets: which are paths, and what they count from. */
#ifndef VARVE_BAKE_CONTEXTPATH_H
#define VARVE_BAKE_CONTEXTPATH_H

#include "bake/target.h"

/* Whether a context or a value of contexts is a path: no URL, "docker-image://", "target:", … */
gboolean bake_context_is_path(const char *context);
/* Relative context and contexts (paths, not URLs) count from dir instead of the working directory,
 * as does a context that is not set. */
void bake_target_rebase(struct bake_target *t, const char *dir);
/* A context as builds and --print have it: without "cwd://", "./a/" as "a"; what is a URL or a
 * repository as it is. */
char *bake_context_clean(const char *context);

#endif
