#include "base/cancel.h"
#include "base/error.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

static gboolean is_readable(const struct cancel *c)
{
    struct pollfd p = {cancel_fd(c), POLLIN, 0};
    return poll(&p, 1, 0) == 1;
}

static void test_many_children(void)
{
    g_autoptr(cancel) parent = cancel_new();
    struct cancel *children[100];
    for (guint i = 0; i < G_N_ELEMENTS(children); i++)
        children[i] = cancel_new_child(parent);
    cancel_trigger(children[40]);
    for (guint i = 0; i < G_N_ELEMENTS(children); i++) {
        g_assert_nonnull(children[i]);
        g_assert_cmpint(cancel_is_set(children[i]), ==, i == 40);
        g_assert_cmpint(is_readable(children[i]), ==, i == 40);
    }
    g_assert_false(cancel_is_set(parent));
    g_assert_false(is_readable(parent));
    cancel_trigger(parent);
    for (guint i = 0; i < G_N_ELEMENTS(children); i++) {
        g_assert_true(cancel_is_set(children[i]));
        g_assert_true(is_readable(children[i]));
        cancel_free(children[i]);
    }
    g_autoptr(cancel) late = cancel_new_child(parent);
    g_assert_true(cancel_is_set(late) && is_readable(late));
    g_autoptr(cancel) orphan = cancel_new_child(NULL);
    g_assert_false(cancel_is_set(orphan) || is_readable(orphan));
}

/* More levels than epolls can be nested in. */
static void test_generations(void)
{
    struct cancel *line[12] = {cancel_new()};
    for (guint i = 1; i < G_N_ELEMENTS(line); i++)
        line[i] = cancel_new_child(line[i - 1]);
    struct cancel *last = line[G_N_ELEMENTS(line) - 1];
    g_assert_false(cancel_is_set(last) || is_readable(last));
    cancel_trigger(line[3]);
    for (guint i = 0; i < G_N_ELEMENTS(line); i++) {
        g_assert_cmpint(cancel_is_set(line[i]), ==, i >= 3);
        g_assert_cmpint(is_readable(line[i]), ==, i >= 3);
    }
    for (guint i = G_N_ELEMENTS(line); i > 0; i--)
        cancel_free(line[i - 1]);
}

static struct cancel *signalled;

static void on_signal(int sig)
{
    cancel_trigger(signalled);
}

/* Builds that come and go; one of ten is cancelled by itself. */
static gpointer come_and_go(gpointer ready)
{
    g_atomic_int_inc((int *)ready);
    for (guint i = 0; !cancel_is_set(signalled); i++) {
        g_autoptr(cancel) c = cancel_new_child(signalled);
        g_autoptr(cancel) below = cancel_new_child(c);
        if (i % 10 == 0) {
            cancel_trigger(c);
            g_assert_true(cancel_is_set(below) && is_readable(below));
        }
    }
    g_autoptr(cancel) c = cancel_new_child(signalled);
    struct pollfd p = {cancel_fd(c), POLLIN, 0};
    g_assert_cmpint(poll(&p, 1, -1), ==, 1);
    return NULL;
}

/* A signal that lands on any thread, in the middle of making and freeing. */
static void test_signal(void)
{
    struct sigaction old, sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &sa, &old);
    for (guint round = 0; round < 20; round++) {
        GThread *threads[8];
        int ready = 0;
        signalled = cancel_new();
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
            threads[i] = g_thread_new("build", come_and_go, &ready);
        while (g_atomic_int_get(&ready) < (int)G_N_ELEMENTS(threads))
            g_thread_yield();
        kill(getpid(), SIGUSR1);
        for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
            g_thread_join(threads[i]);
        cancel_free(signalled);
    }
    sigaction(SIGUSR1, &old, NULL);
}

static gpointer trigger_soon(gpointer c)
{
    g_usleep(50000);
    cancel_trigger(c);
    return NULL;
}

static void test_wait(void)
{
    g_autoptr(cancel) c = cancel_new();
    g_autoptr(GError) err = NULL;
    gint64 start = g_get_monotonic_time();
    g_assert_true(cancel_wait(c, 20, NULL) && cancel_wait(NULL, 0, NULL));
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 20000);
    GThread *t = g_thread_new("trigger", trigger_soon, c);
    g_assert_false(cancel_wait(c, 60000, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 10000000);
    g_thread_join(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cancel/many-children", test_many_children);
    g_test_add_func("/cancel/generations", test_generations);
    g_test_add_func("/cancel/wait", test_wait);
    g_test_add_func("/cancel/signal", test_signal);
    return g_test_run();
}
