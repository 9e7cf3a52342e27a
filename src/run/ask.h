/* A request from another varve to the one that carries a run: the value of a queued SIGTERM. */
#ifndef VARVE_RUN_ASK_H
#define VARVE_RUN_ASK_H

#include <glib.h>

#define RUN_ASK_OWN_TIME (-2) /* the run's own grace time */

struct run_ask {
    gboolean stop; /* end the program; else forward the signal */
    int sig;       /* its number; with stop 0: the run's own stop signal */
    int seconds;   /* with stop: time until it is killed, -1: never, or RUN_ASK_OWN_TIME */
};
/* To the value of a signal, and back. Seconds are limited to 48 days. */
int run_ask_value(const struct run_ask *ask);
struct run_ask run_ask_of_value(int value);
/* Sends it. FALSE with errno. */
gboolean run_ask_send(int pidfd, const struct run_ask *ask);

#endif
