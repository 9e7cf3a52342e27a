/* Running a tiny program (machine_probe()) to see whether this system can. Outside of any sandbox:
 * the program is varve's own. Internal to this room. */
#ifndef VARVE_EXEC_PROBE_H
#define VARVE_EXEC_PROBE_H

#include <glib.h>

/* Whether the program ends as it is meant to. */
gboolean probe_runs(GBytes *program);
/* The file that the kernel executes to run it, open for reading: the program's interpreter
 * according to binfmt_misc. -1: it cannot be run. */
int probe_interpreter(GBytes *program);

#endif
