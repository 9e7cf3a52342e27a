#include "step.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/sandbox.h"
#include "fixture.h"
#include "snapshot/snapshot.h"

struct step {
    struct fixture f; /* its root becomes the base layer */
    char *dir;        /* the store's root */
    struct store *store;
    struct chain *chain;
};

static char *base_path(const struct step *s, const char *tmp)
{
    return g_build_filename(s->dir, tmp, "fs", NULL);
}

static void set_up(struct step *s, gconstpointer data)
{
    fixture_set_up(&s->f, NULL);
    s->dir = g_dir_make_tmp("varve-step-XXXXXX", NULL);
    s->store = store_open(s->dir, NULL);
    s->chain = chain_new();
    g_autofree char *etc = g_build_filename(s->f.root, "etc", NULL);
    g_assert_cmpint(g_mkdir_with_parents(etc, 0755), ==, 0);
    g_autofree char *tmp = store_tmp_dir(s->store, NULL);
    g_autofree char *to = base_path(s, tmp);
    struct layer_info info = {0};
    fd_cleanup(&s->f.root_fd);
    g_assert_cmpint(rename(s->f.root, to), ==, 0);
    g_assert_true(store_layer_commit(s->store, tmp, &info, NULL));
    chain_append(s->chain, info.id);
}

static void tear_down(struct step *s, gconstpointer data)
{
    chain_free(s->chain);
    store_close(s->store);
    fd_auto int tmp = fs_open_dir(AT_FDCWD, g_get_tmp_dir(), NULL);
    g_autofree char *name = g_path_get_basename(s->dir);
    g_assert_true(fs_remove_tree(tmp, name, NULL));
    g_free(s->dir);
    fixture_tear_down(&s->f, NULL);
}

/* Runs script over the chain and appends the new layer. FALSE: skipped. */
static gboolean run_step(struct step *s, enum snapshot_driver d, const char *script)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(GPtrArray) touched = g_ptr_array_new_with_free_func(g_free);
    struct snapshot *sn = snapshot_open(s->store, s->chain, TRUE, d, &err);
    if (!sn && (strstr(err->message, "not permitted") || strstr(err->message, "before 6.5"))) {
        g_test_skip(err->message);
        return FALSE;
    }
    g_assert_no_error(err);
    s->f.spec.root_fd = sn->mount_fd;
    s->f.spec.touched = touched;
    gboolean ok = fixture_sh(&s->f, script, &err);
    g_assert_no_error(err);
    g_assert_true(ok);
    if (s->f.result.exit_code)
        g_test_message("%s%s", s->f.out->str, s->f.err->str);
    g_assert_cmpint(s->f.result.exit_code, ==, 0);
    snapshot_forget(sn, touched);
    struct layer_info info;
    snapshot_commit(sn, NULL, &info, &err);
    g_assert_no_error(err);
    chain_append(s->chain, info.id);
    return TRUE;
}

/* Names in a directory of the top layer. */
static char *top_names(struct step *s, const char *path)
{
    g_autofree char *layer = store_layer_path(s->chain->ids[s->chain->n - 1]);
    g_autofree char *full = g_build_filename(layer, "fs", path, NULL);
    fd_auto int fd = fs_open_dir(store_fd(s->store), full, NULL);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : fs_list(fd, NULL);
    if (!names)
        return NULL;
    g_ptr_array_add(names, NULL);
    return g_strjoinv(" ", (char **)names->pdata);
}

static void test_layers(struct step *s, gconstpointer data)
{
    enum snapshot_driver d = GPOINTER_TO_INT(data);
    if (!run_step(s, d, "echo one >/one && mkdir -p /dir/sub && echo x >/dir/sub/x && rm /bin/yes"))
        return;
    g_autofree char *first = top_names(s, ""), *bin = top_names(s, "bin");
    g_assert_cmpstr(first, ==, "bin dev dir one proc sys");
    g_assert_cmpstr(bin, ==, "yes"); /* a whiteout */
    run_step(s, d, "true");
    g_autofree char *empty = top_names(s, "");
    g_assert_cmpstr(empty, ==, ""); /* nothing of /etc, in which mount points came and went */
    run_step(s, d,
             "test $(cat /one) = one && ! test -e /bin/yes && rm -r /dir && mkdir /dir && echo y "
             ">/dir/y");
    run_step(s, d, "test $(ls /dir) = y && chown 0:0 /one && mv /one /two && ln -s two /three");
    g_autofree char *last = top_names(s, "");
    g_assert_cmpstr(last, ==, "one three two");
}

static void test_isolation(struct step *s, gconstpointer data)
{
    if (!run_step(s, DRIVER_AUTO,
                  "cat /proc/self/mountinfo; ls /dev; cat /proc/1/environ; ls /proc; ls /sys"))
        return;
    g_assert_null(strstr(s->f.out->str, s->dir));
    run_step(s, DRIVER_AUTO,
             "head -c 2 /dev/urandom | wc -c; echo x >/dev/null; test -c /dev/tty; ls /dev/pts; "
             "touch /dev/shm/x; grep ^Cap /proc/self/status | cut -f2");
    g_assert_cmpstr(s->f.out->str, ==,
                    "2\nptmx\n0000000000000000\n00000000a80425fb\n00000000a80425fb\n"
                    "00000000a80425fb\n0000000000000000\n");
    s->f.spec.network = NET_NONE;
    run_step(s, DRIVER_AUTO,
             "ip addr show lo | grep -o 127.0.0.1; grep -c : /proc/net/dev; ls /sys/class/net; "
             "! unshare -U true; ! mount -t tmpfs x /dir; hostname");
    g_assert_cmpstr(s->f.out->str, ==, "127.0.0.1\n1\nlo\nbuildkitsandbox\n");
}

static void test_speed(struct step *s, gconstpointer data)
{
    gint64 best = G_MAXINT64;
    for (int i = 0; i < 40; i++) {
        gint64 start = g_get_monotonic_time();
        if (!run_step(s, DRIVER_AUTO, "true"))
            return;
        best = MIN(best, g_get_monotonic_time() - start);
    }
    g_test_message("a step: %.2f ms at best", best / 1000.0);
    g_assert_cmpint(best, <, 60000);
}

static void add(const char *path, enum snapshot_driver d,
                void (*test)(struct step *, gconstpointer))
{
    g_test_add(path, struct step, GINT_TO_POINTER(d), set_up, test, tear_down);
}

void step_add_tests(void)
{
    add("/step/layers/fd", DRIVER_OVERLAY_FD, test_layers);
    add("/step/layers/classic", DRIVER_OVERLAY_CLASSIC, test_layers);
    add("/step/layers/copy", DRIVER_COPY, test_layers);
    add("/step/isolation", DRIVER_AUTO, test_isolation);
    add("/step/speed", DRIVER_AUTO, test_speed);
}
