/* Versions and what they must satisfy (semver.org, and the constraints of Masterminds/semver, which
 * buildx uses): "1.2", "v1.2.3-rc.1+build"; ">= 1.2, < 2 || ^3.1", "~1.2", "1.x", "1.2 - 1.4". */
#ifndef VARVE_BAKE_SEMVER_H
#define VARVE_BAKE_SEMVER_H

#include <glib.h>

/* Whether version satisfies the constraint, in *yes. FALSE with VARVE_ERROR_INVALID when one of
 * them is malformed; *which is 0 for the version, 1 for the constraint. */
gboolean semver_satisfies(const char *version, const char *constraint, gboolean *yes, int *which,
                          GError **err);

#endif
