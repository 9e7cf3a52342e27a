/* Objects: sharing, verification, holes. */
#include "layer/object.h"
#include "layers.h"

struct fix {
    char *root, *dir;
    struct store *store;
    int fd;
};

static struct fix fix_new(void)
{
    struct fix f = {.root = fixture_dir(), .dir = fixture_dir()};
    f.store = store_open(f.root, NULL);
    g_assert_nonnull(f.store);
    /* Beside the store: hard links need one file system. */
    f.fd = open(f.dir, O_RDONLY | O_DIRECTORY);
    return f;
}

static void fix_clear(struct fix *f)
{
    close(f->fd);
    store_close(f->store);
    fixture_drop(f->dir);
    fixture_drop(f->root);
}

/* Opens the file of the directory that is called src. */
static int open_src(gpointer ctx, const struct entry *e, GError **err)
{
    struct fix *f = ctx;
    return openat(f->fd, "src", O_RDONLY);
}

static struct entry entry_of(const char *text)
{
    struct entry e = {.path = "the/file", .type = ENTRY_FILE, .mode = 04755, .size = strlen(text)};
    e.uid = e.gid = geteuid();
    e.mtime_ns = 1234567890123456789;
    e.has_digest = TRUE;
    digest_of_bytes(&e.digest, text, strlen(text));
    return e;
}

static void test_share(void)
{
    struct fix f = fix_new();
    fixture_file(f.dir, "src", "content", 0644, 0);
    struct entry e = entry_of("content");
    for (guint i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("f%u", i);
        g_assert_true(object_materialise(f.store, &e, i == 2, f.fd, name, open_src, &f, NULL));
        struct stat st = fixture_stat(f.dir, name);
        g_assert_cmpuint(st.st_mode & 07777, ==, 04755);
        g_assert_cmpint(fs_mtime_ns(&st), ==, e.mtime_ns);
        g_autofree char *text = fixture_text(f.dir, name);
        g_assert_cmpstr(text, ==, "content");
    }
    struct stat a = fixture_stat(f.dir, "f0"), b = fixture_stat(f.dir, "f1"),
                c = fixture_stat(f.dir, "f2");
    g_assert_cmpuint(a.st_ino, ==, b.st_ino);
    g_assert_cmpuint(a.st_ino, !=, c.st_ino);
    g_assert_cmpuint(a.st_nlink, ==, 3); /* and the object itself */
    g_assert_cmpuint(c.st_nlink, ==, 1);
    /* Anything an inode carries tells objects apart. */
    e.mode = 0644;
    g_assert_true(object_materialise(f.store, &e, FALSE, f.fd, "f3", open_src, &f, NULL));
    g_assert_cmpuint(fixture_stat(f.dir, "f3").st_ino, !=, a.st_ino);
    /* A name that is taken is an error, not replaced. */
    GError *err = NULL;
    g_assert_false(object_materialise(f.store, &e, FALSE, f.fd, "f3", open_src, &f, &err));
    fixture_error(&err, VARVE_ERROR_FAILED, "f3");
    fix_clear(&f);
}

static void test_changed(void)
{
    static const char *const now[] = {"CONTENT", "longer than before", "short", ""};
    for (guint i = 0; i < G_N_ELEMENTS(now); i++) {
        struct fix f = fix_new();
        GError *err = NULL;
        fixture_file(f.dir, "src", now[i], 0644, 0);
        struct entry e = entry_of("content");
        g_assert_false(object_materialise(f.store, &e, FALSE, f.fd, "f", open_src, &f, &err));
        fixture_error(&err, VARVE_ERROR_FAILED, "the/file changed while it was being read");
        g_assert_cmpint(faccessat(f.fd, "f", F_OK, 0), ==, -1);
        fixture_file(f.dir, "src", "content", 0644, 0);
        g_assert_true(object_materialise(f.store, &e, FALSE, f.fd, "f", open_src, &f, NULL));
        fix_clear(&f);
    }
}

/* An object that a crash cut short is made anew. */
static void test_truncated(void)
{
    struct fix f = fix_new();
    fixture_file(f.dir, "src", "content", 0644, 0);
    struct entry e = entry_of("content");
    g_assert_true(object_materialise(f.store, &e, FALSE, f.fd, "f", open_src, &f, NULL));
    g_autofree char *p = fixture_path(f.dir, "f");
    g_assert_cmpint(truncate(p, 0), ==, 0);
    g_assert_true(object_materialise(f.store, &e, FALSE, f.fd, "g", open_src, &f, NULL));
    g_autofree char *text = fixture_text(f.dir, "g");
    g_assert_cmpstr(text, ==, "content");
    fix_clear(&f);
}

static void test_sparse(void)
{
    struct fix f = fix_new();
    const gsize size = 8 << 20;
    fd_auto int src = openat(f.fd, "src", O_RDWR | O_CREAT, 0644);
    g_assert_cmpint(ftruncate(src, size), ==, 0);
    g_assert_cmpint(pwrite(src, "data", 4, 3 << 20), ==, 4);
    struct entry e = entry_of("");
    e.size = size;
    g_assert_true(digest_of_fd(&e.digest, src, "src", NULL, NULL));
    g_assert_true(object_materialise(f.store, &e, FALSE, f.fd, "f", open_src, &f, NULL));
    struct stat st = fixture_stat(f.dir, "f");
    g_assert_cmpuint(st.st_size, ==, size);
    g_assert_cmpuint(st.st_blocks * 512, <, 1 << 20);
    struct digest d;
    fd_auto int fd = openat(f.fd, "f", O_RDONLY);
    g_assert_true(digest_of_fd(&d, fd, "f", NULL, NULL));
    g_assert_cmpint(digest_cmp(&d, &e.digest), ==, 0);
    fix_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/layer/object/share", test_share);
    g_test_add_func("/layer/object/changed", test_changed);
    g_test_add_func("/layer/object/truncated", test_truncated);
    g_test_add_func("/layer/object/sparse", test_sparse);
    return g_test_run();
}
