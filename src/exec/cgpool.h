/* Cgroups for sandboxes that ask for no limits, below varve's own, so that every limit of the
 * caller's keeps counting. They are for accounting and for killing what is left; where there are
 * none to be had (version 1 only, or no right), sandboxes go without. One serves many steps, one
 * after the other: making and removing it costs more than all else about it. Internal to this room.
 */
#ifndef VARVE_EXEC_CGPOOL_H
#define VARVE_EXEC_CGPOOL_H

#include "exec/cgroupdir.h"

/* An empty cgroup, or NULL. From any thread. */
struct cgroupdir *cgpool_take(void);
/* Gives it back, to be used again when it is as it was made, else to be removed. NULL is fine. */
void cgpool_give(struct cgroupdir *d, gboolean as_made);
/* Gives one back that no process could be born into: there will be no others. */
void cgpool_refuse(struct cgroupdir *d);

#endif
