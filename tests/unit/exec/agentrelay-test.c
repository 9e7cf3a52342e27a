#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "exec/agentrelay.h"

#define CALLERS 3

/* Answers each message of each caller with itself. */
static gpointer echo_agent(gpointer data)
{
    for (int i = 0; i < CALLERS; i++) {
        fd_auto int fd = accept(GPOINTER_TO_INT(data), NULL, NULL);
        guint8 bytes[4096];
        for (gssize n; (n = read(fd, bytes, sizeof bytes)) > 0;)
            g_assert_true(fs_write_all(fd, bytes, (gsize)n, NULL));
    }
    return NULL;
}

static int unix_socket(struct sockaddr_un *a, const char *path)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    g_strlcpy(a->sun_path, path, sizeof a->sun_path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* Says a message of len bytes after its header, and gets one back: its type, and whether it is the
 * same. -1: the connection ended. */
static int say(int fd, guint8 type, guint32 len)
{
    g_autofree guint8 *out = g_malloc0(4 + len), *in = g_malloc0(4 + len);
    const guint8 header[] = {len >> 24, len >> 16 & 255, len >> 8 & 255, len & 255, type};
    memset(out, 'a' + (int)(len % 26), 4 + len);
    memcpy(out, header, sizeof header);
    fs_write_all(fd, out, 4 + len, NULL);
    if (recv(fd, in, 5, MSG_WAITALL) < 5)
        return -1;
    gsize rest = ((gsize)in[1] << 16 | in[2] << 8 | in[3]) - 1;
    g_assert_cmpuint(rest, <, len);
    g_assert_true(!rest || recv(fd, in + 5, rest, MSG_WAITALL) == (gssize)rest);
    if (in[4] == type)
        g_assert_cmpmem(in, 5 + rest, out, 4 + len);
    return in[4];
}

static int caller(const char *path)
{
    struct sockaddr_un a;
    int fd = unix_socket(&a, path);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&a, sizeof a), ==, 0);
    return fd;
}

static void talk(const char *path)
{
    int fd = caller(path);
    g_assert_cmpint(say(fd, 11, 1), ==, 11);
    g_assert_cmpint(say(fd, 13, 5000), ==, 13);
    /* Add, remove, remove all, lock, extension: refused, and the connection stays. */
    const guint8 refused[] = {0, 1, 17, 18, 19, 20, 21, 22, 23, 25, 26, 27, 255};
    for (gsize i = 0; i < sizeof refused; i++)
        g_assert_cmpint(say(fd, refused[i], 7 + 1000 * (guint32)i), ==, 5);
    g_assert_cmpint(say(fd, 13, 256 * 1024), ==, 13);
    close(fd);
    fd = caller(path);
    g_assert_cmpint(say(fd, 13, 256 * 1024 + 1), ==, -1);
    close(fd);
    fd = caller(path);
    g_assert_cmpint(say(fd, 11, 1), ==, 11);
    close(fd);
}

static void test_relay(struct fixture *f, gconstpointer data)
{
    g_autofree char *agent = g_build_filename(f->root, "real", NULL);
    g_autofree char *own = g_build_filename(f->root, "agent", NULL);
    struct sockaddr_un a;
    fd_auto int listener = unix_socket(&a, agent);
    g_assert_cmpint(bind(listener, (struct sockaddr *)&a, sizeof a), ==, 0);
    g_assert_cmpint(listen(listener, 4), ==, 0);
    GThread *thread = g_thread_new("agent", echo_agent, GINT_TO_POINTER(listener));
    fd_auto int dir = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    g_autoptr(GError) err = NULL;
    const struct agent_relay_spec spec = {agent, 0640, geteuid(), getegid()};
    g_autoptr(agent_relay) relay = agent_relay_start(dir, &spec, &err);
    g_assert_no_error(err);
    struct stat st;
    g_assert_cmpint(fstat(agent_relay_fd(relay), &st), ==, 0);
    g_assert_cmpint(st.st_mode, ==, S_IFSOCK | 0640);
    talk(own);
    g_thread_join(thread);
    /* One that is still connected when it ends does not keep it from ending. */
    fd_auto int idle = unix_socket(&a, own);
    g_assert_cmpint(connect(idle, (struct sockaddr *)&a, sizeof a), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    signal(SIGPIPE, SIG_IGN);
    g_test_add("/agentrelay/relay", struct fixture, NULL, fixture_set_up, test_relay,
               fixture_tear_down);
    return g_test_run();
}
