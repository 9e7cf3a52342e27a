/* Locks across threads and processes. */
#include "fixture.h"

#include <sys/mman.h>

#define ROUNDS 200

static int *counter; /* shared with children; only a lock makes adding to it safe */

static void add_rounds(struct store *s)
{
    for (int i = 0; i < ROUNDS; i++) {
        GError *err = NULL;
        g_autoptr(store_lock) l = store_lock_take(s, "counter", NULL, NULL, &err);
        g_assert_no_error(err);
        int seen = __atomic_load_n(counter, __ATOMIC_RELAXED);
        if (i % 16 == 0)
            g_usleep(100);
        __atomic_store_n(counter, seen + 1, __ATOMIC_RELAXED);
    }
}

static gpointer thread_adds(gpointer s)
{
    add_rounds(s);
    return NULL;
}

static void child_adds(int arg)
{
    g_autoptr(store) s = fixture_open();
    add_rounds(s);
}

static void test_exclusion(void)
{
    fixture_begin();
    counter =
        mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    store_close(fixture_open());
    pid_t pids[3];
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
        pids[i] = fixture_fork(child_adds, 0);
    g_autoptr(store) s = fixture_open();
    GThread *threads[3];
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("adds", thread_adds, s);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
        g_assert_cmpint(fixture_wait(pids[i]), ==, 0);
    g_assert_cmpint(*counter, ==, 6 * ROUNDS);
    g_assert_cmpuint(fixture_count(s, "locks"), ==, 0); /* the last holders tidied up */
    fixture_end();
}

static gpointer cancel_soon(gpointer c)
{
    g_usleep(30000);
    cancel_trigger(c);
    return NULL;
}

static void test_cancel(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    gboolean waited = TRUE;
    GError *err = NULL;
    g_autoptr(store_lock) held = store_lock_take(s, "x", NULL, &waited, &err);
    g_assert_no_error(err);
    g_assert_false(waited);
    g_autoptr(cancel) c = cancel_new();
    GThread *t = g_thread_new("cancel", cancel_soon, c);
    g_assert_null(store_lock_take(s, "x", c, &waited, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_assert_true(waited);
    g_clear_error(&err);
    g_thread_join(t);
    g_autoptr(store_lock) other =
        store_lock_take(s, "y", NULL, &waited, &err); /* names are independent */
    g_assert_no_error(err);
    fixture_end();
}

static void die_holding(int arg)
{
    struct store *s = fixture_open();
    g_assert_nonnull(store_lock_take(s, "x", NULL, NULL, NULL));
    raise(SIGKILL);
}

static void test_stale(void)
{
    fixture_begin();
    fixture_wait(fixture_fork(die_holding, 0));
    g_autoptr(store) s = fixture_open();
    g_assert_cmpuint(fixture_count(s, "locks"), ==, 1);
    fixture_gc(s, (struct gc_options){.dry_run = FALSE}, NULL);
    g_assert_cmpuint(fixture_count(s, "locks"), ==, 0);
    fixture_wait(fixture_fork(die_holding, 0));
    gboolean waited = TRUE;
    g_autoptr(store_lock) l = store_lock_take(s, "x", NULL, &waited, NULL);
    g_assert_nonnull(l);
    g_assert_false(waited);
    fixture_gc(s, (struct gc_options){.dry_run = FALSE}, NULL);
    g_assert_cmpuint(fixture_count(s, "locks"), ==, 1); /* held ones stay */
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/lock/exclusion", test_exclusion);
    g_test_add_func("/store/lock/cancel", test_cancel);
    g_test_add_func("/store/lock/stale", test_stale);
    return g_test_run();
}
