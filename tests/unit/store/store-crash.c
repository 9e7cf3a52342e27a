/* Processes killed at random moments, many processes and threads at once, garbage collection beside
 * commits, and a full disk. */
#include "fixture.h"

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* One round of what a build does; key numbers are shared by all workers. */
static void work(struct store *s, int n)
{
    GError *err = NULL;
    g_autofree char *key = g_strdup_printf("key %d", n % 12),
                    *lock = g_strdup_printf("step %s", key);
    g_autoptr(store_lock) l = store_lock_take(s, lock, NULL, NULL, &err);
    g_assert_no_error(err);
    struct digest d = fixture_digest(key), blob;
    g_autoptr(record) found = store_record_find(s, &d);
    if (found) {
        for (guint i = 0; i < found->chain->n; i++) {
            g_autofree char *file = g_strdup_printf("layers/%s/fs/f", found->chain->ids[i]);
            g_assert_true(fixture_exists(s, file)); /* leased: no collection may take it */
        }
    }
    g_autoptr(chain) c = fixture_chain(s, n % 3 && found ? found->chain : NULL, 2000);
    if (c->n > 5)
        g_clear_pointer(&c, chain_free);
    if (c)
        fixture_record(s, key, c);
    g_assert_true(store_blob_put(s, key, strlen(key), &blob, &err));
    g_autofree char *config = g_strdup_printf("{\"n\":%d}", n % 5);
    struct image_row r = {
        .name = key, .platform = (char *)"linux/amd64", .chain = c, .manifest = blob};
    g_assert_true(store_blob_put(s, config, strlen(config), &r.config, &err));
    g_assert_true(store_image_put(s, &r, &err));
    if (n % 4 == 0)
        store_image_remove(s, key, NULL, NULL);
    struct build_row b = {.name = key};
    b.id = store_build_begin(s, &b, &err);
    g_assert_true(store_build_end(s, &b, NULL, &err));
}

static void work_forever(int seed)
{
    struct store *s = fixture_open();
    for (int n = seed;; n++) {
        work(s, n);
        if (n % 7 == 0)
            fixture_gc(s, (struct gc_options){.all = n % 2}, NULL);
        if (n % 11 == 0) {
            store_close(s);
            s = fixture_open();
        }
    }
}

static void test_kill(void)
{
    fixture_begin();
    const int rounds = g_test_slow() ? 200 : 25;
    for (int i = 0; i < rounds; i++) {
        pid_t a = fixture_fork(work_forever, i * 100), b = fixture_fork(work_forever, i * 100 + 50);
        g_usleep(g_test_rand_int_range(500, 40000));
        kill(a, SIGKILL);
        g_usleep(g_test_rand_int_range(0, 2000));
        kill(b, SIGKILL);
        g_assert_true(WIFSIGNALED(fixture_wait(a)));
        g_assert_true(WIFSIGNALED(fixture_wait(b)));
        struct store *s = fixture_open();
        g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
        g_assert_cmpuint(fixture_count(s, "tmp"), ==, 0);
        work(s, i);
        store_close(s);
    }
    struct store *s = fixture_open();
    fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    struct store_usage before, after;
    g_assert_true(store_usage(s, &before, NULL));
    g_autoptr(GPtrArray) images = store_image_list(s);
    for (guint i = 0; i < images->len; i++)
        store_image_remove(s, ((struct image_row *)g_ptr_array_index(images, i))->name, NULL, NULL);
    fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    g_assert_true(store_usage(s, &after, NULL));
    g_assert_cmpuint(after.layers + after.blobs, ==, 0);
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    store_close(s);
    fixture_end();
}

static void work_some(int seed)
{
    g_autoptr(store) s = fixture_open();
    for (int n = seed; n < seed + 40; n++)
        work(s, n);
}

static void collect_some(int all)
{
    g_autoptr(store) s = fixture_open();
    for (int n = 0; n < 25; n++) {
        fixture_gc(s, (struct gc_options){.all = all, .keep_bytes = n % 2 ? 20000 : 0}, NULL);
        g_usleep(2000);
    }
}

struct crew {
    struct store *s; /* shared by the threads */
    int seed;        /* of the next thread */
};

static gpointer crew_work(gpointer data)
{
    struct crew *crew = data;
    int seed = g_atomic_int_add(&crew->seed, 7);
    for (int n = seed; n < seed + 25; n++)
        work(crew->s, n);
    return NULL;
}

static gpointer crew_collect(gpointer data)
{
    struct crew *crew = data;
    for (int n = 0; n < 10; n++)
        fixture_gc(crew->s, (struct gc_options){.all = TRUE}, NULL);
    return NULL;
}

static void test_together(void)
{
    fixture_begin();
    store_close(fixture_open());
    pid_t pids[5];
    for (int i = 0; i < 3; i++)
        pids[i] = fixture_fork(work_some, i * 5);
    pids[3] = fixture_fork(collect_some, FALSE);
    pids[4] = fixture_fork(collect_some, TRUE);
    struct crew crew = {fixture_open(), 1000};
    GThread *threads[4];
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        threads[i] = g_thread_new("work", i ? crew_work : crew_collect, &crew);
    for (guint i = 0; i < G_N_ELEMENTS(threads); i++)
        g_thread_join(threads[i]);
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
        g_assert_cmpint(fixture_wait(pids[i]), ==, 0);
    g_assert_cmpuint(fixture_fsck(crew.s, FALSE, NULL), ==, 0);
    store_close(crew.s);
    fixture_end();
}

/* A record is made, and found by a process that has leased nothing yet, while another prunes. */
static void find_fresh(int seed)
{
    for (int n = seed; n < seed + 100; n++) {
        g_autofree char *key = g_strdup_printf("key %d", n % 4);
        struct digest d = fixture_digest(key);
        struct store *s = fixture_open();
        g_autoptr(record) found = store_record_find(s, &d);
        if (found) {
            struct layer_info info;
            g_autofree char *file = g_strdup_printf("layers/%s/fs/f", found->chain->ids[0]);
            g_usleep(500);
            g_assert_true(fixture_exists(s, file));
            g_assert_true(store_layer_get(s, found->chain->ids[0], &info, NULL));
        } else {
            g_autoptr(chain) c = fixture_chain(s, NULL, 10);
            fixture_record(s, key, c);
        }
        store_close(s);
    }
}

static void prune_always(int arg)
{
    g_autoptr(store) s = fixture_open();
    for (;;)
        fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
}

static void test_find_beside_prune(void)
{
    fixture_begin();
    store_close(fixture_open());
    pid_t finders[3], pruner = fixture_fork(prune_always, 0);
    for (int i = 0; i < 3; i++)
        finders[i] = fixture_fork(find_fresh, i);
    for (int i = 0; i < 3; i++)
        g_assert_cmpint(fixture_wait(finders[i]), ==, 0);
    kill(pruner, SIGKILL);
    fixture_wait(pruner);
    g_autoptr(store) s = fixture_open();
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    fixture_end();
}

/* Fills the store until it says no; returns that error. */
static GError *fill(struct store *s)
{
    for (int i = 0;; i++) {
        GError *err = NULL;
        g_autofree char *bytes = g_malloc(60000);
        memset(bytes, i, 60000);
        memcpy(bytes, &i, sizeof i);
        struct blob_writer *w = blob_writer_new(s, &err);
        if (!w)
            return err;
        if (!blob_writer_write(w, bytes, 60000 >> (i % 12), &err)) {
            blob_writer_abort(w, FALSE);
            if (60000 >> (i % 12) > 100)
                continue; /* smaller ones may still fit */
            return err;
        }
        if (!blob_writer_commit(w, NULL, NULL, &err))
            return err;
    }
}

/* The rest of a file system in one file, to the last block. */
static void fill_to_the_brim(void)
{
    g_autofree char *path = g_build_filename(fixture_root, ".ballast", NULL);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    static const char zeros[4096];
    while (write(fd, zeros, sizeof zeros) > 0)
        ;
    close(fd);
}

static void full_disk(int arg)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", fixture_root, "tmpfs", 0, "size=6m") < 0)
        _exit(77);
    struct store *s = fixture_open();
    g_autoptr(chain) c = fixture_chain(s, NULL, 10);
    fixture_record(s, "key", c);
    GError *err = fill(s);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    g_assert_nonnull(error_next(err));
    g_clear_error(&err);
    fill_to_the_brim();
    store_close(s);
    s = fixture_open(); /* works on a full disk */
    guint64 freed = fixture_gc(s, (struct gc_options){.dry_run = FALSE}, NULL);
    g_assert_cmpuint(freed, >, 1000000);
    g_assert_true(fixture_has_record(s, "key"));
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    struct digest d;
    store_blob_put(s, "again", 5, &d, &err);
    g_assert_no_error(err);
    store_close(s);
}

static void test_full_disk(void)
{
    fixture_begin();
    int status = fixture_wait(fixture_fork(full_disk, 0));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        g_test_skip("this user may not mount a small file system");
    else
        g_assert_cmpint(status, ==, 0);
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/crash/full-disk", test_full_disk);
    g_test_add_func("/store/crash/kill", test_kill);
    g_test_add_func("/store/crash/together", test_together);
    g_test_add_func("/store/crash/find-beside-prune", test_find_beside_prune);
    return g_test_run();
}
