#include "base/fs.h"
#include "run/ask.h"
#include "run/control.h"
#include "run/resolv.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_ask_values(void)
{
    static const struct run_ask asks[] = {
        {FALSE, SIGHUP, 0},  {FALSE, SIGKILL, 0}, {TRUE, 0, RUN_ASK_OWN_TIME},
        {TRUE, SIGQUIT, -1}, {TRUE, 64, 0},       {TRUE, 0, 3600}};
    for (guint i = 0; i < G_N_ELEMENTS(asks); i++) {
        struct run_ask got = run_ask_of_value(run_ask_value(&asks[i]));
        g_assert_cmpint(got.stop, ==, asks[i].stop);
        g_assert_cmpint(got.sig, ==, asks[i].sig);
        g_assert_cmpint(got.seconds, ==, asks[i].seconds);
    }
    /* The longest time is a time, not one of the two words. */
    struct run_ask longest = run_ask_of_value(run_ask_value(&(struct run_ask){TRUE, 0, G_MAXINT}));
    g_assert_cmpint(longest.seconds, >, 0);
}

static void on_term(int sig)
{
    _exit(42);
}

/* A process that does this on SIGTERM; and what ended it: a signal, else its exit code. */
static pid_t start(void (*on_sigterm)(int))
{
    int ends[2];
    char c;
    g_assert_cmpint(pipe(ends), ==, 0);
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        signal(SIGTERM, on_sigterm);
        sigprocmask(SIG_SETMASK, &none, NULL);
        close(ends[1]);
        close(ends[0]);
        for (;;)
            pause();
    }
    close(ends[1]);
    g_assert_cmpint(read(ends[0], &c, 1), ==, 0); /* its handler is set */
    close(ends[0]);
    return pid;
}

static int end_of(pid_t pid)
{
    int status;
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Without signals of its own: the program is asked, nothing of this process changes. */
static void test_stop(void)
{
    struct run_control *c =
        run_control_new(&(struct run_control_options){.stop_signal = SIGTERM, .stop_timeout = -1});
    pid_t pid = start(on_term);
    sigset_t mask;
    g_assert_true(run_control_start(c, NULL));
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    g_assert_false(sigismember(&mask, SIGINT));
    run_control_started(c, pid);
    g_assert_false(run_control_is_stopping(c));
    run_control_stop(c);
    g_assert_cmpint(end_of(pid), ==, 42);
    run_control_end(c);
    g_assert_true(run_control_is_stopping(c));
    g_assert_false(cancel_is_set(run_control_kill(c)));
    g_assert_cmpint(run_control_unheard(c), ==, 0);
    run_control_free(c);
}

/* What would not be heard kills. */
static void test_unheard(void)
{
    struct run_control *c =
        run_control_new(&(struct run_control_options){.stop_signal = SIGTERM, .stop_timeout = -1});
    pid_t pid = start(SIG_DFL);
    g_assert_true(run_control_start(c, NULL));
    run_control_started(c, pid);
    run_control_stop(c);
    g_assert_cmpint(end_of(pid), ==, SIGKILL);
    run_control_end(c);
    g_assert_cmpint(run_control_unheard(c), ==, SIGTERM);
    run_control_free(c);
}

/* After the grace time it is to be killed; before it runs, at once. */
static void test_kill(void)
{
    for (int runs = 0; runs < 2; runs++) {
        struct run_control *c = run_control_new(
            &(struct run_control_options){.stop_signal = SIGTERM, .stop_timeout = runs ? 0 : -1});
        pid_t pid = runs ? start(SIG_IGN) : 0;
        g_assert_true(run_control_start(c, NULL));
        run_control_started(c, pid);
        struct pollfd fd = {.fd = cancel_fd(run_control_kill(c)), .events = POLLIN};
        run_control_stop(c);
        g_assert_cmpint(poll(&fd, 1, 10000), ==, 1);
        if (pid) {
            kill(pid, SIGKILL);
            g_assert_cmpint(end_of(pid), ==, SIGKILL);
        }
        run_control_end(c);
        run_control_free(c);
    }
}

/* Another varve asks: here this process, of itself. */
static void test_asked(void)
{
    struct run_control *c = run_control_new(
        &(struct run_control_options){.stop_signal = SIGTERM, .stop_timeout = -1, .signals = TRUE});
    pid_t pid = start(SIG_DFL);
    g_assert_true(run_control_start(c, NULL));
    run_control_started(c, pid);
    fd_auto int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    g_assert_cmpint(self, >=, 0);
    g_assert_true(run_ask_send(self, &(struct run_ask){.sig = SIGUSR1}));
    g_assert_cmpint(end_of(pid), ==, SIGUSR1);
    g_assert_false(run_control_is_stopping(c));
    run_control_end(c);
    run_control_free(c);
}

static void test_never_started(void)
{
    struct run_control *c = run_control_new(&(struct run_control_options){.stop_signal = SIGTERM});
    run_control_stop(c);
    run_control_end(c);
    run_control_free(c);
    run_control_free(NULL);
}

static void test_resolv(void)
{
    char *servers[] = {(char *)"192.0.2.1", (char *)"2001:db8::1", NULL};
    char *search[] = {(char *)"a.example", (char *)"b.example", NULL};
    char *dot[] = {(char *)".", NULL}, *bad[] = {(char *)"a\nnameserver 192.0.2.9", NULL};
    const char *host = "nameserver 198.51.100.1\nsearch host.example\noptions ndots:2\n# x\n";
    g_autoptr(GError) err = NULL;
    g_autofree char *all = run_dns_text(&(struct run_dns){servers, search, NULL}, host, NULL);
    g_assert_cmpstr(all, ==,
                    "nameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:2\n"
                    "search a.example b.example\n");
    g_autofree char *none = run_dns_text(&(struct run_dns){servers, dot, NULL}, host, NULL);
    g_assert_cmpstr(none, ==, "nameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:2\n");
    g_assert_null(run_dns_text(&(struct run_dns){NULL, search, NULL}, host, &err));
    g_assert_null(run_dns_text(&(struct run_dns){search, NULL, NULL}, host, NULL));
    g_assert_null(run_dns_text(&(struct run_dns){servers, bad, NULL}, host, NULL));
    g_assert_false(run_dns_is_set(&(struct run_dns){NULL, NULL, NULL}));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/ask/values", test_ask_values);
    g_test_add_func("/control/stop", test_stop);
    g_test_add_func("/control/unheard", test_unheard);
    g_test_add_func("/control/kill", test_kill);
    g_test_add_func("/control/never-started", test_never_started);
    g_test_add_func("/control/asked", test_asked);
    g_test_add_func("/resolv", test_resolv);
    return g_test_run();
}
