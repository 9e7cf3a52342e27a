/* The record of a run for other processes (store/runs.h). Its file "process" says how the program
 * was started, for those that join it: working directory, user, variables; a NUL after each. */
#ifndef VARVE_RUN_RECORD_H
#define VARVE_RUN_RECORD_H

#include "run/process.h"
#include "store/runs.h"

/* Others see the run from now on, until run_entry_end(); ports are those it has.
 * VARVE_ERROR_USAGE for its name. */
struct run_entry *run_record_begin(struct store *s, const struct run_request *q,
                                   const struct run_process *p, const struct run_ports *ports,
                                   GError **err);
/* How row's program was started: of p cwd, user and env, to be cleared. */
gboolean run_record_process(struct store *s, const struct run_row *row, struct run_process *p,
                            GError **err);
/* The file's bytes, and parsing them: cwd, user and env. */
GBytes *run_record_bytes(const struct run_process *p);
gboolean run_record_parse(GBytes *bytes, struct run_process *p, GError **err);

#endif
