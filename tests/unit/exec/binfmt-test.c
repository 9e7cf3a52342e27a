#include <fcntl.h>
#include <glib/gstdio.h>

#include "base/fs.h"
#include "exec/binfmt.h"

/* A directory that reads like a binfmt_misc. */
struct place {
    char *path;
    int fd;
};

static void place_set_up(struct place *p, gconstpointer data)
{
    p->path = g_dir_make_tmp("binfmt-XXXXXX", NULL);
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_assert_cmpint(p->fd, >=, 0);
}

static void place_tear_down(struct place *p, gconstpointer data)
{
    g_assert_true(fs_remove_tree(AT_FDCWD, p->path, NULL));
    fd_cleanup(&p->fd);
    g_free(p->path);
}

static void put(const struct place *p, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(p->path, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

#define ARM64                                                                                      \
    "offset 0\nmagic 7f454c460201010000000000000000000200b700\n"                                   \
    "mask ffffffffffffff00fffffffffffffffffeffffff\n"

static void find_entries(struct place *p, gconstpointer data)
{
    put(p, "status", "enabled\n");
    put(p, "register", "");
    put(p, "a-name", "enabled\ninterpreter /usr/bin/python3\nflags: \nextension .pyc\n");
    put(p, "off", "disabled\ninterpreter /off\nflags: F\n" ARM64);
    put(p, "qemu", "enabled\ninterpreter /usr/bin/qemu a\nflags: POCF\n" ARM64);
    g_autoptr(binfmt) b = binfmt_read(p->fd);
    g_assert_true(b->known);
    g_assert_cmpuint(b->entries->len, ==, 2);
    const struct binfmt_entry *e = binfmt_find(b, machine_of_arch("arm64"));
    g_assert_cmpstr(e->name, ==, "qemu");
    g_assert_cmpstr(e->interpreter, ==, "/usr/bin/qemu a");
    g_assert_true(e->fixed);
    g_assert_null(binfmt_find(b, machine_of_arch("amd64")));
    g_assert_null(binfmt_find(b, machine_of_arch("arm")));
}

static void find_nothing(struct place *p, gconstpointer data)
{
    put(p, "status", "disabled\n");
    put(p, "qemu", "enabled\ninterpreter /q\nflags: F\n" ARM64);
    g_autoptr(binfmt) b = binfmt_read(p->fd);
    g_assert_true(b->known);
    g_assert_cmpuint(b->entries->len, ==, 0);
}

/* What no kernel writes. */
static void read_garbage(struct place *p, gconstpointer data)
{
    put(p, "long", "enabled\ninterpreter /q\nflags: \noffset 4294967295\nmagic zz\nmask 00\n");
    put(p, "none", "enabled\nflags: F\n");
    put(p, "half", "enabled\ninterpreter /q\nmagic 4d5\nmask ff\n");
    g_autoptr(binfmt) b = binfmt_read(p->fd);
    g_assert_null(binfmt_find(b, machine_of_arch("s390x")));
}

/* Every machine is told by the head of its own probe. */
static void tell_machines(void)
{
    static const char *const arches[] = {"amd64",   "386",   "arm64",    "arm",    "riscv64",
                                         "ppc64le", "s390x", "mips64le", "loong64"};
    for (guint i = 0; i < G_N_ELEMENTS(arches); i++) {
        const struct machine *m = machine_of_arch(arches[i]);
        g_autoptr(GBytes) program = machine_probe(m);
        gsize len;
        const void *bytes = g_bytes_get_data(program, &len);
        g_assert_true(machine_of_head(bytes, len) == m);
        g_assert_null(machine_of_head(bytes, MACHINE_HEADER - 1));
    }
    g_assert_null(machine_of_arch("m68k"));
    g_assert_null(machine_of_head("#!/bin/sh\n# a script of some length", 30));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add("/binfmt/entries", struct place, NULL, place_set_up, find_entries, place_tear_down);
    g_test_add("/binfmt/off", struct place, NULL, place_set_up, find_nothing, place_tear_down);
    g_test_add("/binfmt/garbage", struct place, NULL, place_set_up, read_garbage, place_tear_down);
    g_test_add_func("/machine/tell", tell_machines);
    return g_test_run();
}
