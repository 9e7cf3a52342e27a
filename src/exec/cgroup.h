/* The cgroups of a sandbox: of either version if it has limits or a parent, else one from the pool
 * if possible. Internal to this room. */
#ifndef VARVE_EXEC_CGROUP_H
#define VARVE_EXEC_CGROUP_H

#include "exec/plan.h"

/* Makes a cgroup with the spec's limits for the run (with version 1, one in each hierarchy that is
 * needed). UNSUPPORTED or DENIED, with a next line, if this machine has none to use. A spec without
 * limits gets one from the pool or none, and never an error. */
gboolean cgroup_prepare(struct plan *p, const struct sandbox_spec *spec, GError **err);
/* The directory of the cgroup to create the process in (spawn.h), or -1. */
int cgroup_birthplace(const struct plan *p);
/* No process could be created there. */
void cgroup_refused(struct plan *p);
/* The run has ended: kills what is left in its cgroups and sets the result's usage. */
void cgroup_end(struct plan *p, struct sandbox_result *out);
/* For a process that joins that of the sandbox's process pid. */
void cgroup_prepare_join(struct plan *p, int pid);
/* Removes what was made, or returns it to the pool. */
void cgroup_clear(struct plan *p);

#endif
