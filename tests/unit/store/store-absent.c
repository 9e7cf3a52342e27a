/* Layers that are known, but not here. */
#include "fixture.h"

#include "store/absent.h"

static struct absent_layer describe(const char *name, const struct chain *below)
{
    struct absent_layer a = {.size = 5, .media_type = "application/x", .below = chain_copy(below)};
    g_autofree char *tar = g_strconcat(name, ".tar", NULL);
    a.blob = fixture_digest(name);
    a.diff_id = fixture_digest(tar);
    return a;
}

/* An absent layer upon below, and the chain of both. */
static struct chain *put(struct store *s, const char *name, const struct chain *below)
{
    GError *err = NULL;
    g_auto(absent_layer) a = describe(name, below);
    g_assert_true(store_absent_put(s, &a, name, &err));
    g_assert_no_error(err);
    struct chain *c = chain_copy(below);
    chain_append(c, a.id);
    return c;
}

static guint count_absent(struct store *s, const struct chain *c)
{
    guint n;
    g_assert_true(store_chain_absent(s, c, &n, NULL, NULL));
    return n;
}

static gboolean lacks(struct store *s, const struct chain *c, enum layer_need need)
{
    gboolean missing;
    g_assert_true(store_chain_lacks(s, c, need, &missing, NULL));
    return missing;
}

static void fill(struct store *s, const char *id, const char *source)
{
    GError *err = NULL;
    struct layer_info info = {.indexed = TRUE, .size = 3, .entries = 1};
    g_autofree char *tmp = fixture_layer_tmp(s, 3);
    g_autofree char *index = g_strconcat(tmp, "/index", NULL);
    fixture_write(s, index, "index", 5);
    g_strlcpy(info.id, id, sizeof info.id);
    g_assert_true(store_absent_fill(s, tmp, &info, source, &err));
    g_assert_no_error(err);
}

/* It is a layer like any other, in records and for fsck; the same one for the same source. */
static void test_known(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    g_autoptr(chain) base = fixture_chain(s, NULL, 10), c = put(s, "one", base);
    g_autoptr(chain) again = put(s, "one", base);
    g_assert_true(chain_equal(c, again));
    g_assert_cmpuint(count_absent(s, c), ==, 1);
    g_assert_true(lacks(s, c, NEED_TREE) && lacks(s, c, NEED_FILES) && !lacks(s, c, NEED_NOTHING));
    fixture_record(s, "step", c);
    g_assert_true(fixture_has_record(s, "step"));
    g_assert_cmpuint(fixture_fsck(s, TRUE, NULL), ==, 0);
    g_assert_true(fixture_has_record(s, "step"));
    gboolean absent;
    g_auto(absent_layer) a = {.size = 0};
    g_assert_true(store_absent_get(s, c->ids[1], &absent, &a, NULL) && absent);
    g_assert_true(a.size == 5 && chain_equal(a.below, base));
    g_assert_true(store_absent_get(s, c->ids[0], &absent, NULL, NULL) && !absent);
    GError *err = NULL;
    g_assert_false(store_chain_need(s, c, NEED_FILES, &err)); /* nobody fetches */
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_error_free(err);
    fixture_end();
}

/* First its index, then its files; what a killed process left in its place is not in the way. */
static void test_filled(void)
{
    fixture_begin();
    g_autoptr(store) s = fixture_open();
    g_autoptr(chain) c = put(s, "one", NULL);
    struct layer_info info = {.size = 7, .entries = 2};
    g_strlcpy(info.id, c->ids[0], sizeof info.id);
    g_autofree char *tmp = fixture_layer_tmp(s, 1);
    g_autofree char *index = g_strconcat(tmp, "/index", NULL);
    fixture_write(s, index, "index", 5);
    g_assert_true(store_absent_index(s, tmp, &info, NULL));
    g_assert_true(!lacks(s, c, NEED_TREE) && lacks(s, c, NEED_FILES));
    g_autofree char *dir = store_layer_path(c->ids[0]);
    g_autofree char *fs = g_strconcat(dir, "/fs", NULL), *stray = g_strconcat(fs, "/stray", NULL);
    g_assert_false(fixture_exists(s, fs));
    g_assert_true(fs_mkdir_p(store_fd(s), stray, 0755, NULL));
    g_assert_true(lacks(s, c, NEED_FILES)); /* never recorded */
    fill(s, c->ids[0], "diff:one");
    g_assert_true(!lacks(s, c, NEED_FILES) && count_absent(s, c) == 0);
    g_assert_false(fixture_exists(s, stray));
    g_assert_true(store_layer_get(s, c->ids[0], &info, NULL));
    g_assert_true(info.indexed && info.unpacked && info.size == 3 && info.has_diff_id);
    g_assert_true(store_layer_by_source(s, "diff:one", &info));
    g_assert_cmpuint(fixture_fsck(s, FALSE, NULL), ==, 0);
    fixture_end();
}

/* Garbage collection keeps what is named, with what it lies on, and counts it; the rest goes. */
static void test_collected(void)
{
    fixture_begin();
    g_autofree char *kept = NULL;
    {
        g_autoptr(store) s = fixture_open();
        g_autoptr(chain) base = put(s, "base", NULL), c = put(s, "one", base),
                         gone = put(s, "gone", NULL);
        g_autoptr(chain) top = chain_new(); /* the upper layer alone, as a diff has it */
        chain_append(top, c->ids[1]);
        fixture_record(s, "step", top);
        g_assert_cmpuint(gone->n, ==, 1);
        kept = g_strdup(base->ids[0]);
    }
    g_autoptr(store) s = fixture_open();
    struct store_usage u;
    g_assert_true(store_usage(s, &u, NULL));
    g_assert_true(u.absent == 3 && u.absent_bytes == 15 && u.layers == 0);
    fixture_gc(s, (struct gc_options){.dry_run = FALSE}, NULL);
    g_assert_true(store_usage(s, &u, NULL));
    g_assert_cmpuint(u.absent, ==, 2);
    gboolean absent;
    g_assert_true(store_absent_get(s, kept, &absent, NULL, NULL) && absent);
    fixture_gc(s, (struct gc_options){.all = TRUE}, NULL);
    g_assert_true(store_usage(s, &u, NULL));
    g_assert_cmpuint(u.absent, ==, 0);
    fixture_end();
}

static void make_one(int arg)
{
    g_autoptr(store) s = fixture_open();
    for (int i = 0; i < 20; i++) {
        g_autofree char *name = g_strdup_printf("layer %d", i);
        g_autoptr(chain) c = put(s, name, NULL);
    }
}

/* Processes that describe the same layers agree on their ids. */
static void test_at_once(void)
{
    fixture_begin();
    pid_t pids[6];
    store_close(fixture_open());
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
        pids[i] = fixture_fork(make_one, 0);
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
        g_assert_cmpint(fixture_wait(pids[i]), ==, 0);
    g_autoptr(store) s = fixture_open();
    struct store_usage u;
    g_assert_true(store_usage(s, &u, NULL));
    g_assert_cmpuint(u.absent, ==, 20);
    fixture_end();
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/store/absent/known", test_known);
    g_test_add_func("/store/absent/filled", test_filled);
    g_test_add_func("/store/absent/collected", test_collected);
    g_test_add_func("/store/absent/at-once", test_at_once);
    return g_test_run();
}
