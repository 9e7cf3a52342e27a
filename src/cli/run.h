/* varve run and what it shares with varve exec; private to cli/. run/ does the run itself. */
#ifndef VARVE_CLI_RUN_H
#define VARVE_CLI_RUN_H

#include "cli/console.h"
#include "cli/limits.h"
#include "run/carrier.h"

/* As on the command line. */
struct run_options {
    char **volumes, **mounts, **add_hosts, **ulimits, **dns, **dns_search, **dns_options, **env,
        **env_files, **publish, **tmpfs, **insecure, **labels; /* repeatable */
    char *user, *workdir, *entrypoint, *name, *hostname, *network, *platform, *pull, *stop_signal,
        *shm_size, *restart;     /* NULL: not given */
    struct limit_options limits; /* --memory and the like */
    char *health_cmd, *health_interval, *health_timeout, *health_start_period,
        *health_start_interval;       /* NULL: not given */
    int health_retries, stop_timeout; /* 0: not given; stop_timeout: seconds, -1: never */
    gboolean interactive, tty, rm, init, read_only, wait_healthy, no_health, detach, host_ca, quiet,
        privileged, publish_all; /* flags */
};

/* One varve run. */
struct run_call {
    const struct run_options *o; /* borrowed */
    const char *name;            /* of the image, as given */
    struct run_request request;
    struct run_watch watch;
    struct console console;
    struct run_console port; /* console's */
    struct store *store;
    struct built_image *image;
    struct run_carrier *carrier;
    GError *output_lost; /* why the program's output could not be passed on, or NULL */
    int report_fd;       /* detached: reports success to the waiting parent, else -1 */
};

/* run_request.c: makes the request from the options and words (IMAGE and what follows it).
 * VARVE_ERROR_USAGE; *q must be cleared in any case. */
gboolean run_request_take(struct run_request *q, const struct run_options *o, char **words,
                          GError **err);
/* --env-file and -e, overriding env. */
gboolean run_take_env(const struct run_options *o, GPtrArray *env, GError **err);
/* Whether -i, -t and -d are consistent with each other and with stdin. */
gboolean run_check_terminal(const struct run_options *o, GError **err);
/* run_detach.c: in the parent, waits until the child reports and returns TRUE with *code set. In
 * the child (and without --detach) FALSE. */
gboolean run_detach(struct run_call *r, int *code, GError **err);
/* Reports success to the parent, and detaches from the terminal. */
void run_report_ready(struct run_call *r);
/* Prints the end of the log, if any, to stderr: the program ended too early. */
void run_print_log_tail(struct run_call *r);
/* run_failure.c: prints what to do if program could not be started because of error, an errno (0:
 * it was started); command is "run" or "exec", name what it was to run in. */
void run_print_exec_next(const char *command, const char *name, const char *program, int error);

#endif
