/* Opening, formats, temporary directories, stat caches. */
#include "fixture.h"

#include <limits.h>

#include <glib/gstdio.h>

static void put_file(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(fixture_root, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void expect_refused(enum varve_error code, const char *words)
{
    GError *err = NULL;
    g_assert_null(store_open(fixture_root, &err));
    g_assert_error(err, VARVE_ERROR, (int)code);
    g_test_message("%s", err->message);
    g_assert_nonnull(strstr(err->message, words));
    g_assert_nonnull(error_next(err));
    g_error_free(err);
}

static guint format_synced;

/* In place of libc's, for the program alone: notes when the file that becomes "format" is synced.
 */
int fsync(int fd)
{
    char target[PATH_MAX] = "";
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    if (readlink(link, target, sizeof target - 1) > 0 && strstr(target, "/format"))
        format_synced++;
    return fdatasync(fd);
}

/* The format is on the disk before the store is used, and opening again costs no wait. */
static void test_format_durable(void)
{
    fixture_begin();
    format_synced = 0;
    store_close(fixture_open());
    g_assert_cmpuint(format_synced, ==, 1);
    store_close(fixture_open());
    g_assert_cmpuint(format_synced, ==, 1);
    fixture_end();
}

static void test_create(void)
{
    fixture_begin();
    g_autofree char *deep = g_build_filename(fixture_root, "a/b/c", NULL);
    GError *err = NULL;
    g_autoptr(store) s = store_open(deep, &err);
    g_assert_no_error(err);
    g_assert_cmpstr(store_root(s), ==, deep);
    g_assert_true(fixture_exists(s, "format") && fixture_exists(s, "varve.db") &&
                  fixture_exists(s, "layers"));
    g_autoptr(store) again = store_open(deep, &err);
    g_assert_no_error(err);
    fixture_end();
}

static void test_unfinished_creation(void)
{
    fixture_begin();
    put_file("format", "varve store 1\n"); /* a creator was killed right after this */
    g_autoptr(store) s = fixture_open();
    g_assert_true(fixture_exists(s, "tmp"));
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    fixture_end();
}

static void test_refusals(void)
{
    fixture_begin();
    put_file("thesis.tex", "x");
    expect_refused(VARVE_ERROR_USAGE, "thesis.tex");
    put_file("format", "varve store 2\n");
    expect_refused(VARVE_ERROR_UNSUPPORTED, "format 2,");
    put_file("format", "something\n");
    expect_refused(VARVE_ERROR_INVALID, "not that of a varve store");
    fixture_end();
}

/* A log would hide what is written into the database's file. */
static void drop_wal(void)
{
    g_autofree char *wal = g_build_filename(fixture_root, "varve.db-wal", NULL);
    g_unlink(wal);
}

static void test_newer_schema(void)
{
    fixture_begin();
    store_close(fixture_open());
    g_autofree char *path = g_build_filename(fixture_root, "varve.db", NULL);
    /* user_version stands big-endian at offset 60 of a database's header; the log must not hide it.
     */
    int fd = open(path, O_WRONLY);
    g_assert_cmpint(pwrite(fd, "\0\0\0\143", 4, 60), ==, 4);
    close(fd);
    drop_wal();
    expect_refused(VARVE_ERROR_UNSUPPORTED, "schema 99");
    fixture_end();
}

static void test_damaged_db(void)
{
    fixture_begin();
    store_close(fixture_open());
    drop_wal();
    put_file("varve.db", "this is not a database, and it is long enough to be looked at as one: "
                         "SQLite wants a header of a hundred bytes.");
    expect_refused(VARVE_ERROR_FAILED, "damaged");
    fixture_end();
}

static void test_tmp(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autofree char *a = store_tmp_dir(s, NULL), *b = store_tmp_dir(s, NULL);
    g_assert_cmpstr(a, !=, b);
    g_assert_true(fixture_exists(s, a) && fixture_exists(s, b));
    store_tmp_discard(s, a);
    g_assert_false(fixture_exists(s, a));
    g_autoptr(store) other = fixture_open(); /* sweeps, but we live */
    g_assert_true(fixture_exists(s, b));
    store_close(s);
    g_assert_cmpuint(fixture_count(other, "tmp"), ==, 0);
    fixture_end();
}

/* What is put off is there until there is time for it. */
static void test_put_off(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autofree char *a = store_tmp_dir(s, NULL), *b = store_tmp_dir(s, NULL);
    store_tmp_discard_later(s, a);
    g_assert_true(fixture_exists(s, a));
    store_tmp_tidy(s);
    g_assert_false(fixture_exists(s, a));
    g_assert_true(fixture_exists(s, b));
    store_tmp_discard_later(s, b);
    store_close(s);
    s = fixture_open();
    g_assert_cmpuint(fixture_count(s, "tmp"), ==, 0);
    store_close(s);
    fixture_end();
}

static void die_with_tmp(int arg)
{
    struct store *s = fixture_open();
    g_free(fixture_layer_tmp(s, 100));
    g_assert_cmpuint(fixture_count(s, "tmp"), ==, 1);
    raise(SIGKILL);
}

static void test_sweep(void)
{
    fixture_begin();
    fixture_wait(fixture_fork(die_with_tmp, 0));
    g_autofree char *tmp = g_build_filename(fixture_root, "tmp", NULL);
    g_autoptr(GDir) dir = g_dir_open(tmp, 0, NULL);
    g_assert_nonnull(g_dir_read_name(dir)); /* it did leave something */
    g_autoptr(store) s = fixture_open();
    g_assert_cmpuint(fixture_count(s, "tmp"), ==, 0);
    fixture_end();
}

static void test_statcache(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    struct digest k = fixture_digest("k");
    g_assert_null(store_statcache_load(s, &k));
    store_statcache_save(s, &k, "abc", 3);
    store_statcache_save(s, &k, "wxyz", 4);
    g_autoptr(GBytes) b = store_statcache_load(s, &k);
    g_assert_cmpmem(g_bytes_get_data(b, NULL), g_bytes_get_size(b), "wxyz", 4);
    fixture_end();
}

static void test_open_is_fast(void)
{
    fixture_begin();
    store_close(fixture_open());
    gint64 best = G_MAXINT64;
    for (int i = 0; i < 20; i++) {
        gint64 from = g_get_monotonic_time();
        store_close(fixture_open());
        best = MIN(best, g_get_monotonic_time() - from);
    }
    g_test_message("opening and closing takes %" G_GINT64_FORMAT " us", best);
    g_assert_cmpint(best, <, 50000); /* generous: sanitizers, busy machines */
    fixture_end();
}

static void create_now(int arg)
{
    store_close(fixture_open());
}

static void test_concurrent_creation(void)
{
    for (int round = 0; round < 5; round++) {
        fixture_begin();
        pid_t pids[8];
        for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
            pids[i] = fixture_fork(create_now, 0);
        for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
            g_assert_cmpint(fixture_wait(pids[i]), ==, 0);
        fixture_end();
    }
}

/* Every opener reads the whole log: one process after the other must not let it grow. */
static void test_log_stays_small(void)
{
    fixture_begin();
    gsize longest = 0;
    for (int i = 0; i < 200; i++) {
        struct store *s = fixture_open();
        struct build_row b = {.name = (char *)"n",
                              .target = (char *)"t",
                              .platform = (char *)"linux/amd64",
                              .status = -1};
        GError *err = NULL;
        for (int k = 0; k < 5; k++)
            g_assert_cmpint(store_build_begin(s, &b, &err), >, 0);
        g_assert_no_error(err);
        store_close(s);
        g_autofree char *wal = g_build_filename(fixture_root, "varve.db-wal", NULL);
        GStatBuf st;
        longest = g_stat(wal, &st) == 0 ? MAX(longest, (gsize)st.st_size) : longest;
    }
    g_assert_cmpuint(longest, <, 400 * 4120);
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/open/create", test_create);
    g_test_add_func("/store/open/format-durable", test_format_durable);
    g_test_add_func("/store/open/unfinished", test_unfinished_creation);
    g_test_add_func("/store/open/refusals", test_refusals);
    g_test_add_func("/store/open/newer-schema", test_newer_schema);
    g_test_add_func("/store/open/damaged", test_damaged_db);
    g_test_add_func("/store/open/concurrent", test_concurrent_creation);
    g_test_add_func("/store/open/fast", test_open_is_fast);
    g_test_add_func("/store/open/log", test_log_stays_small);
    g_test_add_func("/store/tmp/own", test_tmp);
    g_test_add_func("/store/tmp/put-off", test_put_off);
    g_test_add_func("/store/tmp/sweep", test_sweep);
    g_test_add_func("/store/statcache", test_statcache);
    return g_test_run();
}
