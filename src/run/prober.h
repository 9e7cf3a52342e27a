/* The thread that makes the health checks of a running program, by the rules of health.h. */
#ifndef VARVE_RUN_PROBER_H
#define VARVE_RUN_PROBER_H

#include "run/health.h"
#include "run/process.h"

/* All borrowed, until the prober is freed. */
struct run_prober_options {
    const struct healthcheck *check;
    char *const *shell; /* the image's, for CMD-SHELL checks; NULL or empty: /bin/sh -c */
    const struct run_process *process; /* whose variables, user and directory a check uses */
    int pid;                           /* the sandbox's, of sandbox_spec.started() */
    gint64 started;                    /* when, monotonic microseconds */
    /* The state changed; why: the failure ("exit code 1: …"). FALSE: no more checks. */
    gboolean (*changed)(gpointer ctx, enum run_health_state now, const char *why);
    gpointer ctx;
};
struct run_prober;
struct run_prober *run_prober_new(const struct run_prober_options *o);
/* Also ends a running check. NULL is fine. */
void run_prober_free(struct run_prober *p);

#endif
