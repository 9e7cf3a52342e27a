/* A sandbox's life as seen from outside: its end, its output, its terminal, who joins it. */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "snapshot/mountfd.h"

/* A number of seconds that only this test's processes sleep: other runs of it may be under way. */
static const char *marker(void)
{
    static char text[16];
    g_snprintf(text, sizeof text, "%d", 80000000 + getpid());
    return text;
}

/* script with the marker for each %s. */
static char *marked(const char *script)
{
    g_auto(GStrv) parts = g_strsplit(script, "%s", -1);
    return g_strjoinv(marker(), parts);
}

/* Whether a process in this pid namespace has the marker in its command line; as_sleep: is the
 * sleep itself, so that the shell has done what stands before it. */
static gboolean marker_runs(gboolean as_sleep)
{
    g_autoptr(GDir) proc = g_dir_open("/proc", 0, NULL);
    for (const char *name; (name = g_dir_read_name(proc));) {
        g_autofree char *path = g_build_filename("/proc", name, "cmdline", NULL), *text = NULL;
        gsize len;
        if (!g_ascii_isdigit(*name) || !g_file_get_contents(path, &text, &len, NULL))
            continue;
        if (as_sleep && !(len > 6 && strcmp(text, "sleep") == 0))
            continue;
        for (gsize i = 0; i < len; i++)
            if (g_str_has_prefix(text + i, marker()))
                return TRUE;
    }
    return FALSE;
}

/* Waits until the sleep runs; FALSE after 5 s. */
static gboolean wait_for_sleep(void)
{
    gboolean runs = FALSE;
    for (int i = 0; i < 500 && !(runs = marker_runs(TRUE)); i++)
        g_usleep(10000);
    return runs;
}

static gpointer cancel_sleep(gpointer c)
{
    gboolean runs = wait_for_sleep();
    cancel_trigger(c);
    return GINT_TO_POINTER(runs);
}

static void test_cancel(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    static const char *const scripts[] = {
        "sleep %s & sleep %s",
        "trap '' TERM; (trap '' TERM; setsid sleep %s) & while true; do sleep %s; done",
    };
    for (guint i = 0; i < 2 * G_N_ELEMENTS(scripts); i++) {
        f->spec.init = i & 1;
        g_autoptr(cancel) c = cancel_new();
        g_autofree char *script = marked(scripts[i / 2]);
        const char *const argv[] = {"/bin/sh", "-c", script, NULL};
        f->spec.args = argv;
        g_autoptr(GError) err = NULL;
        GThread *thread = g_thread_new("cancel", cancel_sleep, c);
        gint64 start = g_get_monotonic_time();
        g_assert_false(fixture_run(f, c, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
        g_assert_cmpint(g_get_monotonic_time() - start, <, 3000000);
        g_assert_false(marker_runs(FALSE));
        g_assert_true(GPOINTER_TO_INT(g_thread_join(thread)));
    }
}

static void check_killed_parent(struct fixture *f, const char *text)
{
    g_autofree char *script = marked(text);
    pid_t pid = fork();
    if (pid == 0) {
        fixture_sh(f, script, NULL);
        _exit(0);
    }
    g_assert_true(wait_for_sleep());
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    for (int i = 0; i < 200 && marker_runs(FALSE); i++)
        g_usleep(10000);
    g_assert_false(marker_runs(FALSE));
}

/* kill -9 of varve ends the sandbox, also when the program has become another user. */
static void test_killed_parent(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    fixture_write(f, "etc/passwd", "root::0:0::/root:/bin/sh\napp::1000:1000::/:/bin/sh\n", 0644);
    check_killed_parent(f, "trap '' TERM; sleep %s");
    check_killed_parent(f, "exec busybox su app -c 'trap \"\" TERM; exec sleep %s'");
    f->spec.init = TRUE;
    check_killed_parent(f, "trap '' TERM; sleep %s");
}

static void test_much_output(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    fixture_output(
        f, "head -c 3000000 /dev/zero | tr '\\0' x; head -c 100000 /dev/zero | tr '\\0' y >&2");
    g_assert_cmpuint(f->out->len, ==, 3000000);
    g_assert_cmpuint(f->err->len, ==, 100000);
}

struct joiner {
    struct fixture *f;
    int exit_code;
    GString *out;
    gboolean timed_out;
};

static void join_output(gpointer ctx, int fd, const void *bytes, gsize len)
{
    g_string_append_len(((struct joiner *)ctx)->out, bytes, len);
}

static void on_started(gpointer ctx, int pid)
{
    struct joiner *j = ctx;
    const char *const argv[] = {
        "/bin/sh", "-c", "hostname; ls /; grep ^CapEff /proc/self/status | cut -f2; exit 3", NULL};
    const char *const slow[] = {"/bin/sleep", "100", NULL};
    struct sandbox_spec spec = {
        .root_fd = -1, .stdin_fd = -1, .args = argv, .output = join_output, .output_ctx = j};
    struct sandbox_result result;
    g_autoptr(GError) err = NULL;
    sandbox_join(pid, &spec, 5000000, NULL, &result, &err);
    g_assert_no_error(err);
    j->exit_code = result.exit_code;
    spec.args = slow;
    j->timed_out = !sandbox_join(pid, &spec, 50000, NULL, &result, &err);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
}

static void test_join(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    struct joiner j = {.f = f, .out = g_string_new(NULL)};
    f->spec.started = on_started;
    f->spec.started_ctx = &j;
    fixture_write(f, "only-here", "", 0644);
    fixture_output(f, "sleep 1");
    g_assert_cmpint(j.exit_code, ==, 3);
    g_assert_true(j.timed_out);
    g_assert_nonnull(strstr(j.out->str, "buildkitsandbox"));
    g_assert_nonnull(strstr(j.out->str, "only-here"));
    g_assert_nonnull(strstr(j.out->str, "00000000a80425fb"));
    g_string_free(j.out, TRUE);
}

static void keep_master(gpointer ctx, int master_fd)
{
    *(int *)ctx = master_fd;
}

static void test_tty(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    fd_auto int master = -1;
    f->spec.terminal = keep_master;
    f->spec.terminal_ctx = &master;
    f->spec.user = "1000";
    g_assert_true(fixture_sh(f,
                             "test -t 0 && test -t 1 && test $(tty) = /dev/pts/0 && "
                             "echo terminal >/dev/tty && echo named >/dev/stdout",
                             NULL));
    g_assert_cmpint(f->result.exit_code, ==, 0);
    char buf[64] = "";
    g_assert_cmpint(read(master, buf, sizeof buf - 1), >, 0);
    g_assert_cmpstr(buf, ==, "terminal\r\nnamed\r\n");
}

static gpointer run_one(gpointer data)
{
    struct fixture *f = data;
    const char *const argv[] = {"/bin/sh", "-c", "sleep 0.05; exit 9", NULL};
    fd_auto int root = mountfd_clone(AT_FDCWD, f->root, 0, NULL);
    struct sandbox_spec spec = {
        .root_fd = root, .stdin_fd = -1, .args = argv, .output = join_output};
    struct joiner sink = {.out = g_string_new(NULL)};
    struct sandbox_result r = {0};
    spec.output_ctx = &sink;
    gboolean ok = sandbox_run(&spec, NULL, &r, NULL);
    g_string_free(sink.out, TRUE);
    return GINT_TO_POINTER(ok ? r.exit_code : -1);
}

static void test_parallel(struct fixture *f, gconstpointer data)
{
    if (fixture_skip(f))
        return;
    GThread *threads[8];
    /* Made first: the threads share one root, in which stubs come and go. */
    fixture_output(f, "mkdir -p /etc && touch /etc/hosts2");
    fixture_write(f, "etc/hosts", "x", 0644);
    fixture_write(f, "etc/resolv.conf", "x", 0644);
    for (int i = 0; i < 8; i++)
        threads[i] = g_thread_new("run", run_one, f);
    for (int i = 0; i < 8; i++)
        g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(threads[i])), ==, 9);
}

static const struct {
    const char *path;
    void (*test)(struct fixture *, gconstpointer);
} tests[] = {
    {"/control/cancel", test_cancel},
    {"/control/killed-parent", test_killed_parent},
    {"/control/much-output", test_much_output},
    {"/control/join", test_join},
    {"/control/tty", test_tty},
    {"/control/parallel", test_parallel},
};

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_set_nonfatal_assertions();
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++)
        g_test_add(tests[i].path, struct fixture, NULL, fixture_set_up, tests[i].test,
                   fixture_tear_down);
    return g_test_run();
}
