#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int taken[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH};

int signal_number(const char *text)
{
    guint64 number;
    const char *name = g_ascii_strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    if (g_ascii_string_to_unsigned(text, 10, 1, SIGRTMAX, &number, NULL))
        return (int)number;
    if (g_ascii_strncasecmp(name, "RTMIN", 5) == 0) {
        if (!name[5])
            return SIGRTMIN;
        return name[5] == '+' && g_ascii_string_to_unsigned(name + 6, 10, 0, SIGRTMAX - SIGRTMIN,
                                                            &number, NULL)
                   ? SIGRTMIN + (int)number
                   : 0;
    }
    for (int sig = 1; sig < SIGRTMIN; sig++) {
        const char *known = sigabbrev_np(sig);
        if (known && strcasecmp(known, name) == 0)
            return sig;
    }
    return 0;
}

static void forward(struct run *r, int sig)
{
    int pid = g_atomic_int_get(&r->pid);
    if (pid > 0 && !g_atomic_int_get(&r->ended))
        kill(pid, sig);
}

/* As forward(), but nothing survives it that would not survive it elsewhere. */
static void forward_stop(struct run *r)
{
    int pid = g_atomic_int_get(&r->pid);
    if (pid > 0 && !g_atomic_int_get(&r->ended) && sandbox_signal(pid, r->stop_signal))
        g_atomic_int_set(&r->unheard, r->stop_signal);
}

static void wake(struct run *r)
{
    guint64 one = 1;
    if (write(r->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is awake */
}

void run_terminal(gpointer run, int master_fd)
{
    struct run *r = run;
    console_attach(&r->console, master_fd, r->o->interactive);
    wake(r);
}

void run_stop(struct run *r)
{
    if (g_atomic_int_add(&r->stopping, 1) == 0)
        wake(r);
}

/* What the control thread knows besides the run. */
struct control {
    struct run *r;
    int signal_fd;
    gint64 kill_at; /* when the grace time is over; 0: not stopping */
};

/* -1 second is for ever. */
static gint64 kill_time(int seconds)
{
    return seconds < 0 ? G_MAXINT64 : g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;
}

static void begin_stop(struct control *c)
{
    struct run *r = c->r;
    if (c->kill_at)
        return;
    c->kill_at = kill_time(r->o->stop_timeout);
    if (g_atomic_int_get(&r->pid) == 0)
        cancel_trigger(r->kill); /* nothing runs yet that could end well */
    forward_stop(r);
}

/* Another varve asks (run_ask()). */
static void on_asked(struct control *c, int what)
{
    struct run *r = c->r;
    int sig = what >> RUN_ASK_SHIFT & 0x7f, seconds = what & RUN_ASK_OWN_TIME;
    if (what & RUN_ASK_STOP) {
        if (sig)
            r->stop_signal = sig;
        g_atomic_int_add(&r->stopping, 1);
        begin_stop(c);
        if (seconds != RUN_ASK_OWN_TIME)
            c->kill_at = kill_time(seconds == RUN_ASK_NO_TIME ? -1 : seconds);
    } else if (sig == SIGKILL && g_atomic_int_get(&r->pid) == 0) {
        cancel_trigger(r->kill);
    } else {
        forward(r, sig);
    }
}

static void on_signal(struct control *c)
{
    struct signalfd_siginfo info;
    if (read(c->signal_fd, &info, sizeof info) != sizeof info)
        return;
    int sig = (int)info.ssi_signo;
    if (sig == SIGTERM && info.ssi_code == SI_QUEUE) {
        on_asked(c, info.ssi_int);
    } else if (sig == SIGWINCH) {
        console_resize(&c->r->console);
    } else if (sig != SIGINT && sig != SIGTERM && sig != SIGHUP) {
        forward(c->r, sig);
    } else if (g_atomic_int_add(&c->r->stopping, 1) == 0) {
        if (sig == SIGINT && isatty(STDERR_FILENO))
            fprintf(stderr, "\nstopping %s (Ctrl-C again kills it)\n", c->r->name);
        begin_stop(c);
    } else {
        cancel_trigger(c->r->kill);
    }
}

static int wait_ms(const struct control *c)
{
    if (!c->kill_at || c->kill_at == G_MAXINT64 || cancel_is_set(c->r->kill))
        return -1;
    gint64 left = c->kill_at - g_get_monotonic_time();
    return left <= 0 ? 0 : (int)MIN(left / 1000 + 1, G_MAXINT);
}

/* FALSE when there is nothing more to do. */
static gboolean turn(struct control *c)
{
    struct run *r = c->r;
    struct console *con = &r->console;
    int master = g_atomic_int_get(&con->master);
    gboolean ended = g_atomic_int_get(&r->ended);
    gboolean input = master >= 0 && con->input && !ended;
    struct pollfd fds[] = {{.fd = c->signal_fd, .events = POLLIN},
                           {.fd = r->wake_fd, .events = POLLIN},
                           {.fd = master, .events = POLLIN},
                           {.fd = input ? STDIN_FILENO : -1, .events = POLLIN}};
    if (ended && master < 0)
        return FALSE;
    if (poll(fds, G_N_ELEMENTS(fds), wait_ms(c)) < 0)
        return TRUE;
    guint64 count;
    if (fds[1].revents && read(r->wake_fd, &count, sizeof count) > 0 &&
        g_atomic_int_get(&r->stopping))
        begin_stop(c);
    if (fds[0].revents)
        on_signal(c);
    if (fds[2].revents && !console_output(con))
        return FALSE;
    if (fds[3].revents)
        console_input(con);
    if (c->kill_at && g_get_monotonic_time() >= c->kill_at)
        cancel_trigger(r->kill);
    return TRUE;
}

static gpointer control_main(gpointer data)
{
    struct control *c = data;
    while (turn(c))
        ;
    close(c->signal_fd);
    g_free(c);
    return NULL;
}

gboolean run_ask(int pidfd, int what)
{
    siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = what;
    return syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, &info, 0) == 0;
}

gboolean run_control_start(struct run *r, GError **err)
{
    sigset_t set;
    sigemptyset(&set);
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        sigaddset(&set, taken[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    fd_auto int fd = signalfd(-1, &set, SFD_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0 || r->wake_fd < 0)
        return error_set_errno(err, errno, "preparing to take signals");
    struct control *c = g_new0(struct control, 1);
    c->r = r;
    c->signal_fd = fd_steal(&fd);
    r->control = g_thread_new("control", control_main, c);
    return TRUE;
}

void run_control_end(struct run *r)
{
    g_atomic_int_set(&r->ended, 1);
    if (r->control) {
        wake(r);
        g_thread_join(g_steal_pointer(&r->control));
    }
    console_close(&r->console);
    fd_cleanup(&r->wake_fd);
}
