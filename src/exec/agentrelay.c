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
#define CHUNK 4096
/* The protocol (IETF draft-ietf-sshm-ssh-agent): each message is its length in 4 bytes, then its
 * type. */
#define MAX_MESSAGE (256 * 1024)
#define HEADER 4
#define REQUEST_IDENTITIES 11
#define SIGN_REQUEST 13

enum side { CALLER, AGENT };
/* One caller. Request and answer take turns, as the agent answers in order. */
struct session {
    int fds[2];        /* by side */
    enum side at;      /* reading from it, or writing to it */
    gboolean writing;  /* the message is complete */
    GByteArray *bytes; /* the message, header included */
    gsize written;
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
    g_byte_array_unref(s->bytes);
    g_free(s);
}

static gboolean may_wait(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Bytes that the message still lacks, at least one. 0: it is complete; -1: it is too long. */
static gssize missing(const struct session *s)
{
    const guint8 *b = s->bytes->data;
    if (s->bytes->len < HEADER)
        return HEADER - (gssize)s->bytes->len;
    guint32 len = (guint32)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
    return len == 0 || len > MAX_MESSAGE ? -1 : (gssize)(HEADER + len) - (gssize)s->bytes->len;
}

/* A step may list the keys and sign with them. Requests to add, remove or lock keys, and unknown
 * ones, get an agent's failure answer. */
static void direct(struct session *s)
{
    static const guint8 failure[] = {0, 0, 0, 1, 5};
    guint8 type = s->bytes->data[HEADER];
    s->writing = TRUE;
    s->written = 0;
    if (s->at == CALLER && type != REQUEST_IDENTITIES && type != SIGN_REQUEST) {
        g_byte_array_set_size(s->bytes, 0);
        g_byte_array_append(s->bytes, failure, sizeof failure);
        return;
    }
    s->at = s->at == CALLER ? AGENT : CALLER;
}

/* Both move what can be moved without waiting. FALSE: the session is over. */
static gboolean read_more(struct session *s)
{
    guint8 chunk[CHUNK];
    gssize lacks = missing(s);
    gssize n = recv(s->fds[s->at], chunk, MIN((gsize)lacks, sizeof chunk), MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && may_wait();
    g_byte_array_append(s->bytes, chunk, (guint)n);
    lacks = missing(s);
    if (lacks == 0)
        direct(s);
    return lacks >= 0;
}

static gboolean write_more(struct session *s)
{
    gssize n = send(s->fds[s->at], s->bytes->data + s->written, s->bytes->len - s->written,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return may_wait();
    s->written += (gsize)n;
    if (s->written == s->bytes->len) {
        s->writing = FALSE; /* whoever got it speaks next */
        g_byte_array_set_size(s->bytes, 0);
    }
    return TRUE;
}

/* fds: what poll() said of each session's two sides. A side that closes during the other's turn
 * ends the session. */
static void advance_all(struct agent_relay *r, const struct pollfd *fds)
{
    for (guint i = r->sessions->len; i-- > 0;) {
        struct session *s = g_ptr_array_index(r->sessions, i);
        short now = fds[2 * i + s->at].revents, idle = fds[2 * i + !s->at].revents;
        gboolean ok =
            !(idle & (POLLHUP | POLLERR)) && (!now || (s->writing ? write_more(s) : read_more(s)));
        if (!ok)
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

/* A caller without an agent sees the end of the connection immediately. */
static void accept_one(struct agent_relay *r)
{
    fd_auto int caller = accept4(r->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    fd_auto int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un a;
    socklen_t len = address_of_fd(&a, r->agent_fd, "");
    if (caller < 0 || agent < 0 || connect(agent, (struct sockaddr *)&a, len) < 0)
        return;
    struct session *s = g_new0(struct session, 1);
    s->fds[CALLER] = fd_steal(&caller);
    s->fds[AGENT] = fd_steal(&agent);
    s->bytes = g_byte_array_new();
    g_ptr_array_add(r->sessions, s);
}

/* The end of a side is reported even if it is not its turn. */
static struct pollfd watch(const struct session *s, enum side side)
{
    short events = s->at != side ? 0 : s->writing ? POLLOUT : POLLIN;
    return (struct pollfd){.fd = s->fds[side], .events = events};
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
                fds[n++] = watch(g_ptr_array_index(r->sessions, i), (enum side)side);
        if (poll(fds, n, -1) < 0)
            continue;
        advance_all(r, fds + 2);
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
