/* The thread that makes the health checks of a program that runs, by the rules of health.h. */
#ifndef VARVE_RUN_PROBER_H
#define VARVE_RUN_PROBER_H

#include "run/health.h"
#include "run/process.h"

/* All borrowed, until the prober is freed. */
struct run_prober_options {
    const struct healthcheck *check;
    char *const *shell; /* the image's, for a check in a line of it; NULL or empty: /bin/sh -c */
    const struct run_process *process; /* whose variables, user and directory a check has */
    int pid;                           /* the sandbox's, of sandbox_spec.started() */
    gint64 started;                    /* when, monotonic microseconds */
    /* The state became another one; why of a failure ("exit code 1: …"). FALSE: no more checks. */
    gboolean (*changed)(gpointer ctx, enum run_health_state now, const char *why);
    gpointer ctx;
};
struct run_prober;
struct run_prober *run_prober_new(const struct run_prober_options *o);
/* Ends a check under way with it. NULL is fine. */
void run_prober_free(struct run_prober *p);

#endif
