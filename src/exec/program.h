/* The last steps before a sandbox's program, from a launch_config: raw system calls only, no libc.
 * Part of init, never of varve (see launch.h). Internal to this room. */
#ifndef VARVE_EXEC_PROGRAM_H
#define VARVE_EXEC_PROGRAM_H

#include "exec/launch.h"

/* Sets working directory, limits, capabilities, filter and user, and executes the first candidate
 * possible, like execvp(). Entered with all signals blocked and only descriptors 0, 1, 2 and
 * LAUNCH_REPORT_FD, to which it reports errors. Does not return; c's lists are changed in place.
 */
void program_run(struct launch_config *c);
/* Reports and ends the process; error is -errno. */
void program_fail(enum launch_stage stage, unsigned index, long error);
void program_leave(int code);
/* Resets signals that varve ignores: they would stay ignored in the program. */
void program_reset_signals(void);
/* Reduces the permitted and effective sets to what keep allows; inheritable becomes empty. 0 or
 * -errno. */
long program_reduce_caps(uint64_t keep);

#endif
