/* Scanning real directories: types, ignoring, hashing, the stat cache. */
#include "tree/scan.h"
#include "base/work.h"
#include "fixture.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

/* A directory to scan and a store. */
struct fix {
    char *dir, *root;
    struct store *store;
};

static struct fix fix_new(void)
{
    struct fix f = {fixture_dir(), fixture_dir(), NULL};
    f.store = store_open(f.root, NULL);
    g_assert_nonnull(f.store);
    return f;
}

static void fix_clear(struct fix *f)
{
    store_close(f->store);
    fixture_drop(f->dir);
    fixture_drop(f->root);
}

static struct tree *scan(struct fix *f, const struct ignore *ig)
{
    g_autoptr(GError) err = NULL;
    struct tree *t = scan_dir(f->store, f->dir, ig, "the build context", NULL, &err);
    g_assert_no_error(err);
    return t;
}

/* Selects and digests everything below pattern. */
static struct digest digest_all(struct tree *t, const char *pattern)
{
    struct selection sel = {.pattern = pattern, .wildcard = TRUE, .follow = TRUE, .required = TRUE};
    struct digest d;
    g_autoptr(GError) err = NULL;
    g_autoptr(GPtrArray) got = tree_select(t, &sel, &err);
    g_assert_no_error(err);
    tree_selection_digest(t, got, &d, &err);
    g_assert_no_error(err);
    return d;
}

static guint64 hashed(struct tree *t)
{
    struct scan_stats st;
    scan_get_stats(t, &st);
    return st.hashed;
}

static char *paths(struct tree *t)
{
    GString *out = g_string_new(NULL);
    for (guint i = 1; i < entry_list_len(t->entries); i++)
        g_string_append_printf(out, "%s%s", i > 1 ? " " : "", entry_list_at(t->entries, i)->path);
    return g_string_free(out, FALSE);
}

static void test_types(void)
{
    struct fix f = fix_new();
    fixture_file(f.dir, "b/file", "hello", 0640, 1000000000);
    fixture_file(f.dir, "b-c", "x", 0755, 0);
    fixture_file(f.dir, "\xff\xfe", "not utf-8", 0644, 0);
    fixture_symlink(f.dir, "link", "b/file");
    fixture_symlink(f.dir, "loop", "loop");
    fixture_link(f.dir, "b/file", "b/name");
    g_autofree char *fifo = fixture_path(f.dir, "pipe");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_autoptr(tree) t = scan(&f, NULL);
    g_autofree char *all = paths(t);
    g_assert_cmpstr(all, ==, "b b/file b/name b-c link loop pipe \xff\xfe");
    const struct entry *e = entry_list_find(t->entries, "b/file");
    g_assert_cmpint(e->type, ==, ENTRY_FILE);
    g_assert_cmpuint(e->mode, ==, 0640);
    g_assert_cmpuint(e->size, ==, 5);
    g_assert_cmpint(e->mtime_ns, ==, 1000000000 * G_GINT64_CONSTANT(1000000000));
    g_assert_cmpuint(e->uid, ==, 0);
    g_assert_null(e->hardlink);
    g_assert_cmpstr(entry_list_find(t->entries, "b/name")->hardlink, ==, "b/file");
    g_assert_cmpstr(entry_list_find(t->entries, "link")->target, ==, "b/file");
    g_assert_cmpint(entry_list_find(t->entries, "pipe")->type, ==, ENTRY_FIFO);
    digest_all(t, "b");
    struct digest want;
    digest_of_bytes(&want, "hello", 5);
    g_assert_cmpint(digest_cmp(&e->digest, &want), ==, 0);
    fd_auto int fd = t->open(t, e, NULL);
    char buf[8];
    g_assert_cmpint(read(fd, buf, sizeof buf), ==, 5);
    fix_clear(&f);
}

static void test_ignore(void)
{
    static const char *const patterns[] = {"node_modules", "**/*.log", "data",
                                           "!data/keep",   "secret*",  NULL};
    struct fix f = fix_new();
    fixture_file(f.dir, "src/a.c", "a", 0644, 0);
    fixture_file(f.dir, "src/a.log", "a", 0644, 0);
    fixture_file(f.dir, "node_modules/x/y", "a", 0644, 0);
    fixture_file(f.dir, "data/keep/k", "a", 0644, 0);
    fixture_file(f.dir, "data/drop/d", "a", 0644, 0);
    fixture_file(f.dir, "secret.txt", "a", 0644, 0);
    /* Entering it would be an error. */
    g_autofree char *shut = fixture_path(f.dir, "node_modules");
    g_autoptr(ignore) ig = ignore_new(patterns, NULL);
    g_assert_cmpint(chmod(shut, 0), ==, 0);
    g_autoptr(tree) t = scan(&f, ig);
    g_autofree char *all = paths(t);
    g_assert_cmpstr(all, ==, "data data/keep data/keep/k src src/a.c");
    struct scan_stats st;
    scan_get_stats(t, &st);
    g_assert_cmpuint(st.files, ==, 2);
    g_assert_cmpuint(st.ignored, ==, 4); /* node_modules, data/drop's file, a.log, secret.txt */
    g_assert_cmpint(chmod(shut, 0755), ==, 0);
    fix_clear(&f);
}

/* Ages every file so that it may be trusted: ctime cannot be set, so wait for the margin. */
static void wait_until_trusted(void)
{
    g_usleep(2100 * 1000);
}

static void test_cache(void)
{
    struct fix f = fix_new();
    fixture_file(f.dir, "a", "one", 0644, 0);
    fixture_file(f.dir, "d/b", "two", 0644, 0);
    fixture_file(f.dir, "d/c", "three", 0644, 0);
    g_autoptr(tree) racy = scan(&f, NULL);
    struct digest first = digest_all(racy, ".");
    g_assert_cmpuint(hashed(racy), ==, 3);
    scan_save(racy);
    g_autoptr(tree) again = scan(&f, NULL);
    digest_all(again, ".");
    g_assert_cmpuint(hashed(again), ==, 3); /* too young to be remembered */
    wait_until_trusted();
    g_autoptr(tree) old = scan(&f, NULL);
    digest_all(old, ".");
    scan_save(old);
    g_autoptr(tree) known = scan(&f, NULL);
    struct digest same = digest_all(known, ".");
    g_assert_cmpuint(hashed(known), ==, 0);
    g_assert_cmpint(digest_cmp(&first, &same), ==, 0);
    /* The same inode, size and mtime, another content: ctime tells. */
    struct stat st = fixture_stat(f.dir, "d/b");
    g_autofree char *p = fixture_path(f.dir, "d/b");
    fd_auto int in_place = open(p, O_WRONLY);
    g_assert_cmpint(pwrite(in_place, "TWO", 3, 0), ==, 3);
    struct timespec times[2] = {st.st_mtim, st.st_mtim};
    g_assert_cmpint(utimensat(AT_FDCWD, p, times, 0), ==, 0);
    g_autoptr(tree) changed = scan(&f, NULL);
    struct digest other = digest_all(changed, ".");
    g_assert_cmpuint(hashed(changed), ==, 1);
    g_assert_cmpint(digest_cmp(&first, &other), !=, 0);
    scan_save(changed);
    fix_clear(&f);
}

/* A damaged cache is no cache. */
static void test_cache_damaged(void)
{
    struct fix f = fix_new();
    fixture_file(f.dir, "a", "one", 0644, 0);
    wait_until_trusted();
    g_autoptr(tree) t = scan(&f, NULL);
    struct digest want = digest_all(t, ".");
    scan_save(t);
    g_autofree char *folder = fixture_path(f.root, "statcache");
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name = g_dir_read_name(dir);
    g_assert_nonnull(name);
    g_autofree char *path = fixture_path(folder, name);
    g_autofree char *bytes = NULL;
    gsize len;
    g_assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    for (gsize cut = 0; cut < len; cut += 7) {
        g_assert_true(g_file_set_contents(path, bytes, cut, NULL));
        g_autoptr(tree) again = scan(&f, NULL);
        struct digest got = digest_all(again, ".");
        g_assert_cmpint(digest_cmp(&want, &got), ==, 0);
        g_assert_cmpuint(hashed(again), ==, 1);
    }
    for (gsize i = 8; i < len; i++) {
        g_autofree char *bad = g_memdup2(bytes, len);
        bad[i] = (char)0xff;
        g_assert_true(g_file_set_contents(path, bad, len, NULL));
        g_autoptr(tree) again = scan(&f, NULL);
        g_assert_nonnull(again);
        if (bad[i] != ((char *)bytes)[i]) {
            digest_all(again, ".");
            g_assert_cmpuint(hashed(again), >, 0); /* nothing of a damaged file is believed */
        }
    }
    fix_clear(&f);
}

static void expect_error(struct fix *f, const char *pattern, int code, const char *text)
{
    struct selection sel = {.pattern = pattern, .wildcard = TRUE, .follow = TRUE, .required = TRUE};
    g_autoptr(tree) t = scan(f, NULL);
    g_autoptr(GPtrArray) got = tree_select(t, &sel, NULL);
    GError *err = NULL;
    struct digest d;
    g_assert_false(tree_selection_digest(t, got, &d, &err));
    fixture_error(&err, code, text);
}

static void test_special(void)
{
    struct fix f = fix_new();
    fixture_file(f.dir, "ok", "x", 0644, 0);
    g_autofree char *fifo = fixture_path(f.dir, "pipe");
    g_autofree char *sock = fixture_path(f.dir, "sock");
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    fd_auto int s = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    g_strlcpy(name.sun_path, sock, sizeof name.sun_path);
    g_assert_cmpint(bind(s, (struct sockaddr *)&name, sizeof name), ==, 0);
    g_assert_cmpint(chmod(sock, 0640), ==, 0);
    g_autoptr(tree) t = scan(&f, NULL);
    digest_all(t, "ok"); /* what is not selected does no harm */
    expect_error(&f, "pipe", VARVE_ERROR_INVALID,
                 "cannot copy pipe from the build context: it is a fifo");
    struct digest as_socket = digest_all(t, "sock");
    g_assert_cmpint(unlink(sock), ==, 0);
    fixture_file(f.dir, "sock", "", 0640, 0);
    g_autoptr(tree) again = scan(&f, NULL);
    struct digest as_file = digest_all(again, "sock");
    g_assert_cmpint(digest_cmp(&as_socket, &as_file), ==, 0);
    expect_error(&f, ".", VARVE_ERROR_INVALID, "pipe");
    fix_clear(&f);
}

static void test_changed(void)
{
    struct fix f = fix_new();
    fixture_file(f.dir, "a", "one", 0644, 0);
    struct selection sel = {.pattern = "a"};
    g_autoptr(tree) t = scan(&f, NULL);
    g_autoptr(GPtrArray) got = tree_select(t, &sel, NULL);
    fixture_file(f.dir, "a", "longer", 0644, 0);
    GError *err = NULL;
    struct digest d;
    g_assert_false(tree_selection_digest(t, got, &d, &err));
    fixture_error(&err, VARVE_ERROR_FAILED, "a changed while it was being read");
    /* A directory on the way became a symlink: not followed. */
    fixture_file(f.dir, "d/b", "x", 0644, 0);
    g_autoptr(tree) u = scan(&f, NULL);
    g_autofree char *d1 = fixture_path(f.dir, "d"), *d2 = fixture_path(f.dir, "moved");
    g_assert_cmpint(rename(d1, d2), ==, 0);
    fixture_symlink(f.dir, "d", "moved");
    g_assert_cmpint(u->open(u, entry_list_find(u->entries, "d/b"), &err), ==, -1);
    g_clear_error(&err);
    fix_clear(&f);
}

/* A build that hashes what takes an hour. */
struct slow {
    struct tree *tree;
    struct work work;
};

static gpointer hash_slowly(gpointer data)
{
    struct slow *s = data;
    work_enter(&s->work);
    struct selection sel = {.pattern = "huge", .required = TRUE};
    struct digest d;
    g_autoptr(GError) err = NULL;
    g_autoptr(GPtrArray) got = tree_select(s->tree, &sel, NULL);
    g_assert_false(tree_selection_digest(s->tree, got, &d, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    return NULL;
}

/* Whether this process has the file open. */
static gboolean is_open(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    const char *name;
    gboolean found = FALSE;
    while (!found && (name = g_dir_read_name(dir))) {
        g_autofree char *link = g_build_filename("/proc/self/fd", name, NULL);
        g_autofree char *target = g_file_read_link(link, NULL);
        found = g_strcmp0(target, path) == 0;
    }
    return found;
}

/* One build that hashes does not keep another waiting, and is cancelled alone. */
static void test_two_builds(void)
{
    struct fix a = fix_new(), b = fix_new();
    fixture_file(a.dir, "huge", "", 0644, 0);
    fixture_file(b.dir, "small", "x", 0644, 0);
    g_autofree char *huge = fixture_path(a.dir, "huge");
    g_assert_cmpint(truncate(huge, G_GINT64_CONSTANT(8) << 40), ==, 0);
    g_autoptr(tree) small = scan(&b, NULL);
    struct slow s = {scan(&a, NULL), {.cancel = cancel_new()}};
    GThread *t = g_thread_new("slow", hash_slowly, &s);
    while (!is_open(huge))
        g_thread_yield();
    digest_all(small, "small");
    g_assert_cmpuint(hashed(small), ==, 1);
    g_assert_true(is_open(huge));
    cancel_trigger(s.work.cancel);
    g_thread_join(t);
    tree_free(s.tree);
    cancel_free(s.work.cancel);
    fix_clear(&a);
    fix_clear(&b);
}

static void test_deep(void)
{
    struct fix f = fix_new();
    g_autoptr(GString) path = g_string_new(NULL);
    for (int i = 0; i < 1010; i++)
        g_string_append(path, "a/");
    fixture_mkdir(f.dir, path->str, 0755);
    GError *err = NULL;
    g_assert_null(scan_dir(f.store, f.dir, NULL, "the build context", NULL, &err));
    fixture_error(&err, VARVE_ERROR_INVALID, "more than 1000 directories deep");
    g_assert_null(scan_dir(f.store, "/no/such/dir", NULL, "the build context", NULL, &err));
    fixture_error(&err, VARVE_ERROR_NOT_FOUND, "/no/such/dir");
    struct cancel *c = cancel_new();
    cancel_trigger(c);
    g_assert_null(scan_dir(f.store, f.dir, NULL, "the build context", c, &err));
    fixture_error(&err, VARVE_ERROR_CANCELLED, "");
    cancel_free(c);
    fix_clear(&f);
}

/* Not run by default: G_TEST perf mode times a scan of 30,000 files. */
static void test_speed(void)
{
    if (!g_test_perf()) {
        g_test_skip("run with -m perf");
        return;
    }
    struct fix f = fix_new();
    for (int i = 0; i < 30000; i++) {
        g_autofree char *path = g_strdup_printf("d%d/e%d/f%d", i / 900, i / 30, i);
        g_autofree char *text = g_strnfill(7000, 'a' + i % 26);
        fixture_file(f.dir, path, text, 0644, 0);
    }
    wait_until_trusted();
    for (int round = 0; round < 4; round++) {
        gint64 start = g_get_monotonic_time();
        g_autoptr(tree) t = scan(&f, NULL);
        gint64 scanned = g_get_monotonic_time();
        digest_all(t, ".");
        gint64 digested = g_get_monotonic_time();
        scan_save(t);
        g_test_message("scan %.1f ms, digest %.1f ms (%d hashed), save %.1f ms",
                       (scanned - start) / 1e3, (digested - scanned) / 1e3, (int)hashed(t),
                       (g_get_monotonic_time() - digested) / 1e3);
    }
    fix_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tree/scan/types", test_types);
    g_test_add_func("/tree/scan/ignore", test_ignore);
    g_test_add_func("/tree/scan/cache", test_cache);
    g_test_add_func("/tree/scan/cache-damaged", test_cache_damaged);
    g_test_add_func("/tree/scan/special", test_special);
    g_test_add_func("/tree/scan/changed", test_changed);
    g_test_add_func("/tree/scan/two-builds", test_two_builds);
    g_test_add_func("/tree/scan/deep", test_deep);
    g_test_add_func("/tree/scan/speed", test_speed);
    return g_test_run();
}
