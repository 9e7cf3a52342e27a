#include "base/boolean.h"
#include "base/cancel.h"
#include "base/csv.h"
#include "base/entry.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/lazylib.h"
#include "base/platform.h"
#include "base/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

static void test_exit_codes(void)
{
    GError *err = NULL;
    error_set_errno(&err, ENOSPC, "cannot write %s", "x");
    g_assert_cmpint(varve_error_exit_code(err), ==, 4);
    g_assert_cmpstr(err->message, ==, "cannot write x: No space left on device");
    g_assert_nonnull(strstr(error_next(err), "varve prune"));
    g_clear_error(&err);
    error_set(&err, VARVE_ERROR_CANCELLED, "interrupted");
    g_assert_cmpint(varve_error_exit_code(err), ==, 130);
    g_clear_error(&err);
    g_assert_cmpint(varve_error_exit_code(NULL), ==, 0);
}

/* What an error says and what it advises are two things, on every way that errors go. */
static void test_next(void)
{
    GError *err = NULL, *copy = NULL;
    error_add_next(NULL, "nothing");
    error_add_next(&err, "nothing");
    g_assert_null(err);
    g_assert_null(error_next(NULL));
    error_set(&err, VARVE_ERROR_DENIED, "no: it is shut");
    g_assert_null(error_next(err));
    error_add_next(&err, "open %s", "it");
    g_prefix_error(&err, "cannot enter: ");
    g_assert_cmpstr(err->message, ==, "cannot enter: no: it is shut");
    g_assert_cmpstr(error_next(err), ==, "open it");
    error_add_next(&err, "or knock");
    copy = g_error_copy(err);
    g_clear_error(&err);
    g_propagate_prefixed_error(&err, copy, "far up: ");
    g_assert_cmpstr(error_next(err), ==, "open it\nor knock");
    g_autofree char *text = error_text(err);
    g_assert_cmpstr(text, ==,
                    "far up: cannot enter: no: it is shut\nnext: open it\nnext: or knock");
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_DENIED);
    g_clear_error(&err);
}

/* An error that quotes another one, and errors that are not ours. */
static void test_next_of_others(void)
{
    GError *err = NULL;
    g_autoptr(GError) why = NULL, plain = NULL;
    error_set_errno(&why, EMFILE, "opening it");
    g_assert_cmpint(error_errno(why), ==, EMFILE);
    g_assert_cmpint(error_errno(NULL), ==, 0);
    error_set(&plain, VARVE_ERROR_FAILED, "no reason");
    error_copy_next(&err, why);
    g_assert_null(err);
    error_set(&err, VARVE_ERROR_OUTSIDE, "no network: %s", why->message);
    error_copy_next(&err, why);
    error_copy_next(&err, plain);
    error_copy_next(&err, NULL);
    g_assert_cmpstr(error_next(err), ==, error_next(why));
    g_clear_error(&err);
    g_set_error(&err, G_FILE_ERROR, G_FILE_ERROR_NOENT, "theirs");
    g_assert_null(error_next(err));
    error_copy_next(&err, plain);
    g_assert_error(err, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    error_add_next(&err, "ours");
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
    g_assert_cmpstr(err->message, ==, "theirs");
    g_assert_cmpstr(error_next(err), ==, "ours");
    g_clear_error(&err);
}

static void test_digest(void)
{
    struct digest d, e;
    digest_of_bytes(&d, "abc", 3);
    g_autofree char *text = digest_text(&d);
    g_assert_cmpstr(text, ==,
                    "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    g_assert_true(digest_parse(&e, text, NULL));
    g_assert_cmpint(digest_cmp(&d, &e), ==, 0);
    static const char *const bad[] = {"", "sha256:", "sha512:00", "sha256:BA7816BF", "sha256:ba78"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_false(digest_parse(&e, bad[i], &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        g_clear_error(&err);
    }
}

static void test_hasher_fields(void)
{
    struct digest a, b;
    g_autoptr(hasher) h = hasher_new();
    hasher_add_str(h, "ab");
    hasher_add_str(h, "c");
    hasher_final(h, &a);
    hasher_add_str(h, "a");
    hasher_add_str(h, "bc");
    hasher_final(h, &b);
    g_assert_cmpint(digest_cmp(&a, &b), !=, 0);
    hasher_add_str(h, "");
    hasher_final(h, &a);
    hasher_add_str(h, NULL);
    hasher_final(h, &b);
    g_assert_cmpint(digest_cmp(&a, &b), !=, 0);
}

static gboolean count_item(gpointer ctx, gsize i, GError **err)
{
    g_atomic_int_add((int *)ctx, (int)i);
    return TRUE;
}

static gboolean nested_item(gpointer ctx, gsize i, GError **err)
{
    return pool_for_each(50, count_item, ctx, err);
}

static gboolean fail_at_7(gpointer ctx, gsize i, GError **err)
{
    return i != 7 || error_set(err, VARVE_ERROR_FAILED, "seven");
}

static void test_pool(void)
{
    int sum = 0;
    g_assert_true(pool_for_each(1000, count_item, &sum, NULL));
    g_assert_cmpint(sum, ==, 499500);
    sum = 0;
    g_assert_true(pool_for_each(40, nested_item, &sum, NULL));
    g_assert_cmpint(sum, ==, 40 * 1225);
    GError *err = NULL;
    g_assert_false(pool_for_each(100, fail_at_7, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
    g_clear_error(&err);
}

static void test_path_order(void)
{
    static const char *const sorted[] = {"", "a", "a/b", "a/b/c", "a/z", "a-b", "a.b", "ab", "b"};
    for (guint i = 0; i + 1 < G_N_ELEMENTS(sorted); i++) {
        g_assert_cmpint(entry_path_cmp(sorted[i], sorted[i + 1]), <, 0);
        g_assert_cmpint(entry_path_cmp(sorted[i + 1], sorted[i]), >, 0);
    }
    g_assert_true(entry_path_within("a/b", "a"));
    g_assert_false(entry_path_within("ab", "a"));
    g_assert_true(entry_path_within("ab", ""));
}

static void test_entry_list(void)
{
    g_autoptr(entry_list) l = entry_list_new();
    struct xattr x = {"user.k", "v", 1};
    entry_list_add(l,
                   &(struct entry){.path = "b", .type = ENTRY_FILE, .xattrs = &x, .n_xattrs = 1});
    entry_list_add(l, &(struct entry){.path = "a", .type = ENTRY_DIR});
    entry_list_sort(l);
    g_assert_cmpstr(entry_list_at(l, 0)->path, ==, "a");
    g_assert_cmpstr(entry_list_find(l, "b")->xattrs[0].name, ==, "user.k");
    g_assert_null(entry_list_find(l, "c"));
}

static void test_platform(void)
{
    static const char *const cases[][2] = {
        {"linux/x86_64", "linux/amd64"},
        {"linux/arm64/v8", "linux/arm64"},
        {"arm64", "linux/arm64"},
        {"linux/arm", "linux/arm/v7"},
        {"linux/arm/v6", "linux/arm/v6"},
        {"linux/arm64/8", "linux/arm64"},
        {"armv6l", "linux/arm/v6"}, /* what kernels call themselves */
        {"armv5tejl", "linux/arm/v5"},
        {"armv7l", "linux/arm/v7"},
        {"armv8l", "linux/arm/v8"},
        {"linux/arm/8", "linux/arm/v8"},
        {"wasm", "linux/wasm"},
        {"macos/arm64", "darwin/arm64"},
        {"Windows/AMD64", "windows/amd64"},
    };
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct platform p;
        g_assert_true(platform_parse(&p, cases[i][0], NULL));
        g_autofree char *text = platform_text(&p);
        g_assert_cmpstr(text, ==, cases[i][1]);
    }
    static const char *const bad[] = {"",  "a/b/c/d", "linux/", "li nux/amd64",
                                      "/", "invalid", "amd65"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(platform_parse(&(struct platform){0}, bad[i], NULL));
    static const char *const mistyped[][2] = {{"linux/amd46", "did you mean amd64?"},
                                              {"linx/amd64", "did you mean linux?"},
                                              {"linux/qqqqqq", "architecture \"qqqqqq\""}};
    for (guint i = 0; i < G_N_ELEMENTS(mistyped); i++) {
        g_autoptr(GError) err = NULL;
        struct platform p;
        g_assert_true(platform_parse(&p, mistyped[i][0], NULL));
        g_assert_false(platform_parse_known(&p, mistyped[i][0], &err));
        g_assert_nonnull(strstr(err->message, mistyped[i][1]));
    }
    g_assert_true(platform_parse_known(&(struct platform){0}, "linux/x86_64", NULL));
    struct platform v7 = {"linux", "arm", "v7"}, v6 = {"linux", "arm", "v6"};
    g_assert_cmpint(platform_match(&v7, &v6), >, 0);
    g_assert_cmpint(platform_match(&v6, &v7), ==, 0);
    struct platform v8 = {"linux", "arm", "v8"}, v5 = {"linux", "arm", "v5"};
    g_assert_cmpint(platform_match(&v8, &v7), >, platform_match(&v8, &v6));
    g_assert_cmpint(platform_match(&v7, &v5), >, 0);
#ifdef __x86_64__
    struct platform plain = {"linux", "amd64", ""}, l2 = {"linux", "amd64", "v2"},
                    l3 = {"linux", "amd64", "v3"}, l9 = {"linux", "amd64", "v9"};
    gboolean v2 = __builtin_cpu_supports("sse4.2") != 0, v3 = __builtin_cpu_supports("avx2") != 0;
    g_assert_cmpint(platform_match(&plain, &l2) > 0, ==, v2);
    g_assert_cmpint(platform_match(&plain, &l3) > platform_match(&plain, &l2), ==, v3);
    g_assert_cmpint(platform_match(&plain, &plain), >, platform_match(&plain, &l3));
    g_assert_cmpint(platform_match(&plain, &l9), ==, 0);
    g_assert_cmpint(platform_match(&l2, &l3), ==, 0);
    g_assert_cmpint(platform_match(&l3, &l2), >, platform_match(&l3, &plain));
#endif
}

static void test_remove_tree(void)
{
    g_autofree char *dir = g_dir_make_tmp("varve-fs-XXXXXX", NULL);
    fd_auto int fd = fs_open_dir(AT_FDCWD, dir, NULL);
    g_assert_true(fs_mkdir_p(fd, "t/a/b/c", 0755, NULL));
    g_assert_cmpint(symlinkat("/", fd, "t/a/root"), ==, 0);
    g_assert_true(fs_replace(fd, "t/a/b/file", "x", 1, 0600, NULL));
    g_assert_cmpint(fchmodat(fd, "t/a/b", 0, 0), ==, 0);
    g_assert_true(fs_remove_tree(fd, "t", NULL));
    g_assert_cmpint(faccessat(fd, "t", F_OK, 0), <, 0);
    g_assert_cmpint(access("/etc", F_OK), ==, 0);
    g_rmdir(dir);
}

static void test_read_limits(void)
{
    g_autofree char *dir = g_dir_make_tmp("varve-fs-XXXXXX", NULL);
    fd_auto int fd = fs_open_dir(AT_FDCWD, dir, NULL);
    g_assert_true(fs_replace(fd, "f", "12345", 5, 0600, NULL));
    g_autoptr(GBytes) b = fs_read(fd, "f", 5, NULL);
    g_assert_cmpstr(g_bytes_get_data(b, NULL), ==, "12345");
    GError *err = NULL;
    g_assert_null(fs_read(fd, "f", 4, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_clear_error(&err);
    g_assert_cmpint(mkfifoat(fd, "p", 0600), ==, 0);
    g_assert_null(fs_read(fd, "p", 4, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_clear_error(&err);
    unlinkat(fd, "f", 0);
    unlinkat(fd, "p", 0);
    g_rmdir(dir);
}

static void test_sparse_copy(void)
{
    g_autofree char *dir = g_dir_make_tmp("varve-fs-XXXXXX", NULL);
    fd_auto int fd = fs_open_dir(AT_FDCWD, dir, NULL);
    fd_auto int in = openat(fd, "in", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    fd_auto int out = openat(fd, "out", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g_assert_cmpint(pwrite(in, "end", 3, 64 << 20), ==, 3);
    g_assert_true(fs_copy_fd(in, out, "in", NULL));
    struct stat st;
    g_assert_cmpint(fstat(out, &st), ==, 0);
    g_assert_cmpint(st.st_size, ==, (64 << 20) + 3);
    g_assert_cmpint(st.st_blocks, <, 1024);
    char tail[3];
    g_assert_cmpint(pread(out, tail, 3, 64 << 20), ==, 3);
    g_assert_cmpmem(tail, 3, "end", 3);
    g_assert_true(fs_remove_tree(AT_FDCWD, dir, NULL));
}

/* Two writers of one file do not write into each other's. */
static void test_create_beside(void)
{
    g_autofree char *dir = g_dir_make_tmp("varve-base-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "out.tar", NULL);
    g_autofree char *a = NULL, *b = NULL;
    fd_auto int one = fs_create_beside(AT_FDCWD, path, 0644, &a, NULL);
    fd_auto int two = fs_create_beside(AT_FDCWD, path, 0644, &b, NULL);
    g_assert_cmpint(one, >=, 0);
    g_assert_cmpint(two, >=, 0);
    g_assert_cmpstr(a, !=, b);
    g_assert_true(g_str_has_prefix(a, path));
    g_assert_true(fs_write_all(one, "1", 1, NULL));
    g_assert_true(fs_write_all(two, "two", 3, NULL));
    g_assert_cmpint(rename(a, path), ==, 0);
    g_assert_cmpint(rename(b, path), ==, 0);
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, 100, NULL);
    g_assert_cmpmem(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), "two", 3);
    g_autofree char *none = NULL;
    g_assert_cmpint(fs_create_beside(AT_FDCWD, "/nonexistent/x", 0644, &none, NULL), ==, -1);
    g_assert_null(none);
    g_assert_true(fs_remove_tree(AT_FDCWD, dir, NULL));
}

static void test_cancel(void)
{
    g_autoptr(cancel) c = cancel_new();
    g_assert_true(cancel_check(c, NULL));
    cancel_trigger(c);
    GError *err = NULL;
    g_assert_false(cancel_check(c, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_clear_error(&err);
    g_assert_false(cancel_is_set(NULL));
    g_autoptr(cancel) parent = cancel_new();
    g_autoptr(cancel) child = cancel_new_child(parent);
    g_autoptr(cancel) other = cancel_new_child(parent);
    cancel_trigger(other);
    g_assert_false(cancel_is_set(parent));
    cancel_trigger(parent);
    g_assert_true(cancel_is_set(child));
}

static int unused_api;

/* A missing library is refused in the same words at every call; one that is there gives its
 * functions. */
static void test_lazylib(void)
{
    struct lazylib missing = {.file = "libnowhere.so.1",
                              .needed_for = "the test",
                              .package = "libnowhere1",
                              .api = &unused_api};
    for (int i = 0; i < 2; i++) {
        GError *err = NULL;
        g_assert_false(lazylib_load(&missing, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
        g_assert_nonnull(
            strstr(err->message, "cannot use libnowhere.so.1, which the test needs: "));
        g_assert_nonnull(strstr(error_next(err), "libnowhere1"));
        g_clear_error(&err);
    }
    g_free(missing.problem);
    struct {
        size_t (*strlen)(const char *s);
    } api = {NULL};
    static const struct lazylib_symbol symbols[] = {{"strlen", 0}, {"no_such_function", 0}};
    struct lazylib libc = {.file = "libc.so.6", .symbols = symbols, .n = 1, .api = &api};
    g_assert_true(lazylib_load(&libc, NULL));
    g_assert_cmpuint(api.strlen("four"), ==, 4);
    struct lazylib old = {.file = "libc.so.6",
                          .needed_for = "x",
                          .package = "y",
                          .symbols = symbols,
                          .n = 2,
                          .api = &api};
    GError *err = NULL;
    g_assert_false(lazylib_load(&old, &err));
    g_assert_nonnull(strstr(err->message, "it lacks no_such_function"));
    g_clear_error(&err);
    g_free(old.problem);
}

static void test_csv(void)
{
    static const char *const good[][2] = {
        {"", ""},
        {"a", "a"},
        {"a=1,b=2", "a=1|b=2"},
        {"a,", "a|"},
        {"\"n=x,y\",z", "n=x,y|z"},
        {"\"say \"\"hi\"\"\"", "say \"hi\""},
        {"\"\"", ""},
    };
    static const char *const bad[] = {"\"a", "\"a\"b", "a\"b", "n=\"x,y\"", "a,\"", "\"a\"\""};
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_auto(GStrv) fields = csv_split(good[i][0], NULL);
        g_autofree char *joined = g_strjoinv("|", fields);
        g_assert_cmpstr(joined, ==, good[i][1]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_null(csv_split(bad[i], &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        g_clear_error(&err);
    }
}

static void test_boolean(void)
{
    static const char *const bad[] = {"", "yes", "tRUE", "2", "true "};
    gboolean on = FALSE;
    g_assert_true(boolean_parse("T", &on) && on);
    g_assert_true(boolean_parse("False", &on) && !on);
    g_assert_true(boolean_parse("0", &on) && !on);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(boolean_parse(bad[i], &on));
}

/* A link stays one, and what is no file is written to: replacing /dev/null would harm the host. */
static void test_write_file(void)
{
    g_autofree char *dir = g_dir_make_tmp("varve-XXXXXX", NULL);
    g_autofree char *file = g_build_filename(dir, "file", NULL);
    g_autofree char *link = g_build_filename(dir, "link", NULL);
    g_autofree char *pipe = g_build_filename(dir, "pipe", NULL);
    char text[8] = "";
    struct stat st;
    g_assert_true(fs_write_file(file, "old", 3, 0644, NULL));
    g_assert_cmpint(symlink("file", link), ==, 0);
    g_assert_true(fs_write_file(link, "newer", 5, 0644, NULL));
    g_assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    g_assert_true(stat(file, &st) == 0 && st.st_size == 5);
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    fd_auto int fd = open(pipe, O_RDONLY | O_NONBLOCK);
    g_assert_true(fs_write_file(pipe, "through", 7, 0644, NULL));
    g_assert_cmpint(read(fd, text, 7), ==, 7);
    g_assert_cmpstr(text, ==, "through");
    g_assert_true(lstat(pipe, &st) == 0 && S_ISFIFO(st.st_mode));
    g_assert_true(fs_remove_tree(AT_FDCWD, dir, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/base/error/exit-codes", test_exit_codes);
    g_test_add_func("/base/error/next", test_next);
    g_test_add_func("/base/error/next-of-others", test_next_of_others);
    g_test_add_func("/base/digest/text", test_digest);
    g_test_add_func("/base/digest/fields", test_hasher_fields);
    g_test_add_func("/base/lazylib", test_lazylib);
    g_test_add_func("/base/pool/loops", test_pool);
    g_test_add_func("/base/entry/order", test_path_order);
    g_test_add_func("/base/entry/list", test_entry_list);
    g_test_add_func("/base/platform/parse", test_platform);
    g_test_add_func("/base/fs/remove-tree", test_remove_tree);
    g_test_add_func("/base/fs/limits", test_read_limits);
    g_test_add_func("/base/fs/sparse", test_sparse_copy);
    g_test_add_func("/base/fs/write-file", test_write_file);
    g_test_add_func("/base/fs/create-beside", test_create_beside);
    g_test_add_func("/base/csv", test_csv);
    g_test_add_func("/base/boolean", test_boolean);
    g_test_add_func("/base/cancel", test_cancel);
    return g_test_run();
}
