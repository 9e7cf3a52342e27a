#include "fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/slots.h"

#define BUSYBOX "/usr/bin/busybox"

void fixture_write(const struct fixture *f, const char *path, const char *text)
{
    g_autofree char *full = g_build_filename(f->dir, path, NULL);
    g_autoptr(GError) err = NULL;
    g_file_set_contents(full, text, -1, &err);
    g_assert_no_error(err);
}

char *fixture_read(const struct fixture *f, const char *path)
{
    g_autofree char *full = g_build_filename(f->dir, path, NULL);
    char *text = NULL;
    return g_file_get_contents(full, &text, NULL, NULL) ? text : NULL;
}

struct build_request *fixture_request(const struct fixture *f, const char *name, const char *text,
                                      const char *target)
{
    g_autofree char *file = g_strconcat("Dockerfile-", name, NULL);
    g_autofree char *out = g_strdup_printf("type=local,dest=%s/out-%s", f->dir, name);
    char *specs[] = {out, (char *)"type=image", NULL};
    g_autoptr(GError) err = NULL;
    struct build_request *r = build_request_new();
    fixture_write(f, file, text);
    r->file = g_build_filename(f->dir, file, NULL);
    r->target = g_strdup(target);
    g_assert_true(build_add_tag(r, name, &err));
    g_assert_true(build_set_outputs(r, specs, FALSE, FALSE, &err));
    g_assert_true(build_set_context(r, f->context, &err));
    g_assert_no_error(err);
    return r;
}

/* Programs run for root where mounts are allowed; what else is missing shows here. */
static gboolean can_run(const struct fixture *f)
{
    g_autofree char *run = g_strdup_printf(RUN_BUSYBOX, "echo yes >/probe");
    g_autofree char *text = g_strconcat("FROM scratch\nCOPY bin /bin\n", run, NULL);
    if (geteuid() != 0 || access(BUSYBOX, X_OK) != 0)
        return FALSE;
    g_autoptr(build_request) r = fixture_request(f, "probe", text, NULL);
    g_autoptr(build) b = build_new(r, f->session, NULL);
    return build_run(b, NULL);
}

void fixture_init(struct fixture *f)
{
    struct session_options so = {0};
    f->dir = g_dir_make_tmp("varve-build-XXXXXX", NULL);
    so.root = f->store = g_build_filename(f->dir, "store", NULL);
    f->context = g_build_filename(f->dir, "context", NULL);
    so.config_file = g_build_filename(f->dir, "varve.conf", NULL); /* nobody's */
    f->slots = so.slots = slots_new(4);
    fixture_write(f, "varve.conf", "");
    f->session = session_new(&so);
    g_free((char *)so.config_file);
    g_autofree char *bin = g_build_filename(f->context, "bin", NULL);
    g_assert_cmpint(g_mkdir_with_parents(bin, 0755), ==, 0);
    fixture_write(f, "context/a", "first\n");
    fixture_write(f, "context/b", "second\n");
    g_autofree char *copy = g_build_filename(bin, "busybox", NULL);
    g_autofree char *program = NULL;
    gsize len;
    if (g_file_get_contents(BUSYBOX, &program, &len, NULL)) {
        g_assert_true(g_file_set_contents(copy, program, (gssize)len, NULL));
        g_assert_cmpint(chmod(copy, 0755), ==, 0);
    }
    f->runs = can_run(f);
}

void fixture_clear(struct fixture *f)
{
    session_free(f->session);
    slots_free(f->slots);
    g_autofree char *name = g_path_get_basename(f->dir);
    fd_auto int tmp = fs_open_dir(AT_FDCWD, g_get_tmp_dir(), NULL);
    g_assert_true(fs_remove_tree(tmp, name, NULL));
    g_free(f->store);
    g_free(f->context);
    g_free(f->dir);
}
