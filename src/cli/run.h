/* One varve run, from its options to the program's end; private to cli/.
 *
 * The main thread sits in sandbox_run(). A control thread takes the signals and the terminal, a
 * health thread probes. Ending early: run_stop() sends the image's STOPSIGNAL and, after the grace
 * time, kills. */
#ifndef VARVE_CLI_RUN_H
#define VARVE_CLI_RUN_H

#include "cli/command.h"
#include "cli/limits.h"
#include "exec/sandbox.h"
#include "output/image.h"
#include "snapshot/snapshot.h"
#include "source/sources.h"
#include "store/runs.h"

#include <termios.h>

/* As on the command line. */
struct run_options {
    char **volumes, **mounts, **add_hosts, **ulimits, **dns, **dns_search, **dns_options, **env,
        **env_files, **publish, **tmpfs, **insecure, **labels;
    char *user, *workdir, *entrypoint, *name, *hostname, *network, *platform, *pull, *stop_signal,
        *shm_size, *restart;
    struct limit_options limits;
    char *health_cmd, *health_interval, *health_timeout, *health_start_period,
        *health_start_interval;
    int health_retries, stop_timeout;
    gboolean interactive, tty, rm, init, read_only, wait_healthy, no_health, detach, host_ca, quiet,
        privileged, publish_all;
};

/* Between the program's terminal and the user's. One thread attaches it, another moves bytes. */
struct console {
    gint master;    /* the program's terminal from outside, -1: none yet; atomic, set last */
    gboolean input; /* what the user types goes to the program */
    gboolean raw;   /* the user's terminal is in raw mode: saved holds what it was */
    struct termios saved;
};
/* Takes master_fd, what the sandbox gives to spec->terminal. */
void console_attach(struct console *c, int master_fd, gboolean interactive);
/* Gives it the size of the user's terminal. */
void console_resize(struct console *c);
/* Restores the user's terminal and closes. */
void console_close(struct console *c);
/* Moves what is there: FALSE at the end of the program's output; c->input ends with the user's
 * input. */
gboolean console_output(struct console *c);
void console_input(struct console *c);

struct run {
    const struct run_options *o;
    const char *name; /* of the image, as given */
    char **command;   /* what follows IMAGE; borrowed */
    struct store *store;
    struct built_image *image;
    const struct image_conf *conf; /* image's */
    char **args, **env;            /* of the program */
    const char *cwd, *user;
    char *hostname;
    enum net_mode network;
    struct netpool *nets;
    GArray *ports;    /* struct network_port; their addresses are in owned */
    guint64 shm_size; /* bytes, 0: default */
    struct resources resources;
    GArray *hosts, *ulimits;    /* struct host_ip and struct ulimit; their strings are in owned */
    struct sandbox_file resolv; /* of --dns */
    struct snapshot *root;
    GArray *mounts;             /* struct sandbox_mount; descriptors closed at the end */
    GPtrArray *owned;           /* char*: destinations in mounts, addresses in ports */
    GPtrArray *volumes;         /* struct volume* */
    GPtrArray *tmps;            /* char*: directories of anonymous volumes, relative to the store */
    struct healthcheck *health; /* what is probed; NULL: nothing */
    struct console console;
    struct run_entry *entry; /* what others see of the run; NULL until it is set up */
    GError *output_lost;     /* why the program's output could not be passed on, or NULL */
    int report_fd;           /* detached: tells the waiting parent that all is well, else -1 */

    struct cancel *kill; /* ends the program at once */
    int stop_signal;
    gint pid;      /* of the sandbox's process 1, 0 before it runs; atomic */
    gint unheard;  /* the stop signal, when the program would not have heard it and was killed;
                      atomic */
    gint stopping; /* run_stop() was called; atomic */
    int wake_fd;   /* eventfd: ends the control thread, or tells it of stopping */
    gint ended;    /* the program is gone; atomic */
    GThread *control, *prober;
    struct cancel *probe_cancel; /* ends a probe with the program */
    gint healthy;                /* it was healthy once; atomic */
    char *complaint;   /* why the run was given up; written by the prober, read after it ended */
    gint64 started_us; /* monotonic: when the program started */
};

/* run_setup.c: fills args, env, cwd, user, network, health and so on from the image's config and
 * the options. */
gboolean run_setup(struct run *r, GError **err);
/* --env-file and -e, over what is in env. */
gboolean run_add_env(const struct run_options *o, GPtrArray *env, GError **err);
/* Whether -i, -t and -d fit each other and stdin. */
gboolean run_check_terminal(const struct run_options *o, GError **err);
/* --network; before the image is looked for. */
gboolean run_set_network(struct run *r, GError **err);
/* run_publish.c: -p; and, when the image is known, -P. */
gboolean run_set_ports(struct run *r, GError **err);
gboolean run_set_exposed(struct run *r, GError **err);
/* run_extras.c: --add-host, --ulimit, --dns, --restart. */
gboolean run_set_extras(struct run *r, GError **err);
/* run_volumes.c: -v, --mount, --tmpfs and the image's VOLUMEs, as mounts. */
gboolean run_add_volumes(struct run *r, GError **err);
/* run_control.c: signals are blocked in the calling thread (and those it makes) from
 * run_control_start() on. */
gboolean run_control_start(struct run *r, GError **err);
void run_control_end(struct run *r);
/* spec->terminal of a run with -t. */
void run_terminal(gpointer run, int master_fd);
void run_stop(struct run *r);
/* What another varve asks of the one that carries a run, as the value of a queued SIGTERM: to pass
 * on a signal (its number shifted), or with RUN_ASK_STOP to stop: by this signal (0: its own) and
 * after so many seconds by force. */
enum {
    RUN_ASK_OWN_TIME = 0x3fffff, /* the run's own --stop-timeout */
    RUN_ASK_NO_TIME = 0x3ffffe,  /* wait for ever */
    RUN_ASK_SHIFT = 22,          /* of the signal's number */
    RUN_ASK_STOP = 1 << 30
};
/* FALSE with errno. */
gboolean run_ask(int pidfd, int what);
/* "SIGTERM", "term", "15", "SIGRTMIN+3"; 0 when unknown. */
int signal_number(const char *text);
/* run_health.c: starts probing once the program runs. */
void run_health_start(struct run *r);
void run_health_end(struct run *r);
/* run_detach.c: in the parent, waits until the child reports and returns TRUE with *code set. In
 * the child (and without --detach) FALSE. */
gboolean run_detach(struct run *r, int *code, GError **err);
/* run_record.c: others see the run from now on, and a detached one's output goes to its log. */
gboolean run_record_begin(struct run *r, GError **err);
void run_log_output(gpointer run, int fd, const void *bytes, gsize len);
/* Tells the parent that all is well, and leaves the terminal. */
void run_report_ready(struct run *r);
/* The end of the log to stderr, when there is one: the program ended too early. */
void run_print_log_tail(struct run *r);
/* run_failure.c: the next move when the program name could not be started, for error, an errno (0:
 * it could); command is "run" or "exec". */
void run_print_exec_next(const struct run *r, const char *name, int error, const char *command);

#endif
