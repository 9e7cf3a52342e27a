/* What all threads that work for one build (or for one step of it) have in common: its
 * cancellation, the threads that it may use, and which step it is. A thread says once whose work it
 * does (work_enter()); the threads and loops that it starts (work_thread(), work_helper(),
 * pool_for_each()) do the same one's. Several builds of one process thus need no global flag, and
 * loops deep down no further parameter. */
#ifndef VARVE_BASE_WORK_H
#define VARVE_BASE_WORK_H

#include "base/cancel.h"
#include "base/slots.h"

struct event_sink;
struct work {
    struct cancel *cancel;     /* or NULL */
    struct slots *slots;       /* or NULL: helpers are not counted */
    int vertex;                /* that the work is for; -1: the build as a whole */
    struct event_sink *events; /* told how far what takes long is (meter.h); or NULL */
};
/* This thread works for w from now on; NULL: for nobody. w must stay until everything that was
 * started meanwhile has ended. Returns for whom it worked before, to be entered again. */
const struct work *work_enter(const struct work *w);
/* Whom this thread works for, or NULL. */
const struct work *work_current(void);
/* FALSE with VARVE_ERROR_CANCELLED when the current work is cancelled; where there is none, when
 * the command is (cancel_set_command()). For loops that may last for minutes: reading, hashing,
 * copying the bytes of one file. */
gboolean work_check(GError **err);

/* g_thread_try_new(), for the current work. */
GThread *work_thread(const char *name, GThreadFunc fn, gpointer data, GError **err);
/* The same for a thread that work can go on without: NULL when the work has no slot left, or the
 * process no thread. The slot is free again when fn returns. */
GThread *work_helper(const char *name, GThreadFunc fn, gpointer data);

#endif
