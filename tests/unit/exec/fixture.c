#include "fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "snapshot/mountfd.h"

#define BUSYBOX "/bin/busybox"

static void install_busybox(struct fixture *f)
{
    g_autofree char *bin = g_build_filename(f->root, "bin", NULL);
    g_autofree char *copy = g_build_filename(bin, "busybox", NULL);
    g_autofree char *command = g_strdup_printf("cp " BUSYBOX " %s && %s --list", copy, copy);
    g_autofree char *names = NULL;
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    g_assert_cmpint(g_mkdir_with_parents(bin, 0755), ==, 0);
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, 0, NULL, NULL, &names, NULL, NULL, NULL));
    g_auto(GStrv) list = g_strsplit(g_strchomp(names), "\n", -1);
    for (guint i = 0; list[i]; i++) {
        g_autofree char *path = g_build_filename(bin, list[i], NULL);
        if (!g_str_equal(list[i], "busybox"))
            g_assert_cmpint(symlink("busybox", path), ==, 0);
    }
}

static void collect(gpointer ctx, int fd, const void *bytes, gsize len)
{
    struct fixture *f = ctx;
    g_string_append_len(fd == 1 ? f->out : f->err, bytes, len);
}

void fixture_set_up(struct fixture *f, gconstpointer data)
{
    f->dir = g_dir_make_tmp("varve-exec-XXXXXX", NULL);
    f->root = g_build_filename(f->dir, "root", NULL);
    g_assert_cmpint(chmod(f->dir, 0755), ==, 0);
    install_busybox(f);
    f->root_fd = mountfd_clone(AT_FDCWD, f->root, 0, NULL);
    f->out = g_string_new(NULL);
    f->err = g_string_new(NULL);
    f->spec = (struct sandbox_spec){
        .root_fd = f->root_fd, .stdin_fd = -1, .output = collect, .output_ctx = f};
}

void fixture_tear_down(struct fixture *f, gconstpointer data)
{
    fd_cleanup(&f->root_fd);
    g_autofree char *name = g_path_get_basename(f->dir);
    fd_auto int tmp = fs_open_dir(AT_FDCWD, g_get_tmp_dir(), NULL);
    fs_remove_tree(tmp, name, NULL);
    g_free(f->dir);
    g_free(f->root);
    g_string_free(f->out, TRUE);
    g_string_free(f->err, TRUE);
}

gboolean fixture_skip(const struct fixture *f)
{
    if (f->root_fd >= 0 && access(BUSYBOX, X_OK) == 0)
        return FALSE;
    g_test_skip("needs the right to mount and busybox-static");
    return TRUE;
}

void fixture_write(const struct fixture *f, const char *path, const char *text, int mode)
{
    g_autofree char *full = g_build_filename(f->root, path, NULL);
    g_autofree char *above = g_path_get_dirname(full);
    g_assert_cmpint(g_mkdir_with_parents(above, 0755), ==, 0);
    g_assert_true(g_file_set_contents(full, text, -1, NULL));
    g_assert_cmpint(chmod(full, mode), ==, 0);
}

gboolean fixture_has(const struct fixture *f, const char *path)
{
    g_autofree char *full = g_build_filename(f->root, path, NULL);
    struct stat st;
    return lstat(full, &st) == 0;
}

/* A detached mount can be attached once only. */
static void renew_root(struct fixture *f)
{
    if (f->root_fd < 0)
        return;
    fd_cleanup(&f->root_fd);
    f->root_fd = mountfd_clone(AT_FDCWD, f->root, 0, NULL);
    f->spec.root_fd = f->root_fd;
}

gboolean fixture_run(struct fixture *f, struct cancel *c, GError **err)
{
    renew_root(f);
    return sandbox_run(&f->spec, c, &f->result, err);
}

gboolean fixture_sh(struct fixture *f, const char *script, GError **err)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    f->spec.args = argv;
    g_string_truncate(f->out, 0);
    g_string_truncate(f->err, 0);
    gboolean ok = fixture_run(f, NULL, err);
    f->spec.args = NULL;
    return ok;
}

const char *fixture_output(struct fixture *f, const char *script)
{
    g_autoptr(GError) err = NULL;
    gboolean ok = fixture_sh(f, script, &err);
    g_assert_no_error(err);
    g_assert_true(ok);
    if (f->result.exit_code)
        g_test_message("%s: exit code %d: %s%s", script, f->result.exit_code, f->out->str,
                       f->err->str);
    g_assert_cmpint(f->result.exit_code, ==, 0);
    if (f->out->len && f->out->str[f->out->len - 1] == '\n')
        g_string_truncate(f->out, f->out->len - 1);
    return f->out->str;
}
