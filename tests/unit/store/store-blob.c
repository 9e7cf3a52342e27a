#include "fixture.h"

static char *sample(gsize len)
{
    char *bytes = g_malloc(len);
    for (gsize i = 0; i < len; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    return bytes;
}

static void test_put(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    struct digest d, want = fixture_digest("hello");
    guint64 size = 0;
    g_assert_false(store_blob_has(s, &want, NULL));
    g_assert_true(store_blob_put(s, "hello", 5, &d, &err));
    g_assert_cmpint(digest_cmp(&d, &want), ==, 0);
    g_assert_true(store_blob_put(s, "hello", 5, &d, &err));
    g_assert_true(store_blob_has(s, &d, &size));
    g_assert_cmpuint(size, ==, 5);
    g_autoptr(GBytes) b = store_blob_read(s, &d, 5, &err);
    g_assert_cmpmem(g_bytes_get_data(b, NULL), g_bytes_get_size(b), "hello", 5);
    g_assert_null(store_blob_read(s, &d, 4, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_clear_error(&err);
    g_assert_true(store_blob_delete(s, &d, &err));
    g_assert_false(store_blob_has(s, &d, NULL));
    g_assert_cmpint(store_blob_open(s, &d, &err), ==, -1);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    g_assert_cmpuint(fixture_count(s, "blobs/sha256"), ==, 0);
    fixture_end();
}

/* Same size, other bytes: read whole, it is refused with the way out. */
static void test_flipped(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    g_assert_true(store_blob_put(s, "hello", 5, &d, &err));
    g_autofree char *path =
        g_build_filename(store_root(s), "blobs/sha256", digest_hex(&d, hex), NULL);
    g_assert_true(g_file_set_contents(path, "hellp", 5, &err));
    g_assert_null(store_blob_read(s, &d, 100, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_assert_nonnull(strstr(err->message, "is damaged"));
    g_clear_error(&err);
    fixture_end();
}

static void test_mismatch(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    struct digest other = fixture_digest("other"), got;
    for (int resumed = 0; resumed < 2; resumed++) {
        guint64 have;
        struct blob_writer *w =
            resumed ? blob_writer_resume(s, &other, &have, &err) : blob_writer_new(s, &err);
        g_assert_true(blob_writer_write(w, "hello", 5, &err));
        g_assert_false(blob_writer_commit(w, &other, &got, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        g_autofree char *want_text = digest_text(&other), *got_text = digest_text(&got);
        g_assert_nonnull(strstr(err->message, want_text));
        g_assert_nonnull(strstr(err->message, got_text));
        g_clear_error(&err);
        g_assert_cmpuint(fixture_count(s, "blobs/sha256"), ==, 0);
        g_assert_cmpuint(fixture_count(s, "blobs/partial"), ==, 0);
    }
    fixture_end();
}

static struct digest resume_digest;

static void die_downloading(int arg)
{
    struct store *s = fixture_open();
    g_autofree char *bytes = sample(100000);
    guint64 have;
    struct blob_writer *w = blob_writer_resume(s, &resume_digest, &have, NULL);
    g_assert_cmpuint(have, ==, (guint64)arg);
    blob_writer_write(w, bytes + have, 30000, NULL);
    raise(SIGKILL);
}

static void test_resume(void)
{
    fixture_begin();
    g_autofree char *bytes = sample(100000);
    digest_of_bytes(&resume_digest, bytes, 100000);
    fixture_wait(fixture_fork(die_downloading, 0));
    fixture_wait(fixture_fork(die_downloading, 30000));
    g_autoptr(store) s = fixture_open();
    guint64 have;
    GError *err = NULL;
    struct blob_writer *w = blob_writer_resume(s, &resume_digest, &have, &err);
    g_assert_cmpuint(have, ==, 60000);
    /* A second taker does not disturb the first. */
    struct blob_writer *second = blob_writer_resume(s, &resume_digest, &have, &err);
    g_assert_cmpuint(have, ==, 0);
    g_assert_true(blob_writer_write(second, "zz", 2, &err));
    blob_writer_abort(second, TRUE);
    g_assert_true(blob_writer_write(w, bytes + 60000, 10000, &err));
    blob_writer_abort(w, TRUE);
    w = blob_writer_resume(s, &resume_digest, &have, &err);
    g_assert_cmpuint(have, ==, 70000);
    g_assert_true(blob_writer_write(w, bytes + 70000, 30000, &err));
    g_assert_cmpuint(blob_writer_size(w), ==, 100000);
    g_assert_true(blob_writer_commit(w, &resume_digest, NULL, &err));
    g_assert_no_error(err);
    g_assert_true(store_blob_has(s, &resume_digest, NULL));
    g_assert_cmpuint(fixture_count(s, "blobs/partial"), ==, 0);
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    fixture_end();
}

static void test_restart(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    struct digest d = fixture_digest("hello");
    guint64 have;
    struct blob_writer *w = blob_writer_resume(s, &d, &have, &err);
    g_assert_true(blob_writer_write(w, "garbage", 7, &err));
    blob_writer_abort(w, TRUE);
    w = blob_writer_resume(s, &d, &have, &err);
    g_assert_cmpuint(have, ==, 7);
    g_assert_true(blob_writer_restart(w, &err));
    g_assert_cmpuint(blob_writer_size(w), ==, 0);
    g_assert_true(blob_writer_write(w, "hello", 5, &err));
    g_assert_true(blob_writer_commit(w, &d, NULL, &err));
    w = blob_writer_resume(s, &d, &have, &err);
    blob_writer_abort(w, FALSE);
    blob_writer_abort(NULL, TRUE);
    g_assert_cmpuint(fixture_count(s, "blobs/partial"), ==, 0);
    fixture_end();
}

static gpointer put_many(gpointer data)
{
    struct store *s = data;
    for (int i = 0; i < 60; i++) {
        g_autofree char *text = g_strdup_printf("blob %d", i);
        GError *err = NULL;
        struct digest d;
        store_blob_put(s, text, strlen(text), &d, &err);
        g_assert_no_error(err);
        g_assert_true(store_blob_has(s, &d, NULL));
    }
    return NULL;
}

static void test_threads(void)
{
    fixture_begin();
    g_autoptr(store) a = fixture_open(), b = fixture_open();
    GThread *threads[4];
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("put", put_many, i % 2 ? a : b);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    g_assert_cmpuint(fixture_count(a, "blobs/sha256"), ==, 60);
    g_assert_cmpuint(fixture_fsck(a, FALSE, NULL), ==, 0);
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/blob/put", test_put);
    g_test_add_func("/store/blob/flipped", test_flipped);
    g_test_add_func("/store/blob/mismatch", test_mismatch);
    g_test_add_func("/store/blob/resume", test_resume);
    g_test_add_func("/store/blob/restart", test_restart);
    g_test_add_func("/store/blob/threads", test_threads);
    return g_test_run();
}
