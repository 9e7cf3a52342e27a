/* The targets of one run of varve bake as its user sees them; private to cli/. */
#ifndef VARVE_CLI_BAKE_SHOWN_H
#define VARVE_CLI_BAKE_SHOWN_H

#include "build/batch.h"
#include "cli/bake_build.h"
#include "cli/build_shown.h"

struct baked {
    const struct bake_target *target; /* of the plan */
    struct build_options options;     /* only what is shown depends on */
    struct shown_build shown;
};

/* bake_report.c: what the user sees afterwards, on stderr. Returns the exit code. all: struct
 * baked*. */
int bake_report(const GPtrArray *all, const struct bake_run *how);

#endif
