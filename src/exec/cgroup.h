/* cgroups, of version 2 or of both, for a sandbox that asks for limits or a parent. Internal to
 * this room. */
#ifndef VARVE_EXEC_CGROUP_H
#define VARVE_EXEC_CGROUP_H

#include "exec/plan.h"

/* Makes a cgroup for the run (where controllers have hierarchies of version 1, one
 * in each that is needed) and its limits when the spec asks for them, else does nothing.
 * UNSUPPORTED or DENIED, with the next move, where this machine has none to use. */
gboolean cgroup_prepare(struct plan *p, const struct sandbox_spec *spec, GError **err);
/* Removes what was made. */
void cgroup_clear(struct plan *p);

#endif
