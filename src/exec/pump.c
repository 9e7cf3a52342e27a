#include "exec/pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "exec/signal.h"
#include "exec/spawn.h"

/* How long a cancelled program has to end by itself before it is killed. */
#define GRACE_US 300000
#define CHUNK 65536

enum {
    FROM_OUT,
    FROM_ERR,
    FROM_REPORT,
    FROM_PID,
    FROM_CANCEL,
    INPUT,
    FROM_NETWORK,
    N_FROM = FROM_NETWORK + 2
};

/* Forwards what is available, at most max bytes; FALSE at the end of the stream. */
static gboolean read_output(struct pump *p, int which, gsize max)
{
    char buf[CHUNK];
    ssize_t n = read(p->plan->out_fd[which], buf, MIN(max, sizeof buf));
    if (n > 0)
        p->spec->output(p->spec->output_ctx, which + 1, buf, n);
    return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* The side of the input to wait for: the user's while nothing is buffered, else the program's. */
static struct pollfd input_side(const struct pump *p)
{
    if (p->plan->in_fd < 0)
        return (struct pollfd){.fd = -1};
    return p->input_at < p->input_len ? (struct pollfd){.fd = p->plan->in_fd, .events = POLLOUT}
                                      : (struct pollfd){.fd = p->spec->stdin_fd, .events = POLLIN};
}

/* Forwards input, one side at a time. At its end, or if the program does not want it, the program's
 * side is closed. */
static void pass_input(struct pump *p)
{
    if (!p->input)
        p->input = g_malloc(CHUNK);
    gboolean holds = p->input_at < p->input_len;
    ssize_t n = holds ? write(p->plan->in_fd, p->input + p->input_at, p->input_len - p->input_at)
                      : read(p->spec->stdin_fd, p->input, CHUNK);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        p->input_at = p->input_len = 0;
        fd_cleanup(&p->plan->in_fd);
    } else if (holds) {
        p->input_at += (gsize)n;
    } else {
        p->input_at = 0;
        p->input_len = (gsize)n;
    }
}

static void tell_started(struct pump *p)
{
    if (!p->started && p->spec->started)
        p->spec->started(p->spec->started_ctx, signal_pid(p->pidfd));
    p->started = TRUE;
}

/* One report; a listener that comes with it goes to the network. */
static ssize_t receive(const struct pump *p, struct launch_report *r)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {r, sizeof *r};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof control};
    ssize_t n = recvmsg(p->plan->report_read_fd, &m, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *rights = n == sizeof *r ? CMSG_FIRSTHDR(&m) : NULL;
    int fd;
    if (!rights || rights->cmsg_type != SCM_RIGHTS)
        return n;
    memcpy(&fd, CMSG_DATA(rights), sizeof fd);
    network_listen(p->plan->net, fd);
    return n;
}

static void read_reports(struct pump *p)
{
    struct launch_report r;
    ssize_t n;
    while ((n = receive(p, &r)) == sizeof r) {
        if (r.kind == REPORT_FAILED)
            p->failure = r;
        else if (r.kind == REPORT_EXITED)
            p->exit = r;
        else if (r.kind == REPORT_STARTED)
            tell_started(p);
    }
    if (n == 0 && !p->failure.kind)
        tell_started(p); /* executing the program closed the pipe */
}

/* The first reason to end it: SIGTERM now, SIGKILL at *kill_at. */
static void end_if_asked(struct pump *p, struct cancel *c, gint64 *kill_at)
{
    gint64 now = g_get_monotonic_time();
    if (!*kill_at && (cancel_is_set(c) || (p->deadline && now >= p->deadline))) {
        p->cancelled = cancel_is_set(c);
        p->timed_out = !p->cancelled;
        *kill_at = now + GRACE_US;
        signal_send(p->pidfd, SIGTERM);
    } else if (*kill_at && now >= *kill_at) {
        signal_send(p->pidfd, SIGKILL);
        *kill_at = now + GRACE_US;
    }
}

static int wait_time(const struct pump *p, gint64 kill_at)
{
    gint64 until = kill_at ? kill_at : p->deadline, due = network_due(p->plan->net);
    if (due && (!until || due < until))
        until = due;
    if (!until)
        return -1;
    gint64 left = until - g_get_monotonic_time();
    return left <= 0 ? 0 : (int)MIN(left / 1000 + 1, G_MAXINT);
}

/* All processes are gone, so the pipes will get no more output. Do not wait for their end: a
 * process that varve forked meanwhile may still have their other ends.
 */
static void drain(struct pump *p)
{
    for (int i = 0; i < 2; i++) {
        int fd = p->plan->out_fd[i];
        if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
            continue;
        errno = 0;
        while (read_output(p, i, CHUNK) && errno != EAGAIN)
            errno = 0;
    }
    read_reports(p);
}

/* Without an init the first process is the program itself. */
static void reap_program(struct pump *p)
{
    int status = spawn_wait(p->pidfd, &p->cpu_us);
    if (p->exit.kind != REPORT_EXITED)
        p->exit = (struct launch_report){.kind = REPORT_EXITED, .status = status};
}

void pump_run(struct pump *p, struct cancel *c)
{
    struct pollfd fds[N_FROM] = {
        [FROM_OUT] = {.fd = p->plan->out_fd[0], .events = POLLIN},
        [FROM_ERR] = {.fd = p->plan->out_fd[1], .events = POLLIN},
        [FROM_REPORT] = {.fd = p->plan->report_read_fd, .events = POLLIN},
        [FROM_PID] = {.fd = p->pidfd, .events = POLLIN},
        [FROM_CANCEL] = {.fd = cancel_fd(c), .events = POLLIN},
    };
    gint64 kill_at = 0;
    while (!(fds[FROM_PID].revents & POLLIN)) {
        fds[INPUT] = input_side(p);
        network_poll(p->plan->net, fds + FROM_NETWORK);
        if (poll(fds, N_FROM, wait_time(p, kill_at)) < 0)
            continue;
        network_handle(p->plan->net, fds + FROM_NETWORK);
        if (fds[INPUT].revents)
            pass_input(p);
        for (int i = 0; i < 2; i++)
            if (fds[i].fd >= 0 && fds[i].revents && !read_output(p, i, CHUNK))
                fds[i].fd = -1;
        if (fds[FROM_REPORT].revents)
            read_reports(p);
        if (fds[FROM_REPORT].revents & POLLHUP)
            fds[FROM_REPORT].fd = -1;
        end_if_asked(p, c, &kill_at);
        if (kill_at)
            fds[FROM_CANCEL].fd = -1;
    }
    drain(p);
    reap_program(p);
    g_clear_pointer(&p->input, g_free);
}
