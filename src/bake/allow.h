/* What a plan wants of this machine that the files may not take on their own: entitlements, ssh,
 * and paths outside the working directory. A bake file may be somebody else's. Only decides; to ask
 * is the caller's. */
#ifndef VARVE_BAKE_ALLOW_H
#define VARVE_BAKE_ALLOW_H

#include "bake/plan.h"

/* Something that is wanted and was not allowed. */
struct bake_need {
    const char *target; /* of the plan, the first that wants it */
    char *flag;         /* what --allow takes for it: "network.host", "fs.read=/etc" */
};

/* struct bake_need *, each flag once, in the order of targets. dir: the working directory, below
 * which all is free, as are paths that --set named. allowed: values of --allow (NULL-terminated,
 * may be NULL): network.host, security.insecure, ssh, device[=NAME], fs=PATH, fs.read=PATH and
 * fs.write=PATH, with "*" for any path. paths: whether paths are looked at. Symlinks are followed
 * as far as a path exists. NULL with VARVE_ERROR_USAGE: a value of --allow is none of these. */
GPtrArray *bake_needs(const struct bake_plan *p, const char *dir, char **allowed, gboolean paths,
                      GError **err);

#endif
