/* Importing cache mounts: everything survives, newer files win, hostile packs, kills. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <zstd.h>

static void set_time(struct machine *m, const char *path, gint64 s, long ns)
{
    struct timespec times[2] = {{s, ns}, {s, ns}};
    g_assert_cmpint(utimensat(m->mount.fd, path, times, AT_SYMLINK_NOFOLLOW), ==, 0);
}

/* One of everything that travels. */
static void fill_machine(struct machine *m)
{
    fixture_mkdir(m->dir, "_cacache/tmp", 0700);
    fixture_mkdir(m->dir, "empty", 01777);
    machine_file(m, "_cacache/content/aa", 100 * 1000, 1, 1000);
    machine_file(m, "_cacache/content/bb", 5 * 1024 * 1024, 2, 1000);
    machine_file(m, "_cacache/content/same as aa", 100 * 1000, 1, 1001);
    fixture_file(m->dir, "zero", "", 0400, 1000);
    fixture_file(m->dir, "setuid", "x", 04755, 1000);
    fixture_file(m->dir, "bytes \xff\n", "y", 0600, 1000);
    fixture_link(m->dir, "_cacache/content/aa", "_cacache/link");
    fixture_link(m->dir, "zero", "zero link");
    fixture_symlink(m->dir, "dangling", "/nowhere/at all");
    fixture_symlink(m->dir, "todir", "_cacache");
    set_time(m, "setuid", 1234567890, 123456789);
    set_time(m, "zero", -5, 999999999);
    set_time(m, "dangling", 77, 5);
    if (geteuid() == 0) {
        g_assert_cmpint(fchownat(m->mount.fd, "_cacache/content/bb", 1000, 1001, 0), ==, 0);
        g_assert_cmpint(fchownat(m->mount.fd, "dangling", 12, 13, AT_SYMLINK_NOFOLLOW), ==, 0);
        g_assert_cmpint(fchownat(m->mount.fd, "empty", 14, 15, 0), ==, 0);
    }
    set_time(m, "empty", 500, 1);
    set_time(m, "_cacache/content", 501, 1);
}

static void set_root_time(struct machine *m, gint64 s)
{
    struct timespec times[2] = {{s, 0}, {s, 0}};
    g_assert_cmpint(futimens(m->mount.fd, times), ==, 0);
}

static void test_travels(void)
{
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    guint64 files;
    fill_machine(&a);
    set_root_time(&a, 502);
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    g_assert_cmpuint(machine_import(&a, &b, m, &files), ==, e.packs->len);
    g_assert_cmpuint(files, ==, m->entries->len - 1);
    g_autofree char *before = machine_show(&a);
    g_autofree char *after = machine_show(&b);
    g_assert_cmpstr(before, ==, after);
    struct stat x = fixture_stat(b.dir, "zero"), y = fixture_stat(b.dir, "zero link");
    g_assert_cmpuint(x.st_ino, ==, y.st_ino);
    /* And it is the same mount there. */
    struct digest was = e.manifest.digest;
    g_autoptr(mount_manifest) back = machine_export(&b, m, 0, &e);
    g_assert_true(e.unchanged);
    g_assert_cmpint(digest_cmp(&was, &e.manifest.digest), ==, 0);
    g_assert_cmpuint(machine_import(&a, &b, m, &files), ==, 0);
    g_assert_cmpuint(files, ==, 0);
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

static void test_holes(void)
{
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    g_autofree char *from = fixture_path(a.dir, "holes"), *to = fixture_path(b.dir, "holes");
    machine_file(&a, "holes", 300000, 1, 5);
    g_assert_cmpint(truncate(from, 50000000), ==, 0);
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    machine_import(&a, &b, m, NULL);
    struct stat st = fixture_stat(b.dir, "holes");
    g_assert_cmpint(st.st_size, ==, 50000000);
    g_assert_cmpint(st.st_blocks * 512, <, 2000000);
    g_autofree char *before = machine_show(&a);
    g_autofree char *after = machine_show(&b);
    g_assert_cmpstr(strstr(before, "holes"), ==, strstr(after, "holes"));
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

static void check_text(struct machine *m, const char *path, const char *text)
{
    g_autofree char *now = fixture_text(m->dir, path);
    g_assert_cmpstr(now, ==, text);
}

static void test_newer_wins(void)
{
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    guint64 files;
    for (const char *const *p =
             (const char *const[]){"older", "newer", "equal", "dir", "file/x", NULL};
         *p; p++)
        fixture_file(a.dir, *p, "from a", 0600, 2000);
    fixture_symlink(a.dir, "link", "from a");
    set_time(&a, "link", 2000, 0);
    fixture_file(b.dir, "older", "from b", 0644, 1999);
    fixture_file(b.dir, "newer", "from b", 0644, 2001);
    fixture_file(b.dir, "equal", "from b", 0644, 2000);
    fixture_file(b.dir, "dir/x", "from b", 0644, 1);
    fixture_file(b.dir, "file", "from b", 0644, 1);
    fixture_file(b.dir, "besides", "from b", 0644, 1);
    fixture_file(b.dir, "link", "from b", 0644, 1);
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    machine_import(&a, &b, m, &files);
    g_assert_cmpuint(files, ==, 2);
    check_text(&b, "older", "from a");
    g_assert_cmpuint(fixture_stat(b.dir, "older").st_mode & 0777, ==, 0600);
    check_text(&b, "newer", "from b");
    check_text(&b, "equal", "from b");
    check_text(&b, "dir/x", "from b");
    check_text(&b, "file", "from b");
    check_text(&b, "besides", "from b");
    g_assert_true(S_ISLNK(fixture_stat(b.dir, "link").st_mode));
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

/* A symlink that the directory has where the manifest has a directory leads nowhere. */
static void test_no_way_out(void)
{
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    fixture_file(a.dir, "d/sub/x", "from a", 0644, G_MAXINT32);
    fixture_file(a.dir, "d/y", "from a", 0644, G_MAXINT32);
    fixture_mkdir(b.root, "outside/sub", 0755);
    fixture_symlink(b.dir, "d", "../outside");
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    machine_import(&a, &b, m, NULL);
    g_autofree char *x = fixture_path(b.root, "outside/sub/x");
    g_autofree char *y = fixture_path(b.root, "outside/y");
    g_assert_false(g_file_test(x, G_FILE_TEST_EXISTS) || g_file_test(y, G_FILE_TEST_EXISTS));
    g_assert_true(S_ISLNK(fixture_stat(b.dir, "d").st_mode));
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

/* Contents that are there under other names are not fetched, even when names change places. */
static void test_local_contents(void)
{
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    machine_file(&b, "x", 1000, 1, 1000);
    machine_file(&b, "y", 1000, 2, 1000);
    machine_file(&a, "x", 1000, 2, 2000);
    machine_file(&a, "y", 1000, 1, 2000);
    machine_file(&a, "z", 1000, 1, 2000);
    machine_file(&a, "other", 1000, 3, 2000);
    g_autoptr(mount_manifest) first = machine_export(&a, NULL, 0, &e);
    g_assert_cmpint(unlinkat(a.mount.fd, "other", 0), ==, 0);
    set_root_time(&a, 5);
    set_root_time(&b, 5);
    g_autoptr(mount_manifest) m = machine_export(&a, first, 0, &e);
    g_assert_cmpuint(machine_import(&a, &b, m, NULL), ==, 0);
    g_autofree char *before = machine_show(&a);
    g_autofree char *after = machine_show(&b);
    g_assert_cmpstr(before, ==, after);
    g_assert_cmpuint(machine_import(&a, &b, first, NULL), ==, 1);
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

/* A new name of a file that is there is linked, one of a file that differs is not. */
static void test_links_to_what_is_there(void)
{
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    for (guint i = 0; i < 2; i++) {
        machine_file(i ? &b : &a, "same", 1000, 1, 1000);
        machine_file(i ? &b : &a, "differs", 1000, 2 + i, 1000 + i);
    }
    fixture_link(a.dir, "same", "same-link");
    fixture_link(a.dir, "differs", "differs-link");
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    machine_import(&a, &b, m, NULL);
    g_assert_cmpuint(fixture_stat(b.dir, "same").st_nlink, ==, 2);
    g_assert_cmpuint(fixture_stat(b.dir, "differs").st_nlink, ==, 1);
    g_autofree char *text = fixture_text(a.dir, "differs");
    check_text(&b, "differs-link", text);
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

/* A manifest with one file of one pack, which holds text; and what importing it says. */
static void check_pack(const char *text, guint64 raw, guint64 offset, guint64 length,
                       const char *message)
{
    GError *err = NULL;
    struct machine b = machine_new();
    char out[1000];
    gsize n = ZSTD_compress(out, sizeof out, text, strlen(text), 1);
    struct mount_pack p = {.size = n, .raw = raw};
    g_assert_true(store_blob_put(b.store, out, n, &p.digest, NULL));
    struct mount_content c = {.offset = offset, .length = length};
    digest_of_bytes(&c.digest, "hello", 5);
    struct mount_entry root = {.path = "", .type = ENTRY_DIR, .mode = 0755};
    struct mount_entry file = {.path = "x", .type = ENTRY_FILE, .leader = MOUNT_NONE};
    g_autoptr(mount_manifest) made = mount_manifest_new();
    g_array_append_val(made->packs, p);
    g_array_append_val(made->contents, c);
    g_array_append_val(made->entries, root);
    g_array_append_val(made->entries, file);
    mount_manifest_seal(made);
    mount_manifest_write(made);
    g_autoptr(mount_manifest) m = mount_manifest_parse(made->bytes, &err);
    g_assert_no_error(err);
    g_assert_cmpint(mount_import(m, &b.mount, NULL, &err), ==, message == NULL);
    if (message) {
        fixture_error(&err, VARVE_ERROR_INVALID, message);
        g_assert_cmpint(faccessat(b.mount.fd, "x", F_OK, 0), ==, -1);
    } else {
        check_text(&b, "x", "hello");
    }
    machine_drop(&b);
}

static void test_hostile_packs(void)
{
    check_pack("hello", 5, 0, 5, NULL);
    check_pack("..hello..", 9, 2, 5, NULL);
    check_pack("jello", 5, 0, 5, "a file in it has another digest");
    check_pack("hello", 6, 1, 5, "it has less than its mount says");
    check_pack("hell", 5, 0, 5, "it has less than its mount says");
    check_pack("hello", 5, 0, 4, "a file in it has another digest");
}

/* The file itself is right, but the pack goes on. */
static void test_pack_bomb(void)
{
    GError *err = NULL;
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    machine_file(&a, "a", 1000, 1, 1000);
    machine_file(&a, "b", 1000, 2, 1000);
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    mount_pack_at(m, 0)->raw = 1000;
    g_autoptr(GPtrArray) packs = mount_manifest_packs(m);
    machine_send(&a, &b, packs);
    g_array_set_size(m->contents, 1);
    g_array_set_size(m->entries, 2);
    g_assert_false(mount_import(m, &b.mount, NULL, &err));
    fixture_error(&err, VARVE_ERROR_INVALID, "it has more than its mount says");
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

static void test_missing_pack(void)
{
    GError *err = NULL;
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    machine_file(&a, "a", 1000, 1, 1000);
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    g_assert_false(mount_import(m, &b.mount, NULL, &err));
    fixture_error(&err, VARVE_ERROR_NOT_FOUND, "the pack sha256:");
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

/* Imports in a process of its own, which is killed after so many microseconds. */
static void import_and_kill(struct machine *b, GBytes *manifest, guint us)
{
    pid_t pid = fork();
    g_assert_cmpint(pid, >=, 0);
    if (pid == 0) {
        struct machine own = {.root = b->root, .dir = b->dir};
        machine_open(&own);
        struct mount_manifest *m = mount_manifest_parse(manifest, NULL);
        _exit(mount_import(m, &own.mount, NULL, NULL) ? 0 : 1);
    }
    g_usleep(us);
    kill(pid, SIGKILL);
    g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

/* Each file is whole or not there; the next import goes on. */
static void test_killed(void)
{
    struct machine a = machine_new(), b = machine_new();
    struct mount_export e = {0};
    for (guint i = 0; i < 400; i++) {
        g_autofree char *path = g_strdup_printf("d%u/%03u", i % 7, i);
        machine_file(&a, path, 30 * 1000, i, 1000);
    }
    g_autoptr(mount_manifest) m = machine_export(&a, NULL, 0, &e);
    machine_send(&a, &b, e.packs);
    store_close(b.store);
    guint partly = 0;
    for (guint round = 0; round < 25; round++) {
        fs_remove_tree(b.mount.fd, "d0", NULL);
        fs_remove_tree(b.mount.fd, "d1", NULL);
        import_and_kill(&b, m->bytes, 3000 * round);
        guint there = 0;
        for (guint i = 0; i < 400; i++) {
            g_autofree char *path = g_strdup_printf("d%u/%03u", i % 7, i);
            if (faccessat(b.mount.fd, path, F_OK, 0) != 0)
                continue;
            g_autofree char *want = fixture_text(a.dir, path);
            check_text(&b, path, want);
            there++;
        }
        partly += there > 0 && there < 400;
    }
    g_test_message("%u imports were interrupted on the way", partly);
    fd_cleanup(&b.mount.fd);
    machine_open(&b);
    machine_import(&a, &b, m, NULL);
    g_autofree char *command = g_strdup_printf("diff -r '%s' '%s'", a.dir, b.dir);
    g_assert_cmpint(system(command), ==, 0);
    mount_export_clear(&e);
    machine_drop(&a);
    machine_drop(&b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/mount-import/travels", test_travels);
    g_test_add_func("/cache/mount-import/holes", test_holes);
    g_test_add_func("/cache/mount-import/newer-wins", test_newer_wins);
    g_test_add_func("/cache/mount-import/no-way-out", test_no_way_out);
    g_test_add_func("/cache/mount-import/local-contents", test_local_contents);
    g_test_add_func("/cache/mount-import/links", test_links_to_what_is_there);
    g_test_add_func("/cache/mount-import/hostile-packs", test_hostile_packs);
    g_test_add_func("/cache/mount-import/pack-bomb", test_pack_bomb);
    g_test_add_func("/cache/mount-import/missing-pack", test_missing_pack);
    g_test_add_func("/cache/mount-import/killed", test_killed);
    return g_test_run();
}
