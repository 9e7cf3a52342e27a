/* Layer indexes: walking uppers, the file's format, damage, verifying. */
#include "layers.h"

#include "layer/indexfile.h"

static const char upper[] =
    "d711 1:2 a\nf4755 a/f =hello\nf600 3:4 a-b =x\nl a/l -> ../x\nh a/z => a/f\nw gone\n"
    "o755 again\nf644 again/f =\np640 pipe\nc666 null";
/* As the walk gives it: in path order, whiteouts bare, the first name of a file first. */
static const char sorted[] =
    "d711 1:2 a\nf4755 a/f =hello\nl a/l -> ../x\nh a/z => a/f\nf600 3:4 a-b =x\n"
    "o755 again\nf644 again/f =\nw gone\nc666 null\np640 pipe";

struct fix {
    char *root;
    struct store *store;
    struct chain *chain;
};

static struct fix fix_new(void)
{
    struct fix f = {fixture_dir(), NULL, chain_new()};
    f.store = store_open(f.root, NULL);
    g_assert_nonnull(f.store);
    return f;
}

static void fix_clear(struct fix *f)
{
    store_close(f->store);
    chain_free(f->chain);
    fixture_drop(f->root);
}

static char *layer_file(struct fix *f, guint i, const char *name)
{
    g_autofree char *rel = store_layer_path(f->chain->ids[i]);
    return g_build_filename(f->root, rel, name, NULL);
}

static gboolean need_root(void)
{
    if (geteuid() == 0 && !overlaymark_userxattr())
        return TRUE;
    g_test_skip("needs the real root for owners, devices and trusted xattrs");
    return FALSE;
}

static void test_walk(void)
{
    if (!need_root())
        return;
    struct fix f = fix_new();
    layers_commit(f.store, f.chain, upper);
    g_autofree char *got = layers_show(f.store, f.chain->ids[0]);
    g_assert_cmpstr(got, ==, sorted);
    struct layer_info info;
    g_assert_true(store_layer_get(f.store, f.chain->ids[0], &info, NULL));
    g_assert_true(info.indexed);
    g_assert_cmpuint(info.entries, ==, 10);
    g_assert_cmpuint(info.size, ==, 6);
    g_autoptr(layer_index) x = layer_index_open(f.store, f.chain->ids[0], NULL, NULL);
    struct entry e;
    struct digest want;
    layer_index_at(x, layer_index_find(x, "a/f"), &e);
    digest_of_bytes(&want, "hello", 5);
    g_assert_cmpint(digest_cmp(&e.digest, &want), ==, 0);
    g_assert_cmpint(e.mtime_ns, ==, 1000000000 * G_GINT64_CONSTANT(1000000000));
    layer_index_at(x, layer_index_find(x, "a/z"), &e);
    g_assert_true(e.has_digest && digest_cmp(&e.digest, &want) == 0);
    g_assert_cmpint(layer_index_find(x, "a/nothing"), ==, -1);
    guint lo, hi;
    layer_index_range(x, "a", &lo, &hi);
    g_assert_cmpuint(hi - lo, ==, 4);
    fix_clear(&f);
}

/* Xattrs: those of images are kept, overlayfs's and the host's are not. */
static void test_xattrs(void)
{
    if (!need_root())
        return;
    struct fix f = fix_new();
    static const guint8 cap[20] = {1, 0, 0, 2, 0, 4};
    g_autofree char *tmp = store_tmp_dir(f.store, NULL);
    g_autofree char *fs = g_build_filename(f.root, tmp, "fs", NULL);
    g_assert_cmpint(mkdir(fs, 0755), ==, 0);
    layers_fill(fs, "f755 ping =x\nd755 d");
    g_autofree char *ping = fixture_path(fs, "ping"), *d = fixture_path(fs, "d");
    g_assert_cmpint(setxattr(ping, "security.capability", cap, sizeof cap, 0), ==, 0);
    g_assert_cmpint(setxattr(ping, "trusted.overlay.origin", "o", 1, 0), ==, 0);
    g_assert_cmpint(setxattr(ping, "trusted.mine", "o", 1, 0), ==, 0);
    g_assert_cmpint(setxattr(ping, "user.b", "", 0, 0), ==, 0);
    g_assert_cmpint(setxattr(ping, "user.a", "va\0lue", 6, 0), ==, 0);
    struct layer_info info = {0};
    g_assert_true(store_layer_commit(f.store, tmp, &info, NULL));
    g_autoptr(layer_index) x = layer_index_open(f.store, info.id, NULL, NULL);
    struct entry e;
    layer_index_at(x, layer_index_find(x, "ping"), &e);
    g_assert_cmpuint(e.n_xattrs, ==, 3);
    g_assert_cmpstr(e.xattrs[0].name, ==, "security.capability");
    g_assert_cmpmem(e.xattrs[0].value, e.xattrs[0].size, cap, sizeof cap);
    g_assert_cmpstr(e.xattrs[1].name, ==, "user.a");
    g_assert_cmpmem(e.xattrs[1].value, e.xattrs[1].size, "va\0lue", 6);
    g_assert_cmpuint(e.xattrs[2].size, ==, 0);
    /* A redirected directory's content is elsewhere: refused. */
    g_autofree char *again = store_tmp_dir(f.store, NULL);
    g_autofree char *fs2 = g_build_filename(f.root, again, "fs", NULL);
    g_assert_cmpint(mkdir(fs2, 0755), ==, 0);
    layers_fill(fs2, "d755 d");
    g_autofree char *d2 = fixture_path(fs2, "d");
    g_assert_cmpint(setxattr(d2, "trusted.overlay.redirect", "/x", 2, 0), ==, 0);
    struct layer_info other = {0};
    g_assert_true(store_layer_commit(f.store, again, &other, NULL));
    GError *err = NULL;
    g_assert_null(layer_index_open(f.store, other.id, NULL, &err));
    fixture_error(&err, VARVE_ERROR_UNSUPPORTED, "trusted.overlay.redirect");
    fix_clear(&f);
}

static void test_empty(void)
{
    struct fix f = fix_new();
    layers_commit(f.store, f.chain, "");
    g_autofree char *got = layers_show(f.store, f.chain->ids[0]);
    g_assert_cmpstr(got, ==, "");
    g_autoptr(chainview) v = chainview_new(f.store, f.chain, NULL, NULL);
    g_autoptr(chainview) none = chainview_new(f.store, NULL, NULL, NULL);
    struct digest a, b;
    chainview_content(v, &a);
    chainview_content(none, &b);
    g_assert_cmpint(digest_cmp(&a, &b), ==, 0);
    fix_clear(&f);
}

static void test_unstorable(void)
{
    struct fix f = fix_new();
    layers_commit(f.store, f.chain, "f644 d/.wh.x =x");
    GError *err = NULL;
    g_assert_null(layer_index_open(f.store, f.chain->ids[0], NULL, &err));
    fixture_error(&err, VARVE_ERROR_UNSUPPORTED, "d/.wh.x cannot be in an image");
    fix_clear(&f);
}

/* Touches everything an index gives out. */
static guint64 read_all(struct layer_index *x)
{
    guint64 sum = 0;
    for (guint i = 0; i < layer_index_len(x); i++) {
        struct entry e;
        layer_index_at(x, i, &e);
        sum += strlen(e.path) + (e.target ? strlen(e.target) : 0) +
               (e.hardlink ? strlen(e.hardlink) : 0);
        for (guint k = 0; k < e.n_xattrs; k++) {
            sum += strlen(e.xattrs[k].name);
            for (gsize b = 0; b < e.xattrs[k].size; b++)
                sum += ((const guint8 *)e.xattrs[k].value)[b];
        }
    }
    return sum;
}

/* Every cut and every changed byte: an error or an index that can be read, never a crash; and
 * verify never takes it for good. */
static void test_damage(void)
{
    struct fix f = fix_new();
    layers_commit(f.store, f.chain, "f644 file =content\nl link -> file\nd755 dir");
    g_autofree char *fs = layer_file(&f, 0, "fs"), *path = layer_file(&f, 0, "index");
    g_autofree char *file = fixture_path(fs, "file");
    g_assert_cmpint(setxattr(file, "user.x", "value", 5, 0), ==, 0);
    g_autofree char *good = layers_show(f.store, f.chain->ids[0]);
    g_autofree char *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    for (gsize i = 0; i < 2 * len; i++) {
        g_autofree char *bad = g_memdup2(bytes, len);
        gboolean cut = i >= len;
        if (!cut)
            bad[i] ^= 0xff;
        g_assert_true(g_file_set_contents(path, bad, cut ? i - len : len, NULL));
        /* The same layer under another name of the store, to get around the cache. */
        g_autofree char *alias = g_strdup_printf("%s/layers/x%zu", f.root, i);
        g_autofree char *target = layer_file(&f, 0, "");
        g_assert_cmpint(g_rename(target, alias), ==, 0);
        g_autofree char *id = g_strdup_printf("x%zu", i);
        g_autoptr(GError) err = NULL;
        g_autoptr(layer_index) x = layer_index_open(f.store, id, NULL, &err);
        g_assert_true((x == NULL) == (err != NULL));
        /* Whatever follows the header is covered by the checksum in it. */
        g_assert_true((!cut && i < sizeof(struct indexfile_header)) || !x);
        if (x)
            read_all(x);
        g_autoptr(GError) why = NULL;
        /* Not covered by any digest: mtimes and unused bytes. */
        gboolean valid = layer_index_verify(f.store, id, TRUE, &why);
        g_assert_true(!cut || !valid);
        g_assert_cmpint(g_rename(alias, target), ==, 0);
    }
    fix_clear(&f);
}

static void test_verify(void)
{
    if (!need_root())
        return;
    static const struct {
        const char *change; /* layers_fill() over the layer */
        const char *remove; /* a path removed before */
        const char *message;
        gboolean contents; /* seen only with contents */
    } cases[] = {
        {"", "a/f", "a/f is missing", FALSE},
        {"f644 a/f =longer", NULL, "a/f has another size", FALSE},
        {"f600 a/f =hello", NULL, "a/f has another mode", FALSE},
        {"f644 1:1 a/f =hello", NULL, "a/f has another owner", FALSE},
        {"d755 a/f", "a/f", "a/f has another type", FALSE},
        {"f644 a/f =HELLO", NULL, "a/f has another content", TRUE},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct fix f = fix_new();
        GError *err = NULL;
        layers_commit(f.store, f.chain, "d755 a\nf644 a/f =hello");
        g_assert_true(layer_index_verify(f.store, f.chain->ids[0], TRUE, &err));
        g_autofree char *fs = layer_file(&f, 0, "fs");
        g_autofree char *gone = cases[i].remove ? fixture_path(fs, cases[i].remove) : NULL;
        if (gone)
            g_assert_true(fs_remove_tree(AT_FDCWD, gone, NULL));
        layers_fill(fs, cases[i].change);
        g_assert_cmpint(layer_index_verify(f.store, f.chain->ids[0], FALSE, NULL), ==,
                        cases[i].contents);
        g_assert_false(layer_index_verify(f.store, f.chain->ids[0], TRUE, &err));
        fixture_error(&err, VARVE_ERROR_INVALID, cases[i].message);
        fix_clear(&f);
    }
}

/* Contents count, places count, and times that were set; the kernel's and inodes do not. */
static void test_content(void)
{
    struct fix f = fix_new();
    static const char *const specs[] = {"f644 a =x", "f644 a =x", "f644 a =y", "f600 a =x",
                                        "f644 b =x", "l a -> x",  "f644 a =x", "f644 a =x"};
    struct digest d[G_N_ELEMENTS(specs)];
    for (guint i = 0; i < G_N_ELEMENTS(specs); i++) {
        layers_commit(f.store, f.chain, specs[i]);
        g_autofree char *fs = layer_file(&f, i, "fs");
        g_autofree char *p = fixture_path(fs, i == 4 ? "b" : "a");
        long ns = i < 6 ? i + 1 : 0;
        struct timespec times[2] = {{i, ns}, {i, ns}};
        g_assert_cmpint(utimensat(AT_FDCWD, p, times, AT_SYMLINK_NOFOLLOW), ==, 0);
        g_autoptr(layer_index) x = layer_index_open(f.store, f.chain->ids[i], NULL, NULL);
        layer_index_content(x, &d[i], NULL);
        for (guint k = 0; k < i; k++)
            g_assert_cmpint(digest_cmp(&d[i], &d[k]) == 0, ==, i == 1 && k == 0);
    }
    fix_clear(&f);
}

/* Files below the store's root that are mapped. */
static guint count_mapped(const struct fix *f)
{
    g_autofree char *maps = NULL;
    guint n = 0;
    g_assert_true(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
    for (const char *at = maps; (at = strstr(at, f->root)); at += strlen(f->root))
        n += strstr(at, "/index") != NULL && strchr(at, '\n') > strstr(at, "/index");
    return n;
}

/* An index is mapped once for all who open it, and not any more when the store's use has ended. */
static void test_cache_ends(void)
{
    struct fix f = fix_new();
    layers_commit(f.store, f.chain, "f644 a =x");
    const char *id = f.chain->ids[0];
    struct layer_index *x = layer_index_open(f.store, id, NULL, NULL);
    struct layer_index *again = layer_index_open(f.store, id, NULL, NULL);
    g_assert_true(x && x == again);
    g_assert_cmpuint(count_mapped(&f), ==, 1);
    layer_index_unref(again);
    layer_index_unref(x);
    g_assert_cmpuint(count_mapped(&f), ==, 1);
    store_end_use(f.store);
    g_assert_cmpuint(count_mapped(&f), ==, 0);
    x = layer_index_open(f.store, id, NULL, NULL);
    g_assert_nonnull(x);
    store_end_use(f.store); /* who holds one keeps it */
    g_assert_cmpint(layer_index_find(x, "a"), ==, 0);
    layer_index_unref(x);
    g_assert_cmpuint(count_mapped(&f), ==, 0);
    fix_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/layer/index/walk", test_walk);
    g_test_add_func("/layer/index/xattrs", test_xattrs);
    g_test_add_func("/layer/index/empty", test_empty);
    g_test_add_func("/layer/index/unstorable", test_unstorable);
    g_test_add_func("/layer/index/damage", test_damage);
    g_test_add_func("/layer/index/verify", test_verify);
    g_test_add_func("/layer/index/content", test_content);
    g_test_add_func("/layer/index/cache-ends", test_cache_ends);
    return g_test_run();
}
