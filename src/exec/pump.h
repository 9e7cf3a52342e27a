/* Waits for a started sandbox: forwards its output, reads reports, ends it when cancelled. Internal
 * to this room. */
#ifndef VARVE_EXEC_PUMP_H
#define VARVE_EXEC_PUMP_H

#include "exec/plan.h"

struct pump {
    struct plan *plan; /* borrowed: its pipes are read */
    const struct sandbox_spec *spec;
    int pidfd;                     /* the first process */
    gint64 deadline;               /* monotonic microseconds, 0: none */
    struct launch_report failure;  /* kind REPORT_FAILED when starting failed */
    struct launch_report exit;     /* kind REPORT_EXITED: how the program ended */
    gint64 cpu_us;                 /* of the first process and those that it waited for */
    gboolean started;              /* the program runs */
    char *input;                   /* read from spec->stdin_fd, not yet taken by the program */
    gsize input_at, input_len;     /* what is left of it */
    gboolean cancelled, timed_out; /* why it was ended */
};
/* Returns when the first process, and so every process of the sandbox, is gone. */
void pump_run(struct pump *p, struct cancel *c);

#endif
