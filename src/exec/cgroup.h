/* The cgroups of a sandbox: of version 2 or of both when it asks for limits or a parent, else one
 * of the pool's where that can be had. Internal to this room. */
#ifndef VARVE_EXEC_CGROUP_H
#define VARVE_EXEC_CGROUP_H

#include "exec/plan.h"

/* Makes a cgroup for the run (where controllers have hierarchies of version 1, one
 * in each that is needed) and its limits when the spec asks for them. UNSUPPORTED or DENIED, with
 * the next move, where this machine has none to use. A spec that asks for none gets one of the pool
 * or none, and never an error. */
gboolean cgroup_prepare(struct plan *p, const struct sandbox_spec *spec, GError **err);
/* The directory to be born into (spawn.h), or -1. */
int cgroup_birthplace(const struct plan *p);
/* No process could be born there. */
void cgroup_refused(struct plan *p);
/* The run has ended: kills what is left in its cgroups, and fills the result's usage. */
void cgroup_end(struct plan *p, struct sandbox_result *out);
/* For a process that joins that of the sandbox's process pid. */
void cgroup_prepare_join(struct plan *p, int pid);
/* Removes what was made, or gives it back. */
void cgroup_clear(struct plan *p);

#endif
