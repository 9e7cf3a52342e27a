/* The last steps to a sandbox's program, from a launch_config: raw system calls only, no libc.
 * Compiled twice: into init, and into varve for the process that shares its memory (setup.c).
 * Internal to this room. */
#ifndef VARVE_EXEC_PROGRAM_H
#define VARVE_EXEC_PROGRAM_H

#include "exec/launch.h"

/* Sets limits, capabilities, filter and user, and executes the first candidate that can be, as
 * execvp(). Entered with every signal blocked. Reports to c->report_fd what fails. Does not return;
 * c's lists are changed in place. */
void program_run(struct launch_config *c);
/* Reports and ends the process; error is -errno. */
void program_fail(int report_fd, enum launch_stage stage, unsigned index, long error);
void program_leave(int code);
/* Signals that varve ignores would stay ignored in a program, and its handlers must not run here.
 */
void program_reset_signals(void);
/* Reduces the permitted and effective sets to what keep allows; inheritable becomes empty. 0 or
 * -errno. */
long program_reduce_caps(uint64_t keep);

#endif
