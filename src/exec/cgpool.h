/* Cgroups for sandboxes without limits, below varve's own, so that the caller's limits still apply.
 * They serve for accounting and for killing leftover processes; where they cannot be made (version
 * 1 only, or no permission), sandboxes do without. One serves many steps, one after the other,
 * because making and removing it is its main cost. Internal to this room.
 */
#ifndef VARVE_EXEC_CGPOOL_H
#define VARVE_EXEC_CGPOOL_H

#include "exec/cgroupdir.h"

/* An empty cgroup, or NULL. From any thread. */
struct cgroupdir *cgpool_take(void);
/* Gives it back, to be reused if it is as it was made, else removed. NULL is fine. */
void cgpool_give(struct cgroupdir *d, gboolean as_made);
/* Gives one back in which no process could be created; no more will be made. */
void cgpool_refuse(struct cgroupdir *d);

#endif
