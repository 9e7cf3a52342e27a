/* The last steps to a sandbox's program, from a launch_config: raw system calls only, no libc. Part
 * of init, never of varve (launch.h says why). Internal to this room. */
#ifndef VARVE_EXEC_PROGRAM_H
#define VARVE_EXEC_PROGRAM_H

#include "exec/launch.h"

/* Sets working directory, limits, capabilities, filter and user, and executes the first candidate
 * that can be, as execvp(). Entered with every signal blocked and no descriptor but 0, 1, 2 and
 * LAUNCH_REPORT_FD, where it reports what fails. Does not return; c's lists are changed in place.
 */
void program_run(struct launch_config *c);
/* Reports and ends the process; error is -errno. */
void program_fail(enum launch_stage stage, unsigned index, long error);
void program_leave(int code);
/* Signals that varve ignores would stay ignored in a program. */
void program_reset_signals(void);
/* Reduces the permitted and effective sets to what keep allows; inheritable becomes empty. 0 or
 * -errno. */
long program_reduce_caps(uint64_t keep);

#endif
