/* The context shared by all threads that work on one build (or one of its steps): its cancellation,
 * the helper threads it may use, and the step's number. A thread sets it once (work_enter()); the
 * threads and loops that it starts (work_thread(), work_helper(), pool_for_each()) inherit it. So
 * several builds in one process need no global flag, and low-level loops no extra parameter. */
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
/* Makes w the work of this thread; NULL: none. w must stay valid until everything started meanwhile
 * has ended. Returns the previous work, to be entered again. */
const struct work *work_enter(const struct work *w);
/* The work of this thread, or NULL. */
const struct work *work_current(void);
/* FALSE with VARVE_ERROR_CANCELLED if the current work is cancelled or, without one, the command is
 * (cancel_set_command()). For loops that may take minutes: reading, hashing or copying one file. */
gboolean work_check(GError **err);

/* g_thread_try_new(), for the current work. */
GThread *work_thread(const char *name, GThreadFunc fn, gpointer data, GError **err);
/* The same for an optional thread: NULL if the work has no slot left or the process cannot start a
 * thread. The slot is free again when fn returns. */
GThread *work_helper(const char *name, GThreadFunc fn, gpointer data);

#endif
