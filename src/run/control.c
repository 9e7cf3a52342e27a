#include "run/control.h"

#include "base/error.h"
#include "base/fs.h"
#include "exec/sandbox.h"
#include "run/ask.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};

struct run_control {
    struct run_control_options o;
    struct cancel *kill; /* ends the program at once */
    gint pid;            /* of the sandbox's process 1, 0 before it runs; atomic */
    gint unheard;        /* see run_control_unheard(); atomic */
    gint stopping;       /* it is to end; atomic */
    gint ended;          /* the program is gone; atomic */
    int wake_fd;         /* eventfd: ends the thread, or tells it of stopping */
    int signal_fd;       /* -1: signals are not taken */
    gint64 kill_at;      /* when the grace time is over; 0: not stopping. The thread's alone */
    GThread *thread;
};

struct run_control *run_control_new(const struct run_control_options *o)
{
    struct run_control *c = g_new0(struct run_control, 1);
    c->o = *o;
    c->kill = cancel_new();
    c->wake_fd = c->signal_fd = -1;
    return c;
}

void run_control_free(struct run_control *c)
{
    if (!c)
        return;
    fd_cleanup(&c->wake_fd);
    fd_cleanup(&c->signal_fd);
    cancel_free(c->kill);
    g_free(c);
}

struct cancel *run_control_kill(struct run_control *c)
{
    return c->kill;
}

void run_control_set_stop_signal(struct run_control *c, int sig)
{
    c->o.stop_signal = sig;
}

void run_control_started(struct run_control *c, int pid)
{
    g_atomic_int_set(&c->pid, pid);
}

gboolean run_control_is_stopping(struct run_control *c)
{
    return g_atomic_int_get(&c->stopping) != 0;
}

int run_control_unheard(struct run_control *c)
{
    return g_atomic_int_get(&c->unheard);
}

static void forward(struct run_control *c, int sig)
{
    int pid = g_atomic_int_get(&c->pid);
    if (pid > 0 && !g_atomic_int_get(&c->ended))
        kill(pid, sig);
}

/* As forward(), but nothing survives it that would not survive it elsewhere. */
static void forward_stop(struct run_control *c)
{
    int pid = g_atomic_int_get(&c->pid);
    if (pid > 0 && !g_atomic_int_get(&c->ended) && sandbox_signal(pid, c->o.stop_signal))
        g_atomic_int_set(&c->unheard, c->o.stop_signal);
}

static void wake(struct run_control *c)
{
    guint64 one = 1;
    if (write(c->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is awake */
}

void run_control_terminal(gpointer control, int master_fd)
{
    struct run_control *c = control;
    c->o.console->attach(c->o.console->ctx, master_fd);
    wake(c);
}

void run_control_stop(struct run_control *c)
{
    if (g_atomic_int_add(&c->stopping, 1) == 0)
        wake(c);
}

/* -1 second means no limit. */
static gint64 kill_time(int seconds)
{
    return seconds < 0 ? G_MAXINT64 : g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
}

static void begin_stop(struct run_control *c)
{
    if (c->kill_at)
        return;
    c->kill_at = kill_time(c->o.stop_timeout);
    if (g_atomic_int_get(&c->pid) == 0)
        cancel_trigger(c->kill); /* nothing runs yet that could end well */
    forward_stop(c);
}

static void on_asked(struct run_control *c, struct run_ask ask)
{
    if (ask.stop) {
        if (ask.sig)
            c->o.stop_signal = ask.sig;
        g_atomic_int_add(&c->stopping, 1);
        begin_stop(c);
        if (ask.seconds != RUN_ASK_OWN_TIME)
            c->kill_at = kill_time(ask.seconds);
    } else if (ask.sig == SIGKILL && g_atomic_int_get(&c->pid) == 0) {
        cancel_trigger(c->kill);
    } else {
        forward(c, ask.sig);
    }
}

/* SIGINT, SIGTERM or SIGHUP. */
static void on_stop_signal(struct run_control *c, int sig)
{
    if (g_atomic_int_add(&c->stopping, 1) > 0) {
        cancel_trigger(c->kill);
        return;
    }
    if (sig == SIGINT && c->o.interrupted)
        c->o.interrupted(c->o.ctx);
    begin_stop(c);
}

static void on_signal(struct run_control *c)
{
    struct signalfd_siginfo info;
    if (read(c->signal_fd, &info, sizeof info) != sizeof info)
        return;
    int sig = (int)info.ssi_signo;
    if (sig == SIGTERM && info.ssi_code == SI_QUEUE)
        on_asked(c, run_ask_of_value(info.ssi_int));
    else if (sig == SIGINT || sig == SIGTERM || sig == SIGHUP)
        on_stop_signal(c, sig);
    else if (sig != SIGWINCH)
        forward(c, sig);
    else if (c->o.console)
        c->o.console->resize(c->o.console->ctx);
}

static int wait_ms(const struct run_control *c)
{
    if (!c->kill_at || c->kill_at == G_MAXINT64 || cancel_is_set(c->kill))
        return -1;
    gint64 left = c->kill_at - g_get_monotonic_time();
    return left <= 0 ? 0 : (int)MIN(left / 1000 + 1, G_MAXINT);
}

/* FALSE when there is nothing more to do. */
static gboolean control_turn(struct run_control *c)
{
    const struct run_console *con = c->o.console;
    struct pollfd fds[] = {{.fd = c->signal_fd, .events = POLLIN},
                           {.fd = c->wake_fd, .events = POLLIN},
                           {.fd = -1},
                           {.fd = -1}};
    gboolean ended = g_atomic_int_get(&c->ended);
    gboolean attached = con && con->poll(con->ctx, ended, fds + 2);
    if (ended && !attached)
        return FALSE;
    if (poll(fds, G_N_ELEMENTS(fds), wait_ms(c)) < 0)
        return TRUE;
    guint64 count;
    if (fds[1].revents && read(c->wake_fd, &count, sizeof count) > 0 &&
        g_atomic_int_get(&c->stopping))
        begin_stop(c);
    if (fds[0].revents)
        on_signal(c);
    if (attached && !con->handle(con->ctx, fds + 2))
        return FALSE;
    if (c->kill_at && g_get_monotonic_time() >= c->kill_at)
        cancel_trigger(c->kill);
    return TRUE;
}

static gpointer control_main(gpointer data)
{
    while (control_turn(data))
        ;
    return NULL;
}

static gboolean take_signals(struct run_control *c, GError **err)
{
    sigset_t set;
    sigemptyset(&set);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        sigaddset(&set, taken[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    c->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    return c->signal_fd >= 0 || error_set_errno(err, errno, "preparing to take signals");
}

gboolean run_control_start(struct run_control *c, GError **err)
{
    if (c->o.signals && !take_signals(c, err))
        return FALSE;
    c->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (c->wake_fd < 0)
        return error_set_errno(err, errno, "preparing to be told of the end");
    c->thread = g_thread_new("control", control_main, c);
    return TRUE;
}

void run_control_end(struct run_control *c)
{
    g_atomic_int_set(&c->ended, 1);
    if (!c->thread)
        return;
    wake(c);
    g_thread_join(g_steal_pointer(&c->thread));
}
