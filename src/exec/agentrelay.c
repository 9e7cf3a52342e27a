#include "exec/agentrelay.h"

#include "base/cancel.h"
#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_NAME "agent"
/* Callers at the same time; further ones wait in the socket's queue. */
#define MAX_SESSIONS 64
#define FLOW_BYTES 4096

/* What was read from one side and not yet written to the other. */
struct flow {
    guint8 bytes[FLOW_BYTES];
    gsize start, end;
    gboolean ended; /* the side it comes from says no more */
};
/* One caller. flows[i] goes from fds[i] to fds[!i]. */
struct session {
    int fds[2];
    struct flow flows[2];
};
struct agent_relay {
    int path_fd;   /* the new socket, as a file */
    int listen_fd; /* the new socket */
    int agent_fd;  /* the agent's socket, as a file */
    struct cancel *stop;
    GThread *thread;
    GPtrArray *sessions; /* struct session*, of the thread only */
};

static void session_free(gpointer p)
{
    struct session *s = p;
    fd_cleanup(&s->fds[0]);
    fd_cleanup(&s->fds[1]);
    g_free(s);
}

static gboolean is_empty(const struct flow *f)
{
    return f->start == f->end;
}

static gboolean may_wait(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Moves what can be moved without waiting. FALSE: the session is broken. */
static gboolean advance(struct session *s, int side)
{
    struct flow *f = &s->flows[side];
    int from = s->fds[side], to = s->fds[!side];
    if (is_empty(f) && !f->ended) {
        gssize n = recv(from, f->bytes, sizeof f->bytes, MSG_DONTWAIT);
        if (n < 0)
            return may_wait();
        f->start = 0;
        f->end = (gsize)n;
        f->ended = n == 0;
        if (f->ended)
            shutdown(to, SHUT_WR);
    }
    if (is_empty(f))
        return TRUE;
    gssize n = send(to, f->bytes + f->start, f->end - f->start, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return may_wait();
    f->start += (gsize)n;
    return TRUE;
}

static gboolean is_over(const struct session *s)
{
    return s->flows[0].ended && s->flows[1].ended;
}

static void advance_all(struct agent_relay *r)
{
    for (guint i = r->sessions->len; i-- > 0;) {
        struct session *s = g_ptr_array_index(r->sessions, i);
        if (!advance(s, 0) || !advance(s, 1) || is_over(s))
            g_ptr_array_remove_index_fast(r->sessions, i);
    }
}

static socklen_t address_of_fd(struct sockaddr_un *a, int fd, const char *name)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    /* Through the descriptor, as paths are longer than an address may be. */
    snprintf(a->sun_path, sizeof a->sun_path, "/proc/self/fd/%d%s", fd, name);
    return sizeof *a;
}

/* A caller without an agent sees the end of the connection at once. */
static void accept_one(struct agent_relay *r)
{
    fd_auto int caller = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    fd_auto int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un a;
    socklen_t len = address_of_fd(&a, r->agent_fd, "");
    if (caller < 0 || agent < 0 || connect(agent, (struct sockaddr *)&a, len) < 0)
        return;
    struct session *s = g_new0(struct session, 1);
    s->fds[0] = fd_steal(&caller);
    s->fds[1] = fd_steal(&agent);
    g_ptr_array_add(r->sessions, s);
}

/* What can happen next on one side. One that nothing is wanted of is not watched (-1), else its
 * end would be reported again and again. */
static struct pollfd watch(const struct session *s, int side)
{
    const struct flow *in = &s->flows[side], *out = &s->flows[!side];
    short events = 0;
    if (is_empty(in) && !in->ended)
        events |= POLLIN;
    if (!is_empty(out))
        events |= POLLOUT;
    return (struct pollfd){.fd = events ? s->fds[side] : -1, .events = events};
}

static gpointer relay_thread(gpointer data)
{
    struct agent_relay *r = data;
    struct pollfd fds[2 + 2 * MAX_SESSIONS];
    fds[0] = (struct pollfd){.fd = cancel_fd(r->stop), .events = POLLIN};
    while (!cancel_is_set(r->stop)) {
        guint n = 2;
        gboolean full = r->sessions->len >= MAX_SESSIONS;
        fds[1] = (struct pollfd){.fd = full ? -1 : r->listen_fd, .events = POLLIN};
        for (guint i = 0; i < r->sessions->len; i++)
            for (int side = 0; side < 2; side++)
                fds[n++] = watch(g_ptr_array_index(r->sessions, i), side);
        if (poll(fds, n, -1) < 0)
            continue;
        advance_all(r);
        if (fds[1].revents)
            accept_one(r);
    }
    return NULL;
}

static gboolean make_socket(struct agent_relay *r, int dirfd, const struct agent_relay_spec *spec,
                            GError **err)
{
    struct sockaddr_un a;
    socklen_t len = address_of_fd(&a, dirfd, "/" SOCKET_NAME);
    r->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->listen_fd < 0 || bind(r->listen_fd, (struct sockaddr *)&a, len) < 0 ||
        listen(r->listen_fd, MAX_SESSIONS) < 0)
        return error_set_errno(err, errno, "cannot make a socket for the ssh agent");
    if (fchownat(dirfd, SOCKET_NAME, spec->uid, spec->gid, 0) < 0)
        return error_set_errno(err, errno, "cannot give the ssh agent's socket to %u:%u", spec->uid,
                               spec->gid);
    if (fchmodat(dirfd, SOCKET_NAME, spec->mode, 0) < 0)
        return error_set_errno(err, errno, "cannot give the ssh agent's socket mode %o",
                               spec->mode);
    r->path_fd = openat(dirfd, SOCKET_NAME, O_PATH | O_CLOEXEC);
    if (r->path_fd < 0)
        return error_set_errno(err, errno, "cannot open the socket for the ssh agent");
    return TRUE;
}

struct agent_relay *agent_relay_start(int dirfd, const struct agent_relay_spec *spec, GError **err)
{
    g_autoptr(agent_relay) r = g_new0(struct agent_relay, 1);
    r->path_fd = r->listen_fd = -1;
    r->stop = cancel_new();
    r->sessions = g_ptr_array_new_with_free_func(session_free);
    r->agent_fd = open(spec->agent, O_PATH | O_CLOEXEC);
    if (r->agent_fd < 0) {
        error_set_errno(err, errno, "cannot use the ssh agent socket %s", spec->agent);
        return NULL;
    }
    if (!make_socket(r, dirfd, spec, err))
        return NULL;
    r->thread = g_thread_new("ssh-agent", relay_thread, r);
    return g_steal_pointer(&r);
}

int agent_relay_fd(const struct agent_relay *r)
{
    return r->path_fd;
}

void agent_relay_stop(struct agent_relay *r)
{
    if (!r)
        return;
    cancel_trigger(r->stop);
    if (r->thread)
        g_thread_join(r->thread);
    g_ptr_array_unref(r->sessions);
    fd_cleanup(&r->path_fd);
    fd_cleanup(&r->listen_fd);
    fd_cleanup(&r->agent_fd);
    cancel_free(r->stop);
    g_free(r);
}
