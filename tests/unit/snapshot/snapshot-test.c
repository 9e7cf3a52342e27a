#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "layer/overlaymark.h"
#include "snapshot/snapshot.h"

struct fixture {
    char *dir; /* the store's root */
    struct store *store;
    struct chain *chain;
};

static void set_up(struct fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("varve-snapshot-XXXXXX", NULL);
    f->store = store_open(f->dir, NULL);
    g_assert_nonnull(f->store);
    f->chain = chain_new();
}

static void tear_down(struct fixture *f, gconstpointer data)
{
    chain_free(f->chain);
    store_close(f->store);
    g_autofree char *name = g_path_get_basename(f->dir);
    fd_auto int tmp = fs_open_dir(AT_FDCWD, g_get_tmp_dir(), NULL);
    g_assert_true(fs_remove_tree(tmp, name, NULL));
    g_free(f->dir);
}

/* A snapshot with one driver; NULL with the test skipped when mounting is refused here, or the
 * kernel is too old for it. */
static struct snapshot *open_with(struct fixture *f, gboolean writable, enum snapshot_driver d)
{
    g_autoptr(GError) err = NULL;
    struct snapshot *sn = snapshot_open(f->store, f->chain, writable, d, &err);
    if (!sn && (strstr(err->message, g_strerror(EPERM)) || strstr(err->message, "before 6.5")))
        g_test_skip(err->message);
    else
        g_assert_no_error(err);
    return sn;
}

static void put(int root, const char *path, const char *text)
{
    fd_auto int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(fs_write_all(fd, text, strlen(text), NULL));
}

static void expect(int root, const char *path, const char *text)
{
    g_autoptr(GBytes) b = fs_read(root, path, 1000, NULL);
    if (!text) {
        g_assert_null(b);
        return;
    }
    g_assert_nonnull(b);
    g_assert_cmpstr(g_bytes_get_data(b, NULL), ==, text);
}

static void commit(struct fixture *f, struct snapshot *sn)
{
    struct layer_info info;
    g_autoptr(GError) err = NULL;
    snapshot_commit(sn, NULL, &info, &err);
    g_assert_no_error(err);
    chain_append(f->chain, info.id);
}

/* The names in a directory of the newest layer, joined with blanks. */
static char *layer_names(struct fixture *f, const char *path)
{
    g_autofree char *layer = store_layer_path(f->chain->ids[f->chain->n - 1]);
    g_autofree char *full = g_build_filename(layer, path, NULL);
    fd_auto int fd = fs_open_dir(store_fd(f->store), full, NULL);
    g_autoptr(GPtrArray) names = fs_list(fd, NULL);
    g_ptr_array_add(names, NULL);
    return g_strjoinv(" ", (char **)names->pdata);
}

static gboolean first_layer(struct fixture *f, enum snapshot_driver d)
{
    struct snapshot *sn = open_with(f, TRUE, d);
    if (!sn)
        return FALSE;
    int root = sn->mount_fd;
    g_assert_cmpint(mkdirat(root, "etc", 0755), ==, 0);
    g_assert_cmpint(mkdirat(root, "gone", 0755), ==, 0);
    g_assert_cmpint(mkdirat(root, "swap", 0755), ==, 0);
    put(root, "etc/a", "a");
    put(root, "etc/b", "b");
    put(root, "gone/x", "x");
    put(root, "swap/old", "old");
    put(root, "file", "file");
    put(root, "one", "linked");
    g_assert_cmpint(linkat(root, "one", root, "two", 0), ==, 0);
    g_assert_cmpint(symlinkat("etc/a", root, "link"), ==, 0);
    commit(f, sn);
    return TRUE;
}

static gboolean second_layer(struct fixture *f, enum snapshot_driver d)
{
    struct snapshot *sn = open_with(f, TRUE, d);
    if (!sn)
        return FALSE;
    int root = sn->mount_fd;
    expect(root, "etc/a", "a");
    expect(root, "two", "linked");
    put(root, "etc/a", "changed");
    g_assert_cmpint(unlinkat(root, "etc/b", 0), ==, 0);
    g_assert_true(fs_remove_tree(root, "gone", NULL));
    g_assert_true(fs_remove_tree(root, "swap", NULL));
    g_assert_cmpint(mkdirat(root, "swap", 0700), ==, 0);
    put(root, "swap/new", "new");
    g_assert_cmpint(unlinkat(root, "file", 0), ==, 0);
    g_assert_cmpint(mkdirat(root, "file", 0755), ==, 0);
    put(root, "file/inside", "inside");
    commit(f, sn);
    return TRUE;
}

/* Every driver makes layers that every driver reads. */
static void test_drivers(struct fixture *f, gconstpointer data)
{
    enum snapshot_driver d = GPOINTER_TO_INT(data);
    if (!first_layer(f, d) || !second_layer(f, d))
        return;
    g_autofree char *top = layer_names(f, "fs");
    g_assert_cmpstr(top, ==, "etc file gone swap");
    g_autofree char *all = layer_names(f, "");
    g_assert_cmpstr(all, ==, "fs index"); /* work/ and merged/ are gone */
    for (enum snapshot_driver r = DRIVER_OVERLAY_FD; r <= DRIVER_COPY; r++) {
        g_autoptr(snapshot) sn = open_with(f, FALSE, r);
        if (!sn)
            continue;
        g_assert_cmpint(sn->driver, ==, r);
        int root = sn->mount_fd;
        struct stat st, other;
        expect(root, "etc/a", "changed");
        expect(root, "etc/b", NULL);
        expect(root, "gone/x", NULL);
        expect(root, "swap/old", NULL);
        expect(root, "swap/new", "new");
        expect(root, "file/inside", "inside");
        expect(root, "one", "linked");
        g_assert_cmpint(fstatat(root, "gone", &st, 0), ==, -1);
        g_assert_cmpint(fstatat(root, "swap", &st, 0), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0700);
        g_assert_cmpint(fstatat(root, "one", &st, 0), ==, 0);
        g_assert_cmpint(fstatat(root, "two", &other, 0), ==, 0);
        g_assert_cmpuint(st.st_ino, ==, other.st_ino);
        g_assert_cmpint(openat(root, "etc/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), ==, -1);
        g_assert_cmpint(errno, ==, EROFS);
    }
}

/* What was written is there in another mount, and in the layer. */
static void test_remount(struct fixture *f, gconstpointer data)
{
    enum snapshot_driver d = GPOINTER_TO_INT(data);
    if (!first_layer(f, d))
        return;
    struct snapshot *sn = open_with(f, TRUE, d);
    if (!sn)
        return;
    put(sn->mount_fd, "etc/a", "written");
    g_assert_cmpint(unlinkat(sn->mount_fd, "etc/b", 0), ==, 0);
    for (int i = 0; i < 2; i++) {
        g_autoptr(GError) err = NULL;
        g_assert_true(snapshot_remount(sn, &err));
        g_assert_no_error(err);
        g_assert_cmpint(sn->driver, ==, d);
        expect(sn->mount_fd, "etc/a", "written");
        expect(sn->mount_fd, "etc/b", NULL);
        put(sn->mount_fd, i ? "second" : "first", "later");
    }
    commit(f, sn);
    g_autofree char *top = layer_names(f, "fs"), *etc = layer_names(f, "fs/etc");
    g_assert_cmpstr(top, ==, "etc first second");
    g_assert_cmpstr(etc, ==, "a b"); /* b: a whiteout */
    sn = open_with(f, FALSE, d);
    g_assert_true(snapshot_remount(sn, NULL));
    expect(sn->mount_fd, "second", "later");
    snapshot_discard(sn);
}

static void test_many(struct fixture *f, gconstpointer data)
{
    enum snapshot_driver d = GPOINTER_TO_INT(data);
    for (int i = 0; i < 200; i++) {
        g_autoptr(chain) below = g_steal_pointer(&f->chain);
        f->chain = chain_new(); /* unmerged layers: quick to make */
        struct snapshot *sn = open_with(f, TRUE, d);
        if (!sn)
            return;
        g_autofree char *name = g_strdup_printf("f%d", i);
        put(sn->mount_fd, name, name);
        put(sn->mount_fd, "top", name);
        commit(f, sn);
        chain_append(below, f->chain->ids[0]);
        chain_free(f->chain);
        f->chain = g_steal_pointer(&below);
    }
    struct snapshot *sn = open_with(f, TRUE, d);
    if (!sn)
        return;
    g_assert_cmpint(sn->driver, ==, d);
    expect(sn->mount_fd, "f0", "f0");
    expect(sn->mount_fd, "f199", "f199");
    expect(sn->mount_fd, "top", "f199");
    put(sn->mount_fd, "top", "above");
    commit(f, sn);
    g_autofree char *names = layer_names(f, "fs");
    g_assert_cmpstr(names, ==, "top");
}

static void test_too_many(struct fixture *f, gconstpointer data)
{
    if (!first_layer(f, DRIVER_AUTO))
        return;
    g_autofree char *real = g_strdup(f->chain->ids[0]);
    while (f->chain->n < 501) { /* none of them is looked at */
        g_autofree char *id = g_strdup_printf("%0*u", LAYER_ID_LEN, f->chain->n);
        chain_append(f->chain, id);
    }
    chain_append(f->chain, real);
    g_autoptr(GError) err = NULL;
    g_assert_null(snapshot_open(f->store, f->chain, TRUE, DRIVER_AUTO, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED);
    g_assert_nonnull(strstr(err->message, "501 layers"));
}

/* Overlayfs takes no layer twice. What it says further up counts. */
static void test_twice(struct fixture *f, gconstpointer data)
{
    enum snapshot_driver d = GPOINTER_TO_INT(data);
    if (!first_layer(f, d) || !second_layer(f, d))
        return;
    g_autofree char *first = g_strdup(f->chain->ids[0]);
    chain_append(f->chain, first);
    g_autoptr(snapshot) again = open_with(f, TRUE, DRIVER_AUTO);
    g_autoptr(snapshot) sn = open_with(f, TRUE, d);
    if (!sn || !again)
        return;
    g_assert_cmpint(again->driver, !=, DRIVER_COPY);
    g_assert_cmpint(sn->chain->n, ==, 2);
    expect(sn->mount_fd, "etc/a", "a");
    g_autoptr(chain) alone = chain_new();
    chain_append(alone, first);
    chain_append(alone, first);
    g_autoptr(snapshot) seen = snapshot_open(f->store, alone, FALSE, d, NULL);
    g_assert_nonnull(seen);
    expect(seen->mount_fd, "etc/a", "a");
}

/* One chain that cannot be mounted is copied, with a word about it; others are mounted as before.
 */
static void test_one_refused(struct fixture *f, gconstpointer data)
{
    if (!first_layer(f, DRIVER_OVERLAY_FD) || !second_layer(f, DRIVER_OVERLAY_FD))
        return;
    g_autofree char *layer = store_layer_path(f->chain->ids[0]);
    g_autofree char *floor = g_build_filename(layer, "fs", NULL); /* twice: ELOOP */
    g_autoptr(GError) err = NULL;
    g_autoptr(snapshot) bad = snapshot_open_floor(f->store, f->chain, floor, DRIVER_AUTO, &err);
    g_assert_no_error(err);
    g_assert_cmpint(bad->driver, ==, DRIVER_COPY);
    g_autofree char *warning = snapshot_warning(bad);
    g_assert_nonnull(strstr(warning, g_strerror(ELOOP)));
    g_autoptr(snapshot) good = snapshot_open(f->store, f->chain, TRUE, DRIVER_AUTO, NULL);
    g_assert_cmpint(good->driver, ==, DRIVER_OVERLAY_FD);
    g_assert_null(snapshot_warning(good));
}

/* The host's mount table never shows a snapshot. */
static void test_hidden(struct fixture *f, gconstpointer data)
{
    if (!first_layer(f, DRIVER_AUTO) || !second_layer(f, DRIVER_AUTO))
        return;
    g_autoptr(snapshot) sn = open_with(f, TRUE, GPOINTER_TO_INT(data));
    g_autofree char *mounts = NULL;
    g_assert_true(g_file_get_contents("/proc/self/mountinfo", &mounts, NULL, NULL));
    g_assert_null(strstr(mounts, f->dir));
}

static void test_readonly(struct fixture *f, gconstpointer data)
{
    struct layer_info info;
    g_autoptr(GError) err = NULL;
    struct snapshot *sn = open_with(f, FALSE, DRIVER_AUTO); /* scratch: nothing in it */
    if (!sn)
        return;
    g_autoptr(GPtrArray) names = NULL;
    fd_auto int fd = openat(sn->mount_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    names = fs_list(fd, NULL);
    g_assert_cmpuint(names->len, ==, 0);
    g_assert_false(snapshot_commit(sn, NULL, &info, &err));
    g_assert_nonnull(err);
}

/* Discarding leaves nothing, also nothing in tmp. */
static void test_discard(struct fixture *f, gconstpointer data)
{
    if (!first_layer(f, DRIVER_AUTO))
        return;
    struct snapshot *sn = open_with(f, TRUE, GPOINTER_TO_INT(data));
    if (!sn)
        return;
    g_autofree char *tmp = g_build_filename(f->dir, sn->tmp, NULL);
    put(sn->mount_fd, "new", "new");
    g_assert_true(g_file_test(tmp, G_FILE_TEST_EXISTS));
    snapshot_discard(sn);
    g_assert_false(g_file_test(tmp, G_FILE_TEST_EXISTS));
}

/* As a mount point that was made in dir and removed. */
static void come_and_go(struct snapshot *sn, const char *dir)
{
    struct stat st;
    g_autofree char *stub = g_strconcat(dir, "/stub", NULL);
    g_assert_cmpint(fstatat(sn->mount_fd, dir, &st, 0), ==, 0);
    put(sn->mount_fd, stub, "");
    g_assert_cmpint(unlinkat(sn->mount_fd, stub, 0), ==, 0);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    g_assert_cmpint(utimensat(sn->mount_fd, dir, times, 0), ==, 0);
}

static void forget(struct snapshot *sn, const char *const *touched, guint n)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (guint i = 0; i < n; i++)
        g_ptr_array_add(list, (gpointer)touched[i]);
    snapshot_forget(sn, list);
}

/* A directory in which only mount points came and went is not in the layer; one that changed is. */
static void test_forget(struct fixture *f, gconstpointer data)
{
    if (!first_layer(f, DRIVER_AUTO))
        return;
    struct snapshot *sn = open_with(f, TRUE, DRIVER_AUTO);
    g_assert_cmpint(sn->driver, !=, DRIVER_COPY);
    const char *touched[] = {"/etc", "/swap", "/"};
    come_and_go(sn, "etc");
    come_and_go(sn, "swap");
    g_assert_cmpint(fchmodat(sn->mount_fd, "swap", 0711, 0), ==, 0);
    forget(sn, touched, G_N_ELEMENTS(touched));
    commit(f, sn);
    g_autofree char *names = layer_names(f, "fs");
    g_assert_cmpstr(names, ==, "swap");
}

/* Seen below all layers, in their directories too, but where one hides what is below it. A
 * directory of its own that stays empty is in no layer. */
static void test_floor(struct fixture *f, gconstpointer data)
{
    enum snapshot_driver d = GPOINTER_TO_INT(data);
    if (!first_layer(f, d) || !second_layer(f, d))
        return;
    g_autofree char *floor = store_tmp_dir(f->store, NULL);
    fd_auto int dir = fs_open_dir(store_fd(f->store), floor, NULL);
    g_assert_true(fs_mkdir_p(dir, "etc", 0755, NULL) && fs_mkdir_p(dir, "swap", 0755, NULL));
    put(dir, "etc/hosts", "");
    put(dir, "etc/a", "hidden");
    put(dir, "swap/under", "");
    g_assert_true(fs_mkdir_p(dir, "alone", 0755, NULL) && fs_mkdir_p(dir, "mode", 0755, NULL));
    struct snapshot *sn = snapshot_open_floor(f->store, f->chain, floor, d, NULL);
    g_assert_nonnull(sn);
    expect(sn->mount_fd, "etc/hosts", "");
    expect(sn->mount_fd, "etc/a", "changed");
    expect(sn->mount_fd, "swap/under", NULL);
    put(sn->mount_fd, "etc/new", "new");
    g_assert_cmpint(fchmodat(sn->mount_fd, "mode", 0700, 0), ==, 0);
    come_and_go(sn, "alone");
    g_assert_true(snapshot_remount(sn, NULL));
    expect(sn->mount_fd, "etc/hosts", "");
    const char *touched[] = {"/alone"};
    forget(sn, touched, 1);
    commit(f, sn);
    g_autofree char *top = layer_names(f, "fs");
    g_assert_cmpstr(top, ==, "etc");
    g_autofree char *names = layer_names(f, "fs/etc");
    g_assert_cmpstr(names, ==, "new");
    g_autoptr(snapshot) plain = open_with(f, FALSE, d);
    expect(plain->mount_fd, "etc/new", "new");
    expect(plain->mount_fd, "etc/hosts", NULL);
}

/* The merged root has the attributes of the layer below. */
static void test_root_mode(struct fixture *f, gconstpointer data)
{
    struct snapshot *sn = open_with(f, TRUE, DRIVER_AUTO);
    if (!sn)
        return;
    struct stat st;
    g_assert_cmpint(fchmodat(sn->mount_fd, ".", 0711, 0), ==, 0);
    commit(f, sn);
    sn = open_with(f, TRUE, GPOINTER_TO_INT(data));
    if (!sn)
        return;
    g_assert_cmpint(fstat(sn->mount_fd, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0711);
    snapshot_discard(sn);
}

static void test_speed(struct fixture *f, gconstpointer data)
{
    if (!first_layer(f, DRIVER_AUTO))
        return;
    gint64 best = G_MAXINT64;
    for (int i = 0; i < 20; i++) {
        gint64 start = g_get_monotonic_time();
        struct snapshot *sn = open_with(f, TRUE, DRIVER_AUTO);
        commit(f, sn);
        best = MIN(best, g_get_monotonic_time() - start);
    }
    g_test_message("open and commit: %.2f ms at best", best / 1000.0);
    g_assert_cmpint(best, <, g_test_perf() ? 20000 : 200000); /* a busy machine is no regression */
}

static void add(const char *path, enum snapshot_driver d,
                void (*test)(struct fixture *, gconstpointer))
{
    g_test_add(path, struct fixture, GINT_TO_POINTER(d), set_up, test, tear_down);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    add("/snapshot/drivers/fd", DRIVER_OVERLAY_FD, test_drivers);
    add("/snapshot/drivers/classic", DRIVER_OVERLAY_CLASSIC, test_drivers);
    add("/snapshot/drivers/copy", DRIVER_COPY, test_drivers);
    add("/snapshot/remount/fd", DRIVER_OVERLAY_FD, test_remount);
    add("/snapshot/remount/classic", DRIVER_OVERLAY_CLASSIC, test_remount);
    add("/snapshot/remount/copy", DRIVER_COPY, test_remount);
    add("/snapshot/many/fd", DRIVER_OVERLAY_FD, test_many);
    add("/snapshot/many/classic", DRIVER_OVERLAY_CLASSIC, test_many);
    add("/snapshot/too-many", DRIVER_AUTO, test_too_many);
    add("/snapshot/twice/fd", DRIVER_OVERLAY_FD, test_twice);
    add("/snapshot/twice/classic", DRIVER_OVERLAY_CLASSIC, test_twice);
    add("/snapshot/twice/copy", DRIVER_COPY, test_twice);
    add("/snapshot/one-refused", DRIVER_AUTO, test_one_refused);
    add("/snapshot/hidden/fd", DRIVER_OVERLAY_FD, test_hidden);
    add("/snapshot/hidden/classic", DRIVER_OVERLAY_CLASSIC, test_hidden);
    add("/snapshot/readonly", DRIVER_AUTO, test_readonly);
    add("/snapshot/discard/fd", DRIVER_OVERLAY_FD, test_discard);
    add("/snapshot/discard/copy", DRIVER_COPY, test_discard);
    add("/snapshot/forget", DRIVER_AUTO, test_forget);
    add("/snapshot/floor/fd", DRIVER_OVERLAY_FD, test_floor);
    add("/snapshot/floor/classic", DRIVER_OVERLAY_CLASSIC, test_floor);
    add("/snapshot/root-mode/fd", DRIVER_OVERLAY_FD, test_root_mode);
    add("/snapshot/root-mode/copy", DRIVER_COPY, test_root_mode);
    add("/snapshot/speed", DRIVER_AUTO, test_speed);
    return g_test_run();
}
