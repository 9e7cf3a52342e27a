/* Images by name, volumes, history and logs. */
#include "fixture.h"

#include <sqlite3.h>

#include "base/platform.h"

static struct image_row sample(struct store *s, const char *name, const char *platform,
                               const char *config)
{
    struct image_row r = {
        .name = (char *)name, .platform = (char *)platform, .origin = (char *)"build", .size = 5};
    GError *err = NULL;
    store_blob_put(s, config, strlen(config), &r.config, &err);
    g_assert_no_error(err);
    return r;
}

static void put(struct store *s, const struct image_row *r)
{
    GError *err = NULL;
    store_image_put(s, r, &err);
    g_assert_no_error(err);
}

static void test_names(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    g_autoptr(chain) c = fixture_chain(s, NULL, 5);
    struct image_row a = sample(s, "x:1", "linux/amd64", "{\"a\":1}"),
                     b = sample(s, "x:1", "linux/s390x", "{}");
    a.chain = c;
    put(s, &a);
    put(s, &b);
    g_autoptr(image_row) got = store_image_find(s, "x:1", "linux/amd64");
    g_assert_true(chain_equal(got->chain, c));
    g_assert_cmpint(digest_cmp(&got->config, &a.config), ==, 0);
    g_assert_true(digest_is_zero(&got->manifest));
    g_assert_cmpint(got->size, ==, 5);
    g_autoptr(image_row) other = store_image_find(s, "x:1", "linux/s390x");
    g_assert_null(other->chain);
    g_assert_null(store_image_find(s, "x:2", NULL));
    g_assert_null(store_image_find(s, "x:1", "linux/mips"));
    a.config = b.config; /* moves the name */
    put(s, &a);
    g_autoptr(GPtrArray) all = store_image_list(s);
    g_assert_cmpuint(all->len, ==, 2);
    g_assert_true(store_image_remove(s, "x:1", "linux/s390x", &err));
    g_assert_true(store_image_remove(s, "x:1", NULL, &err));
    g_assert_false(store_image_remove(s, "x:1", NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    fixture_end();
}

static void test_platform_choice(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    struct platform p;
    platform_host(&p);
    g_autofree char *host = platform_text(&p);
    struct image_row only = sample(s, "only:1", "linux/s390x", "{}");
    put(s, &only);
    g_autoptr(image_row) got = store_image_find(s, "only:1", NULL);
    g_assert_cmpstr(got->platform, ==, "linux/s390x");
    struct image_row two = sample(s, "only:1", "linux/mips", "{\"m\":1}");
    put(s, &two);
    g_assert_null(store_image_find(s, "only:1", NULL));
    struct image_row here = sample(s, "only:1", host, "{\"h\":1}");
    put(s, &here);
    g_autoptr(image_row) mine = store_image_find(s, "only:1", NULL);
    g_assert_cmpstr(mine->platform, ==, host);
    fixture_end();
}

static void test_needs_its_parts(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    struct image_row r = {
        .name = (char *)"x:1", .platform = (char *)"linux/amd64", .config = fixture_digest("no")};
    g_assert_false(store_image_put(s, &r, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    g_autoptr(chain) c = chain_new();
    chain_append(c, "ffffffffffff");
    r = sample(s, "x:1", "linux/amd64", "{}");
    r.chain = c;
    g_assert_false(store_image_put(s, &r, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    fixture_end();
}

static void test_find_id(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    /* Two configs whose digests share the first four digits, found by trying. */
    struct image_row first = {.platform = (char *)"linux/amd64"}, second = first;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    char hex[DIGEST_HEX_LEN + 1] = "";
    for (int i = 0;; i++) {
        g_autofree char *text = g_strdup_printf("{%d}", i);
        struct digest d = fixture_digest(text);
        g_autofree char *prefix = g_strndup(digest_hex(&d, hex), 4);
        char *before = g_hash_table_lookup(seen, prefix);
        if (before) {
            second = sample(s, "b:1", "linux/amd64", text);
            first = sample(s, "a:1", "linux/amd64", before);
            break;
        }
        g_hash_table_insert(seen, g_steal_pointer(&prefix), g_strdup(text));
    }
    put(s, &first);
    g_autofree char *prefix = g_strndup(hex, 4), *text = digest_text(&second.config);
    g_autoptr(image_row) one = store_image_find_id(s, prefix, NULL, &err);
    g_assert_cmpstr(one->name, ==, "a:1");
    put(s, &second);
    g_assert_null(store_image_find_id(s, prefix, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
    g_clear_error(&err);
    g_autoptr(image_row) two = store_image_find_id(s, text, NULL, &err);
    g_assert_cmpstr(two->name, ==, "b:1");
    prefix[3] = '\0';
    g_assert_null(store_image_find_id(s, prefix, NULL, &err));
    g_assert_null(store_image_find_id(s, "zzzzzz", NULL, &err));
    g_assert_no_error(err);
    fixture_end();
}

static struct volume *take(struct store *s, enum cache_sharing sharing)
{
    GError *err = NULL;
    struct volume *v = store_volume_take(s, "cache", sharing, NULL, &err);
    g_assert_no_error(err);
    g_assert_true(fixture_exists(s, v->dir));
    return v;
}

static gboolean is_taken(gpointer ctx, const char *id)
{
    g_assert_cmpstr(id, ==, "cache");
    return ctx != NULL;
}

static void test_volume_shared(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    struct volume *a = take(s, SHARING_SHARED);
    g_assert_true(a->fresh);
    g_autofree char *file = g_strconcat(a->dir, "/f", NULL);
    fixture_write(s, file, "x", 1);
    g_assert_true(store_volume_ready(a, NULL));
    struct volume *b = take(s, SHARING_SHARED);
    g_assert_false(b->fresh);
    g_assert_cmpstr(a->dir, ==, b->dir);
    guint64 removed;
    fixture_gc(s, (struct gc_options){.volume = is_taken, .ctx = s}, &removed);
    g_assert_cmpuint(removed, ==, 0); /* in use */
    store_volume_release(a);
    store_volume_release(b);
    g_assert_true(fixture_exists(s, file));
    fixture_gc(s, (struct gc_options){.volume = is_taken}, &removed);
    g_assert_cmpuint(removed, ==, 0); /* not wanted */
    g_autoptr(GPtrArray) ids = store_volume_ids(s, NULL);
    g_assert_cmpuint(ids->len, ==, 1);
    fixture_gc(s, (struct gc_options){.volume = is_taken, .ctx = s}, &removed);
    g_assert_cmpuint(removed, ==, 1);
    b = take(s, SHARING_SHARED);
    g_assert_true(b->fresh);
    store_volume_release(b);
    fixture_end();
}

static void die_filling(int arg)
{
    struct store *s = fixture_open();
    struct volume *v = take(s, SHARING_SHARED);
    g_autofree char *file = g_strconcat(v->dir, "/half", NULL);
    fixture_write(s, file, "x", 1);
    raise(SIGKILL);
}

static void test_volume_half_filled(void)
{
    fixture_begin();
    fixture_wait(fixture_fork(die_filling, 0));
    g_autoptr(store) s = fixture_open();
    struct volume *v = take(s, SHARING_SHARED);
    g_assert_true(v->fresh);
    g_assert_cmpuint(fixture_count(s, v->dir), ==, 0);
    store_volume_discard(v);
    v = take(s, SHARING_LOCKED);
    g_assert_true(v->fresh);
    store_volume_release(v); /* counts as filled */
    v = take(s, SHARING_LOCKED);
    g_assert_false(v->fresh);
    store_volume_release(v);
    fixture_end();
}

static gpointer take_locked(gpointer s)
{
    return take(s, SHARING_LOCKED);
}

static void test_volume_locked(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    struct volume *a = take(s, SHARING_LOCKED);
    g_autofree char *file = g_strconcat(a->dir, "/f", NULL);
    GThread *t = g_thread_new("take", take_locked, s);
    g_usleep(30000);
    fixture_write(s, file, "x", 1);
    store_volume_release(a);
    struct volume *b = g_thread_join(t);
    g_assert_false(b->fresh); /* it had to wait for us */
    g_autoptr(cancel) c = cancel_new();
    cancel_trigger(c);
    GError *err = NULL;
    g_assert_null(store_volume_take(s, "cache", SHARING_LOCKED, c, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_clear_error(&err);
    store_volume_release(b);
    fixture_end();
}

static void test_volume_private(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    struct volume *a = take(s, SHARING_PRIVATE), *b = take(s, SHARING_PRIVATE);
    g_assert_cmpstr(a->dir, !=, b->dir);
    g_autofree char *dir = g_strdup(a->dir);
    store_volume_release(a);
    a = take(s, SHARING_PRIVATE);
    g_assert_cmpstr(a->dir, ==, dir);
    g_assert_false(a->fresh);
    store_volume_release(a);
    store_volume_release(b);
    fixture_end();
}

static void test_history(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    g_assert_null(store_build_get(s, 0));
    struct build_row b = {.name = (char *)"app",
                          .target = (char *)"",
                          .platform = (char *)"linux/amd64",
                          .started_us = 123};
    b.id = store_build_begin(s, &b, &err);
    g_assert_cmpint(b.id, ==, 1);
    g_assert_cmpint(store_build_begin(s, &b, &err), ==, 2);
    g_autoptr(GPtrArray) steps = g_ptr_array_new();
    struct step_row r1 = {.number = 1,
                          .name = (char *)"RUN b",
                          .outcome = 1,
                          .layer_bytes = 9,
                          .cpu_us = 70,
                          .memory_peak = 8192,
                          .why = (char *)"hit"};
    struct step_row r0 = {.number = 0, .name = (char *)"RUN a", .stage = (char *)"base"};
    g_ptr_array_add(steps, &r1);
    g_ptr_array_add(steps, &r0);
    b.duration_us = 5;
    b.status = 0;
    b.steps_ran = 1;
    b.steps_cached = 1;
    b.image = (char *)"sha256:1";
    g_assert_true(store_build_end(s, &b, steps, &err));
    g_autoptr(GPtrArray) list = store_build_list(s, 10);
    g_assert_cmpuint(list->len, ==, 2);
    struct build_row *newest = store_build_get(s, 0), *first = store_build_get(s, 1);
    g_assert_true(newest->id == 2 && newest->status == -1);
    g_assert_true(first->status == 0 && first->duration_us == 5 && first->started_us == 123);
    g_assert_cmpstr(first->image, ==, "sha256:1");
    build_row_free(newest);
    build_row_free(first);
    g_autoptr(GPtrArray) got = store_build_steps(s, 1);
    g_assert_cmpuint(got->len, ==, 2);
    struct step_row *g0 = g_ptr_array_index(got, 0), *g1 = g_ptr_array_index(got, 1);
    g_assert_cmpstr(g0->stage, ==, "base");
    g_assert_true(g1->outcome == 1 && g1->layer_bytes == 9);
    g_assert_true(g1->cpu_us == 70 && g1->memory_peak == 8192);
    g_assert_cmpstr(g1->why, ==, "hit");
    b.id = 77;
    g_assert_false(store_build_end(s, &b, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    fixture_end();
}

static void test_logs(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    struct build_row b = {.name = (char *)"app"};
    gint64 id = store_build_begin(s, &b, &err);
    for (int i = 0; i < 2; i++) {
        fd_auto int fd = store_log_create(s, id, 3, &err);
        g_assert_true(fs_write_all(fd, "line\n", 5, &err));
    }
    fd_auto int fd = store_log_open(s, id, 3, &err);
    g_autoptr(GBytes) bytes = fs_read_fd(fd, "log", 100, &err);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "line\nline\n", 10);
    g_autofree char *last = store_log_tail(s, id, 3, 1), *more = store_log_tail(s, id, 3, 5);
    g_autofree char *none = store_log_tail(s, id, 4, 5);
    g_assert_cmpstr(last, ==, "line");
    g_assert_cmpstr(more, ==, "line\nline");
    g_assert_cmpstr(none, ==, "");
    g_assert_cmpint(store_log_open(s, id, 4, &err), ==, -1);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    close(store_log_create(s, 99, 0, &err)); /* of a build that is not known */
    fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    g_assert_true(fixture_exists(s, "logs/1/3"));
    g_assert_false(fixture_exists(s, "logs/99"));
    fixture_end();
}

static void test_volume_list(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    store_volume_release(store_volume_take(s, "b", SHARING_SHARED, NULL, NULL));
    store_volume_release(store_volume_take(s, "a", SHARING_LOCKED, NULL, NULL));
    g_autoptr(GPtrArray) all = store_volume_list(s, NULL);
    g_assert_cmpuint(all->len, ==, 2);
    const struct volume_info *a = g_ptr_array_index(all, 0), *b = g_ptr_array_index(all, 1);
    g_assert_cmpstr(a->id, ==, "a");
    g_assert_cmpstr(b->id, ==, "b");
    g_assert_true(g_str_has_prefix(a->dir, "volumes/") && fixture_exists(s, a->dir));
    g_assert_true(a->created > 0 && a->last_used >= a->created);
    fixture_end();
}

/* A name stands for an index as a whole, or for something else. */
static void test_index(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    g_autoptr(GError) err = NULL;
    struct image_row rows[2] = {sample(s, "a:1", "linux/amd64", "{\"a\":1}"),
                                sample(s, "a:1", "linux/arm64", "{\"b\":1}")};
    struct image_row single = sample(s, "a:1", "linux/s390x", "{\"c\":1}");
    struct digest index;
    g_assert_true(store_blob_put(s, "index", 5, &index, &err));
    single.manifest = single.target = single.config;
    put(s, &single);
    for (guint i = 0; i < 2; i++) {
        rows[i].manifest = rows[i].config;
        rows[i].target = index;
        put(s, &rows[i]);
    }
    g_autofree char *there = store_image_platforms(s, "a:1"),
                    *none = store_image_platforms(s, "b:1");
    g_assert_cmpstr(there, ==, "linux/amd64, linux/arm64");
    g_assert_null(none);
    g_autoptr(image_row) arm = store_image_find(s, "a:1", "linux/arm64");
    g_autoptr(GPtrArray) group = store_image_group(s, arm);
    g_assert_true(image_row_in_index(arm) && image_group_is_index(group));
    g_assert_cmpuint(group->len, ==, 2);
    g_assert_cmpstr(((struct image_row *)g_ptr_array_index(group, 0))->platform, ==, "linux/amd64");
    g_autofree char *id = digest_text(&index);
    g_autoptr(image_row) by_id = store_image_find_id(s, id, "linux/arm64", &err);
    g_assert_cmpstr(by_id->platform, ==, "linux/arm64");
    g_assert_null(store_image_find_id(s, id, "linux/s390x", &err));
    put(s, &single);
    g_autofree char *after = store_image_platforms(s, "a:1");
    g_assert_cmpstr(after, ==, "linux/s390x");
    /* One image that was pulled from an index with more is that image. */
    single.target = index;
    single.origin = (char *)"pull";
    g_autoptr(GPtrArray) alone = store_image_group(s, &single);
    g_assert_false(image_group_is_index(alone));
    g_assert_no_error(err);
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/images/index", test_index);
    g_test_add_func("/store/image/names", test_names);
    g_test_add_func("/store/image/platform", test_platform_choice);
    g_test_add_func("/store/image/parts", test_needs_its_parts);
    g_test_add_func("/store/image/id", test_find_id);
    g_test_add_func("/store/volume/shared", test_volume_shared);
    g_test_add_func("/store/volume/half-filled", test_volume_half_filled);
    g_test_add_func("/store/volume/locked", test_volume_locked);
    g_test_add_func("/store/volume/private", test_volume_private);
    g_test_add_func("/store/history", test_history);
    g_test_add_func("/store/logs", test_logs);
    g_test_add_func("/store/volume/list", test_volume_list);
    return g_test_run();
}
