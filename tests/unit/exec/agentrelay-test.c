#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"
#include "exec/agentrelay.h"

/* Answers each of three callers with what it said, as one that waits for the caller's end. */
static gpointer echo_agent(gpointer data)
{
    for (int i = 0; i < 3; i++) {
        fd_auto int fd = accept(GPOINTER_TO_INT(data), NULL, NULL);
        g_autoptr(GBytes) said = fs_read_fd(fd, "caller", 1 << 20, NULL);
        g_assert_nonnull(said);
        fs_write_all(fd, g_bytes_get_data(said, NULL), g_bytes_get_size(said), NULL);
    }
    return NULL;
}

static int unix_socket(struct sockaddr_un *a, const char *path)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    g_strlcpy(a->sun_path, path, sizeof a->sun_path);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void call(const char *path, gsize len)
{
    struct sockaddr_un a;
    fd_auto int fd = unix_socket(&a, path);
    g_autofree char *text = g_malloc(len);
    memset(text, 'a' + (int)(len % 26), len);
    g_assert_cmpint(connect(fd, (struct sockaddr *)&a, sizeof a), ==, 0);
    g_assert_true(fs_write_all(fd, text, len, NULL));
    shutdown(fd, SHUT_WR);
    g_autoptr(GBytes) answer = fs_read_fd(fd, "relay", 1 << 20, NULL);
    g_assert_nonnull(answer);
    g_assert_cmpmem(g_bytes_get_data(answer, NULL), g_bytes_get_size(answer), text, len);
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
    call(own, 1);
    call(own, 4096);
    call(own, 900001);
    g_thread_join(thread);
    /* One that is still connected when it ends does not keep it from ending. */
    fd_auto int idle = unix_socket(&a, own);
    g_assert_cmpint(connect(idle, (struct sockaddr *)&a, sizeof a), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/agentrelay/relay", struct fixture, NULL, fixture_set_up, test_relay,
               fixture_tear_down);
    return g_test_run();
}
