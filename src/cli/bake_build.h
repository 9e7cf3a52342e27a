/* varve bake's build: all targets of a plan in one run. */
#ifndef VARVE_CLI_BAKE_BUILD_H
#define VARVE_CLI_BAKE_BUILD_H

#include "bake/bake.h"
#include "ui/progress.h"

/* What the command line says of the run as a whole. */
struct bake_run {
    enum progress_mode progress;
    gboolean explain, fail_fast; /* flags of the same names */
    guint parallel;              /* steps at the same time, 0: default */
    char *metadata_file;         /* borrowed; or NULL */
    char *summary_file;          /* borrowed; or NULL */
    GHashTable *secrets; /* id → GBytes*, which targets have besides their own; borrowed; or NULL */
    gboolean call_json;  /* --call=METHOD,format=json */
};
/* Builds the targets of b's plan, or does what they ask for instead (call). Returns the exit code
 * when *err is not set: that of the first target that failed. VARVE_ERROR_USAGE. */
int bake_build(const struct bake *b, const struct bake_run *how, GError **err);

#endif
