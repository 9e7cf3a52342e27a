/* From a target of a bake file to a request for a build. */
#ifndef VARVE_CLI_BAKE_REQUEST_H
#define VARVE_CLI_BAKE_REQUEST_H

#include "bake/bake.h"
#include "build/request.h"

/* What of varve bake's own options is the same for all targets. */
struct bake_common {
    const struct bake *bake;   /* whose plan has the targets, borrowed */
    char **env;                /* "NAME=value", borrowed */
    guint parallel;            /* steps at the same time, 0: default */
    gboolean wants_sizes;      /* of what pushes replace */
    GHashTable *secrets;       /* id → GBytes*, added to those of t; borrowed; or NULL */
    struct event_sink *events; /* gets notes about values */
};
/* A request that means what t means. The links of t name other targets (CONTEXT_BUILD). NULL with
 * VARVE_ERROR_USAGE or VARVE_ERROR_UNSUPPORTED, which names the target. */
struct build_request *bake_request_new(const struct bake_target *t, const struct bake_common *c,
                                       GError **err);

#endif
