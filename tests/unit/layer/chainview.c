/* Chains seen through indexes, compared with what overlayfs makes of them. */
#include "overlay.h"

static void test_merge(void)
{
    static const struct {
        const char *layers[5];
        const char *want; /* the merged tree without contents */
    } cases[] = {
        {{NULL}, ""},
        {{"d755 a\nf644 a/f =1"}, "d755 a\nf644 a/f"},
        {{"d755 a\nf644 a/f =1", "d700 a\nf644 a/g =2"}, "d700 a\nf644 a/f\nf644 a/g"},
        {{"d755 a\nf644 a/f =1\nf644 a/g =1", "d755 a\nw a/f"}, "d755 a\nf644 a/g"},
        {{"d755 a\nf644 a/f =1", "w a"}, ""},
        {{"d755 a\nf644 a/f =1", "w a", "d711 a"}, "d711 a"},
        {{"d755 a\nf644 a/f =1", "o755 a\nf644 a/g =1"}, "d755 a\nf644 a/g"},
        {{"d755 a\nd755 a/b\nf644 a/b/f =1", "o755 a", "d755 a\nd755 a/b"}, "d755 a\nd755 a/b"},
        {{"d755 a\nf644 a/f =1", "f600 a =x"}, "f600 a"},
        {{"d755 a\nf644 a/f =1", "f600 a =x", "d755 a\nf644 a/g =1"}, "d755 a\nf644 a/g"},
        {{"f644 a =x", "d755 a\nf644 a/g =1"}, "d755 a\nf644 a/g"},
        {{"d755 a\nf644 a/f =1\nf644 a-b =1\nf644 ab =1", "w a"}, "f644 a-b\nf644 ab"},
        {{"l a -> b\nd755 b", "d755 a\nf644 a/f =1"}, "d755 a\nf644 a/f\nd755 b"},
        {{"f644 a =1", "f644 a =22", "w a", "f600 a =333"}, "f600 a"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *root = fixture_dir();
        g_autoptr(store) s = store_open(root, NULL);
        g_autoptr(chain) c = chain_new();
        for (guint k = 0; cases[i].layers[k]; k++)
            layers_commit(s, c, cases[i].layers[k]);
        g_autofree char *got = overlay_expected(s, c);
        g_assert_cmpstr(got, ==, cases[i].want);
        overlay_check(s, c);
        fixture_drop(root);
    }
}

static void test_lookup(void)
{
    char *root = fixture_dir();
    g_autoptr(store) s = store_open(root, NULL);
    g_autoptr(chain) c = chain_new();
    layers_commit(s, c, "d755 a\nd755 a/b\nf644 a/b/f =one\nl l -> a/b\nd755 x\nf644 x/y =1");
    layers_commit(s, c, "d755 a\nd700 a/b\nf644 a/b/g =two\nw x");
    g_autoptr(chainview) v = chainview_new(s, c, NULL, NULL);
    static const struct {
        const char *path;
        gboolean there;
    } cases[] = {{"", TRUE},   {"a/b/f", TRUE}, {"a/b/g", TRUE},
                 {"x", FALSE}, {"x/y", FALSE},  {"l/f", FALSE}};
    struct entry e;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++)
        g_assert_cmpint(chainview_lookup(v, cases[i].path, &e), ==, cases[i].there);
    g_assert_true(chainview_lookup(v, "a/b", &e));
    g_assert_cmpuint(e.mode, ==, 0700);
    gboolean exists;
    g_autofree char *p = chainview_resolve(v, "/l/../b/g", TRUE, &exists, &e, NULL);
    g_assert_cmpstr(p, ==, "a/b/g");
    g_assert_true(exists);
    fd_auto int fd = chainview_open(v, "a/b/f", NULL);
    char buf[8];
    g_assert_cmpint(read(fd, buf, sizeof buf), ==, 3);
    g_assert_cmpmem(buf, 3, "one", 3);
    GError *err = NULL;
    g_assert_cmpint(chainview_open(v, "x/y", &err), ==, -1);
    fixture_error(&err, VARVE_ERROR_NOT_FOUND, "/x/y does not exist");
    fixture_drop(root);
}

/* Hard links across layers: a link whose first name a higher layer replaced is a file of its own.
 */
static void test_links(void)
{
    char *root = fixture_dir();
    g_autoptr(store) s = store_open(root, NULL);
    g_autoptr(chain) c = chain_new();
    layers_commit(s, c, "f644 a =one\nh b => a\nh c => a");
    layers_commit(s, c, "f644 a =two");
    g_autoptr(chainview) v = chainview_new(s, c, NULL, NULL);
    g_autoptr(tree) t = chainview_tree(v, "t", NULL);
    const struct entry *a = entry_list_find(t->entries, "a"), *b = entry_list_find(t->entries, "b"),
                       *k = entry_list_find(t->entries, "c");
    g_assert_null(a->hardlink);
    g_assert_null(b->hardlink);
    g_assert_cmpstr(k->hardlink, ==, "b");
    g_assert_cmpint(digest_cmp(&a->digest, &b->digest), !=, 0);
    fd_auto int fd = t->open(t, b, NULL);
    char buf[8];
    g_assert_cmpint(read(fd, buf, sizeof buf), ==, 3);
    g_assert_cmpmem(buf, 3, "one", 3);
    fixture_drop(root);
}

static void test_content(void)
{
    char *root = fixture_dir();
    g_autoptr(store) s = store_open(root, NULL);
    g_autoptr(chain) c = chain_new();
    layers_commit(s, c, "f644 a =one");
    struct digest d[3];
    for (guint i = 0; i < 3; i++) {
        g_autoptr(chainview) v = chainview_new(s, c, NULL, NULL);
        chainview_content(v, &d[i]);
        layers_commit(s, c, i == 0 ? "" : "f644 b =x");
        if (i == 1)
            layers_commit(s, c, "f644 c =x");
    }
    g_assert_cmpint(digest_cmp(&d[0], &d[1]), ==, 0);
    g_assert_cmpint(digest_cmp(&d[1], &d[2]), !=, 0);
    fixture_drop(root);
}

/* Digest of what sel selects in t, or the error's code as a digest: what the text proposes instead
 * depends on what else is there. */
static struct digest digest_selected(struct tree *t, const struct selection *sel)
{
    g_autoptr(GError) err = NULL;
    struct digest d;
    g_autoptr(GPtrArray) got = tree_select(t, sel, &err);
    if (!got || !tree_selection_digest(t, got, &d, &err))
        digest_of_bytes(&d, &err->code, sizeof err->code);
    return d;
}

/* The part of a tree that a selection sees gives what the whole gives. */
static void check_parts(struct store *s, const struct chain *c)
{
    static const char *const patterns[] = {
        "",         "a",     "a/c",     "b/c/g",     "a/c/e", "l",      "l/f",
        "l/../d",   "m/x",   "nothing", "a/nothing", "a/*",   "l/*",    "*",
        "a/c/[ef]", "b/*/g", "m/*",     "../a/c",    "loop",  "loop/x", "a/d/x"};
    g_autoptr(chainview) v = chainview_new(s, c, NULL, NULL);
    g_autoptr(tree) whole = chainview_tree(v, "t", NULL);
    for (guint i = 0; i < 4 * G_N_ELEMENTS(patterns); i++) {
        struct selection sels[2] = {
            {.pattern = patterns[i / 4], .wildcard = TRUE, .required = TRUE},
            {.pattern = patterns[(i / 4 + 5) % G_N_ELEMENTS(patterns)], .follow = TRUE}};
        sels[0].follow = i & 1;
        sels[0].parents = (i & 2) != 0;
        guint n = 1 + g_test_rand_int_range(0, 2);
        g_autoptr(tree) part = chainview_tree_for(v, "t", sels, n, NULL);
        for (guint k = 0; k < n; k++) {
            struct digest want = digest_selected(whole, &sels[k]),
                          got = digest_selected(part, &sels[k]);
            if (digest_cmp(&want, &got) != 0)
                g_error("%s differs", sels[k].pattern);
        }
    }
}

static void test_parts(void)
{
    char *root = fixture_dir();
    g_autoptr(store) s = store_open(root, NULL);
    g_autoptr(chain) c = chain_new();
    layers_commit(
        s, c,
        "d755 a\nd755 a/c\nf644 a/c/e =1\nf644 a/c/f =2\nd755 a/d\nh a/d/x => a/c/e\nl l -> a/c\n"
        "d755 b\nd755 b/c\nf644 b/c/g =3\nl m -> /b\nl b/x -> ../a\nl loop -> loop");
    check_parts(s, c);
    layers_commit(s, c, "d755 a\nd700 a/c\nf600 a/c/e =4\nw a/d");
    check_parts(s, c);
    layers_commit(s, c, "o755 a\nd755 a/c\nf644 a/c/n =5");
    check_parts(s, c);
    g_autoptr(chainview) v = chainview_new(s, c, NULL, NULL);
    struct selection sel = {.pattern = "l", .follow = TRUE};
    g_autoptr(tree) part = chainview_tree_for(v, "t", &sel, 1, NULL);
    g_autofree char *got = layers_list(part->entries);
    g_assert_cmpstr(got, ==, "d755 a\nd755 a/c\nf644 a/c/n\nl l -> a/c");
    fixture_drop(root);
}

/* Random layers over one another: lookups, the merged tree and overlayfs agree. */
static void test_random(void)
{
    static const char *const names[] = {"a", "b", "a/c", "a/d", "b/c", "a/c/e", "a/c/f", "b/c/g"};
    for (guint round = 0; round < 60; round++) {
        char *root = fixture_dir();
        g_autoptr(store) s = store_open(root, NULL);
        g_autoptr(chain) c = chain_new();
        for (guint k = 0; k < 4; k++) {
            g_autoptr(GString) spec = g_string_new(NULL);
            g_autoptr(GHashTable) taken = g_hash_table_new(g_str_hash, g_str_equal);
            for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *parent = g_path_get_dirname(names[i]);
                const char *above =
                    strcmp(parent, ".") == 0 ? "d" : g_hash_table_lookup(taken, parent);
                guint what = g_test_rand_int_range(0, 7);
                if (!above || *above != 'd' || what == 0)
                    continue;
                if (what < 4 && strlen(names[i]) < 5) {
                    g_string_append_printf(spec, "%c7%u5 %s\n", what == 1 ? 'o' : 'd', what,
                                           names[i]);
                    g_hash_table_insert(taken, (gpointer)names[i], (gpointer) "d");
                } else if (what == 4) {
                    g_string_append_printf(spec, "w %s\n", names[i]);
                } else {
                    g_string_append_printf(spec, "f64%u %s =%u\n", k, names[i], i);
                }
            }
            layers_commit(s, c, spec->str);
        }
        overlay_check(s, c);
        check_parts(s, c);
        fixture_drop(root);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/layer/chainview/merge", test_merge);
    g_test_add_func("/layer/chainview/lookup", test_lookup);
    g_test_add_func("/layer/chainview/links", test_links);
    g_test_add_func("/layer/chainview/content", test_content);
    g_test_add_func("/layer/chainview/parts", test_parts);
    g_test_add_func("/layer/chainview/random", test_random);
    return g_test_run();
}
