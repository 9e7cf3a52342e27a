/* Layers, chains, records, slots, compressed forms, members. */
#include "fixture.h"

static void test_chain(void)
{
    g_autoptr(chain) a = chain_new(), none = chain_copy(NULL);
    g_assert_true(chain_equal(a, none));
    chain_append(a, "0123456789ab");
    chain_append(a, "ba9876543210");
    g_autoptr(chain) b = chain_copy(a);
    g_assert_true(chain_equal(a, b));
    g_assert_false(chain_equal(a, none));
    b->ids[1][0] = 'c';
    g_assert_false(chain_equal(a, b));
    g_assert_cmpstr(a->ids[1], ==, "ba9876543210");
}

static void test_layer(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    g_autofree char *tmp = fixture_layer_tmp(s, 10);
    struct layer_info info = {.indexed = FALSE}, got;
    g_assert_true(store_layer_commit(s, tmp, &info, &err));
    g_assert_cmpuint(strlen(info.id), ==, LAYER_ID_LEN);
    g_assert_false(fixture_exists(s, tmp));
    g_autofree char *path = store_layer_path(info.id), *file = g_strconcat(path, "/fs/f", NULL);
    g_assert_true(fixture_exists(s, file));
    g_assert_true(store_layer_get(s, info.id, &got, &err));
    g_assert_false(got.indexed || got.has_diff_id);
    info.content = fixture_digest("content");
    info.size = 10;
    info.entries = 2;
    g_assert_true(store_layer_set_indexed(s, &info, &err));
    struct digest diff = fixture_digest("diff");
    g_assert_true(store_layer_set_diff_id(s, info.id, &diff, &err));
    g_assert_true(store_layer_get(s, info.id, &got, &err));
    g_assert_true(got.indexed && got.has_diff_id && got.size == 10 && got.entries == 2);
    g_assert_cmpint(digest_cmp(&got.content, &info.content), ==, 0);
    g_assert_cmpint(digest_cmp(&got.diff_id, &diff), ==, 0);
    g_assert_cmpint(got.created, >, 1600000000);
    g_assert_false(store_layer_get(s, "ffffffffffff", &got, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    g_assert_false(store_layer_set_diff_id(s, "ffffffffffff", &diff, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    fixture_end();
}

/* No row is ever there whose diff id is an image's and which does not say so. */
static void test_unpacked_layer(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    g_autofree char *tmp = fixture_layer_tmp(s, 10);
    struct layer_info info = {.has_diff_id = TRUE, .diff_id = fixture_digest("diff")}, got;
    g_assert_false(store_layer_by_source(s, "diff:1", &got));
    g_assert_true(store_layer_commit_unpacked(s, tmp, &info, "diff:1", &err));
    g_assert_true(info.unpacked);
    g_assert_true(store_layer_by_source(s, "diff:1", &got));
    g_assert_true(got.unpacked && got.has_diff_id);
    g_assert_cmpstr(got.id, ==, info.id);
    g_autofree char *source = store_layer_source(s, info.id);
    g_assert_cmpstr(source, ==, "diff:1");
    fixture_end();
}

static void test_commit_fails(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    g_assert_false(store_layer_commit(s, "tmp/nothing/0", NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    g_assert_cmpuint(fixture_count(s, "layers"), ==, 0);
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    fixture_end();
}

static void test_record(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autoptr(chain) one = fixture_chain(s, NULL, 10), two = fixture_chain(s, one, 10);
    struct digest key = fixture_digest("key");
    struct record r = {.chain = two,
                       .content = fixture_digest("c"),
                       .duration_us = 7,
                       .inputs = (char *)"{\"a\":1}"};
    GError *err = NULL;
    g_assert_false(fixture_has_record(s, "key"));
    g_assert_true(store_record_put(s, &key, &r, &err));
    store_close(s);
    s = fixture_open();
    g_autoptr(record) got = store_record_find(s, &key);
    g_assert_true(chain_equal(got->chain, two));
    g_assert_cmpint(digest_cmp(&got->content, &r.content), ==, 0);
    g_assert_cmpint(got->duration_us, ==, 7);
    g_assert_cmpstr(got->inputs, ==, "{\"a\":1}");
    g_assert_cmpint(got->created, >, 1600000000);
    g_autoptr(chain) scratch = chain_new();
    fixture_record(s, "scratch", scratch);
    g_assert_true(fixture_has_record(s, "scratch"));
    store_close(s);
    fixture_end();
}

/* A record whose layer is gone must not be found, by row or by directory. */
static void test_record_without_layer(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    GError *err = NULL;
    g_autoptr(chain) c = fixture_chain(s, NULL, 10);
    fixture_record(s, "key", c);
    g_autofree char *path = store_layer_path(c->ids[0]);
    store_close(s);
    s = fixture_open();
    g_assert_true(fs_remove_tree(store_fd(s), path, NULL));
    g_assert_false(fixture_has_record(s, "key"));
    g_autoptr(chain) unknown = chain_new();
    chain_append(unknown, "ffffffffffff");
    struct record r = {.chain = unknown};
    struct digest key = fixture_digest("other");
    g_assert_false(store_record_put(s, &key, &r, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_clear_error(&err);
    store_close(s);
    fixture_end();
}

static void put_result(struct store *s, const char *name, const char *slot, const char *inputs)
{
    g_autoptr(chain) c = fixture_chain(s, NULL, 10);
    g_autofree char *content = g_strconcat(name, " by content", NULL);
    struct digest by_definition = fixture_digest(name), by_content = fixture_digest(content);
    struct record r = {.chain = c, .inputs = (char *)inputs};
    g_autoptr(GError) err = NULL;
    store_result_put(s, &by_definition, &by_content, slot, &r, &err);
    g_assert_no_error(err);
    g_assert_true(fixture_has_record(s, name));
    g_assert_true(fixture_has_record(s, content));
}

static void test_result(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    g_assert_null(store_slot_inputs(s, "slot"));
    put_result(s, "a", "slot", "one");
    put_result(s, "b", "slot", "two");
    put_result(s, "b", "slot", "two");
    put_result(s, "c", NULL, "three");
    g_autofree char *inputs = store_slot_inputs(s, "slot");
    g_assert_cmpstr(inputs, ==, "two");
    put_result(s, "b", "slot", NULL);
    g_assert_null(store_slot_inputs(s, "slot"));
    fixture_end();
}

/* All or nothing. */
static void test_result_without_layer(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    g_autoptr(chain) unknown = chain_new();
    chain_append(unknown, "ffffffffffff");
    struct digest a = fixture_digest("a"), b = fixture_digest("b");
    struct record r = {.chain = unknown, .inputs = (char *)"one"};
    g_autoptr(GError) err = NULL;
    g_assert_false(store_result_put(s, &a, &b, "slot", &r, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_assert_null(store_slot_inputs(s, "slot"));
    put_result(s, "a", "slot", "two"); /* no transaction is left open */
    fixture_end();
}

static void test_layer_blob(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    g_autoptr(chain) c = fixture_chain(s, NULL, 10);
    struct layer_blob b = {.diff_id = fixture_digest("diff"), .media_type = "application/x"}, got;
    g_assert_true(store_blob_put(s, "zipped", 6, &b.digest, &err));
    g_assert_false(store_layer_blob_find(s, c->ids[0], "gzip", &got));
    g_assert_true(store_layer_blob_put(s, c->ids[0], "gzip", &b, &err));
    g_assert_true(store_layer_blob_find(s, c->ids[0], "gzip", &got));
    g_assert_cmpuint(got.size, ==, 6);
    g_assert_cmpstr(got.media_type, ==, "application/x");
    g_assert_cmpint(digest_cmp(&got.diff_id, &b.diff_id), ==, 0);
    g_assert_false(store_layer_blob_find(s, c->ids[0], "zstd", &got));
    g_assert_true(store_blob_delete(s, &b.digest, &err));
    g_assert_false(store_layer_blob_find(s, c->ids[0], "gzip", &got));
    fixture_end();
}

static void test_member(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    GError *err = NULL;
    struct digest raw[2] = {fixture_digest("r0"), fixture_digest("r1")};
    struct member_info m[2] = {{.offset = 0, .size = 5, .raw_size = 9},
                               {.offset = 5, .size = 6, .raw_size = 11}};
    struct member_info got;
    g_assert_true(store_blob_put(s, "members", 7, &m[0].blob, &err));
    m[1].blob = m[0].blob;
    g_assert_true(store_member_put(s, "gzip", raw, m, 2, &err));
    g_assert_true(store_member_find(s, &raw[1], "gzip", &got));
    g_assert_true(got.offset == 5 && got.size == 6 && got.raw_size == 11);
    g_assert_cmpint(digest_cmp(&got.blob, &m[0].blob), ==, 0);
    g_assert_false(store_member_find(s, &raw[1], "zstd", &got));
    g_assert_true(store_blob_delete(s, &m[0].blob, &err));
    g_assert_false(store_member_find(s, &raw[1], "gzip", &got));
    fixture_end();
}

/* Twenty hits on chains of thirty layers: what a no-op build asks for. */
static void test_hits_are_fast(void)
{
    fixture_begin();
    struct store *s = fixture_open();
    g_autoptr(chain) c = chain_new();
    for (int i = 0; i < 30; i++) {
        g_autoptr(chain) longer = fixture_chain(s, c, 1);
        chain_append(c, longer->ids[longer->n - 1]);
        g_autofree char *key = g_strdup_printf("key %d", i);
        fixture_record(s, key, c);
    }
    store_close(s);
    gint64 from = g_get_monotonic_time();
    s = fixture_open();
    gint64 opened = g_get_monotonic_time();
    for (int i = 10; i < 30; i++) {
        g_autofree char *key = g_strdup_printf("key %d", i);
        g_assert_true(fixture_has_record(s, key));
    }
    gint64 hit = g_get_monotonic_time();
    struct build_row b = {.name = (char *)"x"};
    b.id = store_build_begin(s, &b, NULL);
    g_assert_true(store_build_end(s, &b, NULL, NULL));
    gint64 built = g_get_monotonic_time();
    store_close(s);
    gint64 closed = g_get_monotonic_time();
    g_test_message("open %d us, 20 hits %d us, build rows %d us, close %d us", (int)(opened - from),
                   (int)(hit - opened), (int)(built - hit), (int)(closed - built));
    g_assert_cmpint(closed - from, <, 200000);
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/chain", test_chain);
    g_test_add_func("/store/layer", test_layer);
    g_test_add_func("/store/layer/unpacked", test_unpacked_layer);
    g_test_add_func("/store/layer/commit-fails", test_commit_fails);
    g_test_add_func("/store/layer/blob", test_layer_blob);
    g_test_add_func("/store/layer/member", test_member);
    g_test_add_func("/store/record", test_record);
    g_test_add_func("/store/record/layer-gone", test_record_without_layer);
    g_test_add_func("/store/record/fast", test_hits_are_fast);
    g_test_add_func("/store/result", test_result);
    g_test_add_func("/store/result/without-layer", test_result_without_layer);
    return g_test_run();
}
