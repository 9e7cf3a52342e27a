/* ADD's extraction of archives, made by tar(1). */
#include "fileops.h"

/* Runs a shell command that makes an archive at $OUT, then ADDs it to /t/. */
static char *add_archive(struct fix *f, const char *command, const char *actions, GError **err)
{
    g_autofree char *script =
        g_strdup_printf("set -e; cd '%s'; OUT='%s/a.tar'; %s", f->dir, f->dir, command);
    char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
    int status;
    g_assert_true(
        g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, &status, NULL));
    g_assert_cmpint(status, ==, 0);
    g_autoptr(tree) t = scan_dir(f->store, f->dir, NULL, "the build context", NULL, NULL);
    struct parsed p = parse(actions, FALSE);
    g_autoptr(chain) c = chain_copy(f->base);
    g_autofree char *id = run(f, &p.op, t, c, err);
    parsed_clear(&p);
    if (!id)
        return NULL;
    check_layer(f, id);
    overlay_check(f->store, c);
    return layers_show(f->store, id);
}

#define TAR "tar --sort=name --numeric-owner --owner=5 --group=6 -cf $OUT "

static void test_archives(void)
{
    static const struct {
        const char *base, *command, *actions, *want, *message;
    } cases[] = {
        {"", "mkdir s; echo -n 1 >s/f; ln -s /etc s/l; ln s/f s/g; chmod 750 s; " TAR "-C s .",
         "ADD a.tar /t/", "d755 t\nf644 5:6 t/f =1\nh t/g => t/f\nl 5:6 t/l -> /etc"},
        {"", "mkdir s; echo -n 1 >s/f; " TAR "-z s", "ADD chown=9:9 chmod=600 a.tar /t/u",
         "d755 9:9 t\nd755 9:9 t/u\nd755 9:9 t/u/s\nf644 9:9 t/u/s/f =1"},
        {"", "mkdir s; echo -n 1 >s/f; " TAR "-j s", "ADD a.tar /", "d755 5:6 s\nf644 5:6 s/f =1"},
        {"", "mkdir s; echo -n 1 >s/f; " TAR "-J s", "ADD a.tar /", "d755 5:6 s\nf644 5:6 s/f =1"},
        {"", "mkdir s; echo -n 1 >s/f; " TAR "--zstd s", "ADD a.tar /",
         "d755 5:6 s\nf644 5:6 s/f =1"},
        {"", "mkdir s; echo -n 1 >s/f; " TAR "s", "COPY a.tar /t/", NULL, "(a plain copy)"},
        {"", "echo -n text >$OUT", "ADD a.tar /t/", "d755 t\nf644 t/a.tar =text"},
        {"", ": >$OUT", "ADD a.tar /t/", "d755 t\nf644 t/a.tar ="},
        {"", "echo -n text | gzip -n >plain.gz; echo -n x >$OUT", "ADD a.tar /t/",
         "d755 t\nf644 t/a.tar =x"},
        {"", "mkdir s; echo -n 1 >s/f; " TAR "--transform 's,^s,../../s,' -P s", "ADD a.tar /t/",
         NULL, "points outside"},
        {"", "mkdir s; echo -n 1 >s/f; " TAR "--transform 's,^s,/s,' -P s/f", "ADD a.tar /t/",
         "d755 t\nd755 t/s\nf644 5:6 t/s/f =1"},
        {"",
         "mkdir s r; ln -s /outside s/p; " TAR
         "-C s p; mkdir r/p; echo -n 1 >r/p/q; tar --owner=5 --group=6 -rf $OUT -C r p/q",
         "ADD a.tar /t/", "d755 t\nd755 t/outside\nf644 5:6 t/outside/q =1\nl 5:6 t/p -> /outside"},
        {"",
         "mkdir s r; ln -s ../../../.. s/p; " TAR
         "-C s p; mkdir r/p; echo -n 1 >r/p/q; tar --owner=5 --group=6 -rf $OUT -C r p/q",
         "ADD a.tar /t/", "d755 t\nl 5:6 t/p -> ../../../..\nf644 5:6 t/q =1"},
        {"d755 t\nf644 t/f =old\nd755 t/d\nf644 t/d/k =1",
         "mkdir s; echo -n 1 >s/d; mkdir s/f; " TAR "-C s .", "ADD a.tar /t/",
         "d755 t\nf644 5:6 t/d =1\nd755 5:6 t/f"},
        {"d755 t\nd700 t/d\nf644 t/d/k =1", "mkdir -p s/d; " TAR "-C s .", "ADD a.tar /t/",
         "d755 t\nd755 5:6 t/d"},
        {"", "mkdir s; mkfifo s/p; mknod s/c c 1 3; " TAR "-C s .", "ADD a.tar /",
         "c644 5:6 c\np644 5:6 p"},
        {"",
         "mkdir s; echo -n 1 >\"s/$(printf 'h\\303\\244')\"; echo -n 2 >\"s/$(printf '\\377')\"; "
         "tar --format=pax --owner=5 --group=6 -cf $OUT -C s .",
         "ADD a.tar /", "f644 5:6 h\303\244 =1\nf644 5:6 \377 =2"},
        {"", "mkdir s; head -c 300000 /dev/zero >s/f; " TAR "s; truncate -s 100000 $OUT",
         "ADD a.tar /t/", NULL, "cannot extract a.tar"},
        {"", "mkdir s; truncate -s 70G s/f; " TAR "--sparse s", "ADD a.tar /t/", NULL,
         "it holds more than 64 GiB"},
        {"d755 t\nf640 3:4 t/low =low",
         "mkdir s; echo -n low >s/low; ln s/low s/z; " TAR "-C s low z; tar --delete -f $OUT low",
         "ADD a.tar /t/", "d755 t\nf640 3:4 t/low =low\nh t/z => t/low"},
        {"",
         "mkdir s; echo -n low >s/low; ln s/low s/z; " TAR "-C s low z; tar --delete -f $OUT low",
         "ADD a.tar /t/", NULL, "/t/z is a hard link to low, which is not a file"},
        {"", "mkdir s; mkfifo s/p; ln s/p s/q; " TAR "-C s .", "ADD a.tar /",
         "p644 5:6 p\np644 5:6 q"},
        {"d755 t\nd755 t/d",
         "mkdir -p s/d; ln -s x s/l; ln s/l s/m; " TAR "-C s l m; tar --delete -f $OUT l",
         "ADD a.tar /t/", NULL, "is a hard link to l, which is not a file"},
        {"", "mkdir s; echo -n 1 >s/f; ln s/f s/g; " TAR "-P --transform 'flags=h;s,s/f,../x,' s",
         "ADD a.tar /t/", NULL, "points outside"},
    };
    for (guint i = 0; need_root() && i < G_N_ELEMENTS(cases); i++) {
        if (strstr(cases[i].command, "mknod") && overlaymark_userxattr())
            continue; /* devices are not for user namespaces */
        struct fix f = fix_new(cases[i].base);
        GError *err = NULL;
        g_autofree char *got = add_archive(&f, cases[i].command, cases[i].actions, &err);
        g_test_message("%s: %s", cases[i].command, err ? err->message : "done");
        if (cases[i].want)
            g_assert_cmpstr(got, ==, cases[i].want);
        else if (got)
            g_assert_true(g_str_has_prefix(got, "d755 t\nf644 t/a.tar ="));
        else
            g_assert_nonnull(strstr(err->message, cases[i].message));
        g_clear_error(&err);
        fix_clear(&f);
    }
}

/* Holes in an archive's files stay holes. */
static void test_archive_sparse(void)
{
    struct fix f = fix_new("");
    GError *err = NULL;
    g_autofree char *command =
        g_strdup("mkdir s; truncate -s 5000000 s/big; echo -n end >>s/big; " TAR "--sparse -C s .");
    g_autofree char *script =
        g_strdup_printf("set -e; cd '%s'; OUT='%s/a.tar'; %s", f.dir, f.dir, command);
    char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
    g_assert_true(
        g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
    g_autoptr(tree) t = scan_dir(f.store, f.dir, NULL, "the build context", NULL, NULL);
    struct parsed p = parse("ADD a.tar /t/", TRUE);
    g_autoptr(chain) c = chain_new();
    g_autofree char *id = run(&f, &p.op, t, c, &err);
    g_assert_no_error(err);
    check_layer(&f, id);
    g_autofree char *big = g_strdup_printf("%s/layers/%s/fs/t", f.root, id);
    struct stat st = fixture_stat(big, "big");
    g_assert_cmpint(st.st_size, ==, 5000003);
    g_assert_cmpint(st.st_blocks * 512, <, 100000);
    parsed_clear(&p);
    fix_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    umask(022);
    g_test_add_func("/layer/unpack/archives", test_archives);
    g_test_add_func("/layer/unpack/sparse", test_archive_sparse);
    return g_test_run();
}
