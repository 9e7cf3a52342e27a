/* Exporting cache mounts: what is new, what is packed anew, what changes meanwhile. */
#include "fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Bytes that this process read so far. */
static guint64 bytes_read(void)
{
    g_autofree char *text = NULL;
    unsigned long long n = 0;
    g_assert_true(g_file_get_contents("/proc/self/io", &text, NULL, NULL));
    g_assert_cmpint(sscanf(text, "rchar: %llu", &n), ==, 1);
    return n;
}

/* Nothing changed: the manifest is the same, and no content is read. */
static void test_unchanged(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    for (guint i = 0; i < 20; i++) {
        g_autofree char *path = g_strdup_printf("d/%u", i % 15);
        machine_file(&m, path, 100 * 1000, i % 15, 1000 + i);
    }
    g_usleep(2200 * 1000); /* younger files are read again */
    g_autoptr(mount_manifest) first = machine_export(&m, NULL, 0, &e);
    g_assert_false(e.unchanged);
    g_assert_cmpuint(e.files, ==, 15);
    g_assert_cmpuint(e.bytes, ==, 15 * 100 * 1000);
    g_assert_cmpuint(e.new_packs->len, ==, 1);
    struct digest was = e.manifest.digest;
    guint64 before = bytes_read();
    g_autoptr(mount_manifest) second = machine_export(&m, first, 0, &e);
    g_assert_cmpuint(bytes_read() - before, <, 100 * 1000);
    g_assert_true(e.unchanged);
    g_assert_cmpuint(e.new_packs->len, ==, 0);
    g_assert_cmpuint(e.packs->len, ==, 1);
    g_assert_cmpint(digest_cmp(&was, &e.manifest.digest), ==, 0);
    mount_export_clear(&e);
    machine_drop(&m);
}

/* Being read is no change, but is remembered for what is left out first. */
static void test_read_is_no_change(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    machine_file(&m, "a", 1000, 1, 1000);
    g_autoptr(mount_manifest) first = machine_export(&m, NULL, 0, &e);
    struct timespec times[2] = {{5000, 0}, {1000, 0}};
    g_assert_cmpint(utimensat(m.mount.fd, "a", times, 0), ==, 0);
    g_autoptr(mount_manifest) second = machine_export(&m, first, 0, &e);
    g_assert_true(e.unchanged);
    g_autoptr(mount_manifest) alone = machine_export(&m, NULL, 0, &e);
    g_assert_cmpint(mount_manifest_entry(alone, "a")->used, ==, 5000);
    struct stat st = fixture_stat(m.dir, "a"); /* exporting it was no use */
    g_assert_cmpint(st.st_atim.tv_sec, ==, 5000);
    mount_export_clear(&e);
    machine_drop(&m);
}

/* Only what changed is sent; equal contents once. */
static void test_difference(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    for (guint i = 0; i < 50; i++) {
        g_autofree char *path = g_strdup_printf("%u", i);
        machine_file(&m, path, 10 * 1000, i, 1000);
    }
    g_autoptr(mount_manifest) first = machine_export(&m, NULL, 0, &e);
    machine_file(&m, "7", 10 * 1000, 100, 2000);
    machine_file(&m, "8", 10 * 1000, 100, 2000);
    machine_file(&m, "9", 10 * 1000, 3, 2000);
    g_autoptr(mount_manifest) second = machine_export(&m, first, 0, &e);
    g_assert_cmpuint(e.packs->len, ==, 2);
    g_assert_cmpuint(e.new_packs->len, ==, 1);
    const struct descriptor *d = g_ptr_array_index(e.new_packs, 0);
    g_assert_cmpuint(d->size, <, 10 * 1000);
    g_assert_cmpuint(second->contents->len, ==, 48);
    for (guint i = 0; i < 2; i++)
        if (digest_cmp(&mount_pack_at(second, i)->digest, &d->digest) == 0)
            g_assert_cmpuint(mount_pack_at(second, i)->raw, ==, 10 * 1000);
    mount_export_clear(&e);
    machine_drop(&m);
}

/* Sizes of packs: small files together, a large one alone. */
static void test_pack_sizes(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    for (guint i = 0; i < 12; i++) {
        g_autofree char *path = g_strdup_printf("%u", i);
        machine_file(&m, path, 1024 * 1024, i, 1000);
    }
    machine_file(&m, "5-large", 9 * 1024 * 1024, 99, 1000);
    g_autoptr(mount_manifest) all = machine_export(&m, NULL, 0, &e);
    g_assert_cmpuint(all->packs->len, ==, 4);
    guint large = 0;
    for (guint i = 0; i < 4; i++)
        large += mount_pack_at(all, i)->raw == 9 * 1024 * 1024;
    g_assert_cmpuint(large, ==, 1);
    mount_export_clear(&e);
    machine_drop(&m);
}

static void check_whole(struct machine *m, const struct mount_manifest *manifest)
{
    struct machine other = machine_new();
    machine_import(m, &other, manifest, NULL);
    g_autofree char *a = machine_show(m);
    g_autofree char *b = machine_show(&other);
    g_assert_cmpstr(a, ==, b);
    machine_drop(&other);
}

/* Packs of which little is used are written anew. */
static void test_half_used(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    for (guint i = 0; i < 20; i++) {
        g_autofree char *path = g_strdup_printf("%02u", i);
        machine_file(&m, path, 10 * 1000, i, 1000);
    }
    g_autoptr(mount_manifest) first = machine_export(&m, NULL, 0, &e);
    for (guint i = 0; i < 9; i++) {
        g_autofree char *path = g_strdup_printf("%02u", i);
        g_assert_cmpint(unlinkat(m.mount.fd, path, 0), ==, 0);
    }
    g_autoptr(mount_manifest) second = machine_export(&m, first, 0, &e);
    g_assert_cmpuint(e.new_packs->len, ==, 0);
    g_assert_cmpuint(unlinkat(m.mount.fd, "09", 0) + unlinkat(m.mount.fd, "10", 0), ==, 0);
    g_autoptr(mount_manifest) third = machine_export(&m, second, 0, &e);
    g_assert_cmpuint(e.new_packs->len, ==, 1);
    g_assert_cmpuint(e.packs->len, ==, 1);
    g_assert_cmpuint(mount_pack_at(third, 0)->raw, ==, 9 * 10 * 1000);
    check_whole(&m, third);
    mount_export_clear(&e);
    machine_drop(&m);
}

/* However often something is added, an import is a bounded number of blobs. */
static void test_number_of_packs(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    g_autoptr(mount_manifest) last = NULL;
    guint most = 0, rewritten = 0;
    for (guint i = 0; i < 150; i++) {
        g_autofree char *path = g_strdup_printf("%u", i);
        machine_file(&m, path, 1000, i, 1000);
        struct mount_manifest *now = machine_export(&m, last, 0, &e);
        g_assert_cmpuint(e.packs->len, <=, CACHE_PACKS_MAX);
        rewritten += last && now->packs->len < last->packs->len;
        most = MAX(most, e.packs->len);
        mount_manifest_free(last);
        last = now;
    }
    g_assert_cmpuint(most, ==, CACHE_PACKS_MAX);
    g_assert_cmpuint(rewritten, <=, 8);
    check_whole(&m, last);
    mount_export_clear(&e);
    machine_drop(&m);
}

/* The least recently used are left out first, all names of a file together. */
static void test_limit(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    machine_file(&m, "old", 1000, 1, 1000);
    machine_file(&m, "new", 1000, 2, 3000);
    machine_file(&m, "read", 1000, 3, 500);
    machine_file(&m, "linked", 1000, 4, 2000);
    fixture_link(m.dir, "linked", "again");
    struct timespec times[2] = {{4000, 0}, {500, 0}};
    g_assert_cmpint(utimensat(m.mount.fd, "read", times, 0), ==, 0);
    g_autoptr(mount_manifest) two = machine_export(&m, NULL, 2999, &e);
    g_assert_cmpuint(e.left_out, ==, 2000);
    g_assert_cmpuint(e.files, ==, 2);
    g_assert_nonnull(mount_manifest_entry(two, "new"));
    g_assert_nonnull(mount_manifest_entry(two, "read"));
    g_autoptr(mount_manifest) three = machine_export(&m, two, 3000, &e);
    g_assert_cmpuint(e.left_out, ==, 1000);
    g_assert_cmpuint(e.files, ==, 4);
    g_assert_cmpuint(e.bytes, ==, 3000);
    g_assert_null(mount_manifest_entry(three, "old"));
    mount_export_clear(&e);
    machine_drop(&m);
}

static void test_specials_are_left_out(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    g_assert_cmpint(mkfifoat(m.mount.fd, "fifo", 0644), ==, 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s/socket", m.dir);
    fd_auto int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(s, (struct sockaddr *)&a, sizeof a), ==, 0);
    fixture_file(m.dir, "x", "1", 0644, 0);
    g_autoptr(mount_manifest) all = machine_export(&m, NULL, 0, &e);
    g_assert_cmpuint(all->entries->len, ==, 2);
    mount_export_clear(&e);
    machine_drop(&m);
}

struct writer {
    struct machine *m;
    atomic_bool stop;
};

/* Writes files all the time: each version of "f<n>" is one letter, as often as the letter says, and
 * is whole by rename; "grows" is changed in place; others come and go. */
static gpointer write_on(gpointer p)
{
    struct writer *w = p;
    for (guint i = 0; !atomic_load(&w->stop); i++) {
        char letter = 'a' + i % 26, path[32];
        g_autofree char *text = g_strnfill(200 * (1 + i % 26), letter);
        snprintf(path, sizeof path, "f%u", i % 10);
        fixture_file(w->m->dir, path, text, 0644, 0);
        g_autofree char *grows = fixture_path(w->m->dir, "grows");
        FILE *f = fopen(grows, "a");
        fputs("x", f);
        fclose(f);
        snprintf(path, sizeof path, "dir%u/x", i % 5);
        fixture_file(w->m->dir, path, "1", 0644, 0);
        path[4] = '\0';
        fs_remove_tree(w->m->mount.fd, path, NULL);
    }
    return NULL;
}

static void check_version(struct machine *m, const char *path)
{
    g_autofree char *text = fixture_text(m->dir, path);
    gsize len = strlen(text);
    g_assert_cmpuint(len, ==, 200 * (1 + text[0] - 'a'));
    g_assert_cmpuint(strspn(text, (char[]){text[0], '\0'}), ==, len);
}

/* Exports while somebody writes have every file as it was at one time, or not at all. */
static void test_changing(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    struct writer w = {.m = &m};
    fixture_file(m.dir, "still", "here", 0644, 1000);
    for (guint i = 0; i < 10; i++) { /* they are whole from the start */
        g_autofree char *path = g_strdup_printf("f%u", i);
        g_autofree char *text = g_strnfill(200, 'a');
        fixture_file(m.dir, path, text, 0644, 0);
    }
    g_autoptr(mount_manifest) last = machine_export(&m, NULL, 0, &e);
    GThread *t = g_thread_new("writer", write_on, &w);
    for (guint i = 0; i < 30; i++) {
        struct mount_manifest *now = machine_export(&m, last, 0, &e);
        struct machine other = machine_new();
        machine_import(&m, &other, now, NULL);
        g_autofree char *still = fixture_text(other.dir, "still");
        g_assert_cmpstr(still, ==, "here");
        for (guint k = 1; k < now->entries->len; k++)
            if (strlen(mount_entry_at(now, k)->path) == 2) /* not the writer's temporary files */
                check_version(&other, mount_entry_at(now, k)->path);
        machine_drop(&other);
        mount_manifest_free(last);
        last = now;
    }
    atomic_store(&w.stop, TRUE);
    g_thread_join(t);
    mount_manifest_free(g_steal_pointer(&last));
    last = machine_export(&m, NULL, 0, &e);
    g_assert_cmpuint(e.changing, ==, 0);
    check_whole(&m, last);
    mount_export_clear(&e);
    machine_drop(&m);
}

static void test_cancelled(void)
{
    struct machine m = machine_new();
    struct mount_export e = {0};
    GError *err = NULL;
    g_autoptr(cancel) c = cancel_new();
    cancel_trigger(c);
    m.mount.cancel = c;
    machine_file(&m, "a", 1000, 1, 0);
    g_assert_false(mount_export(&m.mount, NULL, 0, &e, &err));
    fixture_error(&err, VARVE_ERROR_CANCELLED, "");
    machine_drop(&m);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/mount-export/unchanged", test_unchanged);
    g_test_add_func("/cache/mount-export/read-is-no-change", test_read_is_no_change);
    g_test_add_func("/cache/mount-export/difference", test_difference);
    g_test_add_func("/cache/mount-export/pack-sizes", test_pack_sizes);
    g_test_add_func("/cache/mount-export/half-used", test_half_used);
    g_test_add_func("/cache/mount-export/number-of-packs", test_number_of_packs);
    g_test_add_func("/cache/mount-export/limit", test_limit);
    g_test_add_func("/cache/mount-export/specials", test_specials_are_left_out);
    g_test_add_func("/cache/mount-export/changing", test_changing);
    g_test_add_func("/cache/mount-export/cancelled", test_cancelled);
    return g_test_run();
}
