/* The control thread of a running program: takes signals and requests for it, ends it, and copies
 * its terminal's bytes. The main thread is meanwhile in sandbox_run() or sandbox_join().
 *
 * Ending: run_control_stop(), a first SIGINT, SIGTERM or SIGHUP, or another varve (run_ask()) sends
 * the program its stop signal and kills it after the grace time; a second signal kills it
 * immediately.
 *
 * Order: run_control_new(); run_control_start(); the sandbox, with run_control_terminal() and, from
 * its started(), run_control_started(); run_control_end(); run_control_free(). */
#ifndef VARVE_RUN_CONTROL_H
#define VARVE_RUN_CONTROL_H

#include "base/cancel.h"

#include <poll.h>

/* The other side of the program's terminal, if it has one. Only attach is called from another
 * thread than the control's. */
struct run_console {
    gpointer ctx;                                /* for all functions */
    void (*attach)(gpointer ctx, int master_fd); /* takes it */
    /* Sets what to wait for, descriptors of -1 for nothing; ended: the program is gone. FALSE:
     * there is no terminal yet. */
    gboolean (*poll)(gpointer ctx, gboolean ended, struct pollfd fds[2]);
    /* Does what can be done without waiting. FALSE at the end of the program's output. */
    gboolean (*handle)(gpointer ctx, const struct pollfd fds[2]);
    void (*resize)(gpointer ctx); /* the window was resized (SIGWINCH) */
};
struct run_control_options {
    int stop_signal;  /* what asks the program to end */
    int stop_timeout; /* seconds until it is killed, -1: never */
    gboolean signals; /* this process's signals are for the program: they are blocked in the calling
                         thread, and those it makes, from run_control_start() on */
    const struct run_console *console; /* borrowed, or NULL */
    void (*interrupted)(gpointer ctx); /* the first Ctrl-C; may be NULL */
    gpointer ctx;
};
struct run_control;
struct run_control *run_control_new(const struct run_control_options *o);
/* NULL is fine. */
void run_control_free(struct run_control *c);
/* Set when the program must end immediately; owned by c. */
struct cancel *run_control_kill(struct run_control *c);
void run_control_set_stop_signal(struct run_control *c, int sig);

gboolean run_control_start(struct run_control *c, GError **err);
/* The program runs as this process. */
void run_control_started(struct run_control *c, int pid);
/* A sandbox_spec's terminal(); its ctx is c. */
void run_control_terminal(gpointer control, int master_fd);
void run_control_stop(struct run_control *c);
/* The program is gone: forwards the rest of its output and ends the thread. Also if it was never
 * started. */
void run_control_end(struct run_control *c);

/* Whether it was asked to end. */
gboolean run_control_is_stopping(struct run_control *c);
/* The stop signal, if the program would not have received it and was killed; else 0. */
int run_control_unheard(struct run_control *c);

#endif
