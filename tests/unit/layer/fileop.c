/* File ops on real directories: each case is text. After each, the layer's directory must be
 * exactly what its index says, and overlayfs must show the chain as the indexes do. */
#include "fileops.h"

struct file_case {
    const char *name;
    const char *base;    /* layers with "---" between them; NULL: scratch */
    const char *context; /* what is copied from */
    const char *actions;
    const char *want;    /* the new layer; NULL: an error */
    const char *message; /* that holds this */
};

static void run_case(const struct file_case *c)
{
    struct fix f = fix_new(c->base);
    layers_fill(f.dir, c->context ? c->context : "");
    g_autoptr(tree) t = scan_dir(f.store, f.dir, NULL, "the build context", NULL, NULL);
    struct parsed p = parse(c->actions, c->base == NULL);
    g_autoptr(chain) result = chain_copy(f.base);
    GError *err = NULL;
    g_autofree char *id = run(&f, &p.op, t, result, &err);
    g_test_message("%s: %s", c->name, err ? err->message : "done");
    if (id) {
        g_autofree char *got = layers_show(f.store, id);
        g_assert_cmpstr(got, ==, c->want);
        check_layer(&f, id);
        overlay_check(f.store, result);
    } else {
        g_assert_null(c->want);
        if (!strstr(err->message, c->message))
            g_error("%s: \"%s\" is not in: %s", c->name, c->message, err->message);
    }
    g_clear_error(&err);
    parsed_clear(&p);
    fix_clear(&f);
}

#define TREE                                                                                       \
    "d755 d\nf644 d/x =x\nd750 d/sub\nf600 d/sub/y.txt =y\nd755 d/sub/deep\nf644 d/sub/deep/z.md " \
    "=z\nl d/l -> sub"

/* Wherever Docker's own builder was asked, want is its answer. */
static const struct file_case copies[] = {
    {"a directory's contents", NULL, TREE, "COPY d /dst",
     "d755 dst\nl dst/l -> sub\nd750 dst/sub\nd755 dst/sub/deep\nf644 dst/sub/deep/z.md =z\nf600 "
     "dst/sub/y.txt =y\n"
     "f644 dst/x =x"},
    {"a directory to a directory that is missing", NULL, "d700 d\nf644 d/x =x", "COPY d /a/b/",
     "d755 a\nd755 a/b\nf644 a/b/x =x"},
    {"the directory that is made for contents is not the source", NULL,
     "d2750 d\nd711 d/s\nf644 d/x =x", "COPY d /n", "d755 n\nd711 n/s\nf644 n/x =x"},
    {"a file into a directory", NULL, "f4755 a.txt =a", "COPY a.txt /new/dir/",
     "d755 new\nd755 new/dir\nf4755 new/dir/a.txt =a"},
    {"a file to a name", NULL, "f644 a.txt =a", "COPY a.txt /new/file",
     "d755 new\nf644 new/file =a"},
    {"a file onto a directory", "d711 1:2 x", "f644 a.txt =a", "COPY a.txt /x",
     "d711 1:2 x\nf644 x/a.txt =a"},
    {"the whole context", NULL, "f644 a =a\nd755 b", "COPY . /", "f644 a =a\nd755 b"},
    {"the whole context to a place", NULL, "f644 a =a\nd755 b", "COPY . /w/",
     "d755 w\nf644 w/a =a\nd755 w/b"},
    {"contents with a dot", NULL, "d755 v\nf644 v/a =a", "COPY v/. /y1", "d755 y1\nf644 y1/a =a"},
    {"paths are cleaned", NULL, "d755 v\nf644 v/a =a", "COPY ../v/../v/a /y", "f644 y =a"},
    {"wildcards", NULL, "f644 a.txt =a\nf644 b.txt =b\nf644 c.md =c", "COPY *.txt /x/",
     "d755 x\nf644 x/a.txt =a\nf644 x/b.txt =b"},
    {"a wildcard that matches nothing", NULL, "f644 a =a", "COPY *.zip /x/", ""},
    {"the last of several wins", NULL, "f644 a.txt =a\nf644 b.txt =b", "COPY *.txt /dst",
     "f644 dst =b"},
    {"several where one is wanted", NULL, "f644 a.txt =a\nf644 b.txt =b", "COPY single *.txt /dst",
     NULL, "*.txt matches 2 files, but /dst is not a directory"},
    {"a missing file", NULL, "f644 a =a", "COPY b /x", NULL,
     "\"b\" was not found in the build context"},
    {"a symlink named as source is followed", NULL, "d755 d\nf644 d/x =x\nl dl -> d\nl fl -> d/x",
     "COPY dl /q\nCOPY fl /r/", "d755 q\nf644 q/x =x\nd755 r\nf644 r/fl =x"},
    {"a symlink to nothing", NULL, "l broken -> no", "COPY broken /q/", NULL,
     "\"broken\" is a dangling symlink"},
    {"owner and octal mode, parents too", NULL, "d755 d\nf644 d/x =x\nl d/l -> x",
     "COPY chown=7:8 chmod=640 d /p1/p2/dst",
     "d640 7:8 p1\nd640 7:8 p1/p2\nd640 7:8 p1/p2/dst\nl 7:8 p1/p2/dst/l -> x\nf640 7:8 "
     "p1/p2/dst/x =x"},
    {"symbolic mode", NULL, "f4755 a =a\nf600 b =b", "COPY chown=7:8 chmod=u=rwX,go=rX a b /p/",
     "d755 7:8 p\nf755 7:8 p/a =a\nf644 7:8 p/b =b"},
    {"set-group-id from the mode", NULL, "d755 v\nd755 v/sub\nf644 v/sub/a =a",
     "COPY chmod=2711 chown=3:4 v /", "d2711 3:4 sub\nf2711 3:4 sub/a =a"},
    {"an existing directory keeps its attributes, those below do not",
     "d755 v\nd755 v/sub\nf644 v/sub/a =1", "d711 w\nd700 w/sub\nf644 w/sub/b =2", "COPY w /v",
     "d755 v\nd700 v/sub\nf644 v/sub/b =2"},
    {"owner of an existing directory stays", "d755 v", "d755 w\nd755 w/sub",
     "COPY chown=3:4 chmod=700 w /v", "d755 v\nd700 3:4 v/sub"},
    {"a directory onto a file", "f644 x =1", "d755 d\nf644 d/y =1", "COPY d /x", NULL,
     "/x: that exists and is not a directory"},
    {"a directory onto a file inside", "d755 x\nf644 x/sub =1", "d755 d\nd755 d/sub", "COPY d /x",
     NULL, "/x/sub: that exists and is not a directory"},
    {"a file onto a directory inside", "d755 x\nd755 x/sub", "d755 o\nf644 o/sub =f", "COPY o /x",
     NULL, "cannot replace the directory /x/sub with a file"},
    {"a directory below a file", "f644 x =1", "f644 a =a", "COPY a /x/", NULL, "not a directory"},
    {"a file below a file", "f644 x =1", "f644 a =a", "COPY a /x/y", NULL, "not a directory"},
    {"a file over a lower file", "d755 e\nf644 9:9 e/a =old", "f600 a =new", "COPY a /e/a",
     "d755 e\nf600 e/a =new"},
    {"a symlink at the destination is followed",
     "d755 real\nl top -> /real\nf644 tf =old\nl lf -> tf", "f644 a =a\nd755 d\nf644 d/x =x",
     "COPY a /top\nCOPY d /top\nCOPY a /lf",
     "d755 real\nf644 real/a =a\nf644 real/x =x\nf644 tf =a"},
    {"a symlink on the way is followed", "d700 2:2 usr\nd755 usr/lib\nl lib -> usr/lib",
     "f644 a =a", "COPY a /lib/x/y",
     "d700 2:2 usr\nd755 usr/lib\nd755 usr/lib/x\nf644 usr/lib/x/y =a"},
    {"a symlink cannot lead out", "l up -> ../../../../etc", "f644 a =a", "COPY a /up/a",
     "d755 etc\nf644 etc/a =a"},
    {"a symlink to nothing at the destination", "l dang -> /not/there", "f644 a =a", "COPY a /dang",
     "d755 not\nf644 not/there =a"},
    {"a symlink loop at the destination", "l loop -> loop", "f644 a =a", "COPY a /loop/x", NULL,
     "more than 40 symlinks"},
    {"a directory over a symlink inside", "l lib -> usr", "d755 e\nd755 e/lib", "COPY e /", NULL,
     "/lib: that exists and is not a directory"},
    {"a symlink inside is replaced by a file", "d755 x\nl x/f -> /etc/passwd",
     "d755 e\nf644 e/f =1", "COPY e /x", "d755 x\nf644 x/f =1"},
    {"hard links in the source stay links", NULL, "d755 d\nf644 d/a =1\nh d/b => d/a\nf644 d/c =1",
     "COPY d /x", "d755 x\nf644 x/a =1\nh x/b => x/a\nf644 x/c =1"},
    {"a hard link without its first name", NULL, "f644 a =1\nd755 d\nh d/b => a\nh d/c => a",
     "COPY d /x", "d755 x\nf644 x/b =1\nh x/c => x/b"},
    {"excludes", NULL, TREE, "COPY exclude=*.txt exclude=**/*.md d /p",
     "d755 p\nl p/l -> sub\nd750 p/sub\nd755 p/sub/deep\nf600 p/sub/y.txt =y\nf644 p/x =x"},
    {"excluded directories with an exception", NULL, TREE,
     "COPY exclude=** exclude=!sub/deep/z.md d /p",
     "d755 p\nd750 p/sub\nd755 p/sub/deep\nf644 p/sub/deep/z.md =z"},
    {"excludes leave the match itself", NULL, "f644 a.md =a", "COPY exclude=*.md a.md /p/",
     "d755 p\nf644 p/a.md =a"},
    {"parents", NULL, TREE, "COPY parents d/sub/deep/z.md /p/",
     "d755 p\nd755 p/d\nd750 p/d/sub\nd755 p/d/sub/deep\nf644 p/d/sub/deep/z.md =z"},
    {"parents from a pivot", NULL, TREE, "COPY parents ./d/./sub/y.txt /p/",
     "d755 p\nd750 p/sub\nf600 p/sub/y.txt =y"},
    {"parents with wildcards", NULL, TREE, "COPY parents d/./**/*.md /p/",
     "d755 p\nd750 p/sub\nd755 p/sub/deep\nf644 p/sub/deep/z.md =z"},
    {"parents of nothing", NULL, TREE, "COPY parents no/such /p/", NULL,
     "\"no/such\" was not found"},
    {"a lower directory's opaque mark is not repeated",
     "d755 a\nf644 a/f =1\n---\no755 a\nf644 a/g =1", "f644 h =h", "COPY h /a/",
     "d755 a\nf644 a/h =h"},
    {"below a directory that was removed", "d755 a\nf644 a/f =1\n---\nw a", "f644 h =h",
     "COPY h /a/", "d755 a\nf644 a/h =h"},
    {"names of any bytes", NULL, "f644 \xff\xfe =1\nf644 -n =2", "COPY . /x/",
     "d755 x\nf644 x/-n =2\nf644 x/\xff\xfe =1"},
};

static const struct file_case others[] = {
    {"mkdir", NULL, NULL, "MKDIR mode=700 /x", "d700 x"},
    {"mkdir with parents", "d711 a", NULL, "MKDIR mode=750 parents chown=5:6 /a/b/c",
     "d711 a\nd750 5:6 a/b\nd750 5:6 a/b/c"},
    {"mkdir that exists", "d711 a", NULL, "MKDIR mode=750 parents /a", ""},
    {"mkdir through a symlink", "d755 r\nl s -> r", NULL, "MKDIR parents /s/x", "d755 r\nd755 r/x"},
    {"mkdir without parent", NULL, NULL, "MKDIR /a/b", NULL, "the directory /a does not exist"},
    {"mkdir over a file", "f644 a =1", NULL, "MKDIR parents /a", NULL,
     "exists and is not a directory"},
    {"mkfile", NULL, NULL, "MKFILE mode=640 chown=1:2 /f text", "f640 1:2 f =text"},
    {"mkfile twice", NULL, NULL, "MKFILE mode=644 /f one\nMKFILE mode=600 /f two", "f600 f =two"},
    {"mkfile over a lower file", "f644 9:9 f =old", NULL, "MKFILE mode=600 /f two", "f600 f =two"},
    {"mkfile over a directory", "d755 f", NULL, "MKFILE /f two", NULL,
     "cannot replace the directory /f"},
    {"symlink", NULL, NULL, "SYMLINK /l ../x", "l l -> ../x"},
    {"symlink over something", "f644 l =1", NULL, "SYMLINK /l x", NULL, "the name is taken"},
    {"rm a lower file", "d711 a\nf644 a/f =1", NULL, "RM /a/f", "d711 a\nw a/f"},
    {"rm a lower directory", "d755 a\nf644 a/f =1", NULL, "RM /a", "w a"},
    {"rm a symlink, not what it names", "d755 a\nl l -> a", NULL, "RM /l", "w l"},
    {"rm nothing", NULL, NULL, "RM /a", NULL, "/a does not exist"},
    {"rm nothing, allowed", NULL, NULL, "RM missing-ok /a", ""},
    {"rm the root", NULL, NULL, "RM /", NULL, "cannot remove /"},
    {"rm what this op made", "d755 a", "f644 f =1", "COPY f /a/x/\nRM /a/x", "d755 a"},
    {"rm and make again", "d755 a\nf644 a/f =1\nd755 a/s", NULL, "RM /a\nMKDIR mode=700 /a",
     "o700 a"},
    {"rm and make again below", "d755 a\nf644 a/f =1\nd755 a/s", NULL, "RM /a\nMKDIR parents /a/s",
     "o755 a\nd755 a/s"},
    {"rm and put a file", "d755 a\nf644 a/f =1", "f644 f =2", "RM /a\nCOPY f /a", "f644 a =2"},
    {"rm below what was removed and made", "d755 a\nf644 a/f =1", "f644 f =2",
     "RM /a\nMKDIR /a\nCOPY f /a/f\nRM /a/f", "o755 a"},
    {"copy what one action made over again", NULL, "f644 f =1\nf600 g =2", "COPY f /x\nCOPY g /x",
     "f600 x =2"},
};

static void test_copies(void)
{
    for (guint i = 0; need_root() && i < G_N_ELEMENTS(copies); i++)
        run_case(&copies[i]);
}

static void test_others(void)
{
    for (guint i = 0; need_root() && i < G_N_ELEMENTS(others); i++)
        run_case(&others[i]);
}

/* From a chain owners, special files, capabilities and links come along; mtimes are the source's,
 * and of what is made, the build's. */
static void test_from_chain(void)
{
    if (!need_root())
        return;
    if (overlaymark_userxattr()) {
        g_test_skip("devices are not for user namespaces");
        return;
    }
    static const guint8 cap[20] = {1, 0, 0, 2, 0, 4};
    struct fix f = fix_new(NULL);
    g_autoptr(chain) from = chain_new();
    layers_commit(f.store, from,
                  "d755 5:6 s\nf755 7:8 s/ping =x\nc660 0:9 s/dev\np600 s/pipe\nh s/zz => "
                  "s/ping\nf644 s/gone =1");
    g_autofree char *ping = g_strdup_printf("%s/layers/%s/fs/s/ping", f.root, from->ids[0]);
    g_assert_cmpint(setxattr(ping, "security.capability", cap, sizeof cap, 0), ==, 0);
    layers_commit(f.store, from, "d755 5:6 s\nw s/gone");
    g_autoptr(chainview) v = chainview_new(f.store, from, NULL, NULL);
    g_autoptr(tree) t = chainview_tree(v, "stage build", NULL);
    struct parsed p = parse("COPY s /made/x", TRUE);
    g_autoptr(chain) result = chain_new();
    GError *err = NULL;
    g_autofree char *id = run(&f, &p.op, t, result, &err);
    g_assert_no_error(err);
    check_layer(&f, id);
    g_autoptr(layer_index) x = layer_index_open(f.store, id, NULL, NULL);
    GString *got = g_string_new(NULL);
    struct entry e;
    for (guint i = 0; i < layer_index_len(x); i++) {
        layer_index_at(x, i, &e);
        layers_line(got, &e, NULL);
        g_autofree char *there = g_strconcat("s", strlen(e.path) > 6 ? e.path + 6 : "", NULL);
        const struct entry *source = entry_list_find(t->entries, there);
        gboolean made = strcmp(e.path, "made") == 0;
        g_assert_cmpint(e.mtime_ns, ==,
                        made ? NOW * G_GINT64_CONSTANT(1000000000) : source->mtime_ns);
    }
    g_assert_cmpstr(
        got->str, ==,
        "d755 made\nd755 made/x\nc660 0:9 made/x/dev\nf755 7:8 made/x/ping\np600 made/x/pipe\n"
        "h made/x/zz => made/x/ping");
    layer_index_at(x, layer_index_find(x, "made/x/ping"), &e);
    g_assert_cmpuint(e.n_xattrs, ==, 1);
    g_string_free(got, TRUE);
    parsed_clear(&p);
    fix_clear(&f);
}

/* Unchanged files of two layers share inodes, but never within one chain. */
static void test_objects(void)
{
    struct fix f = fix_new(NULL);
    layers_fill(f.dir, "f644 a =one\nf644 b =two\nd755 d\nf644 d/same =one");
    g_autoptr(tree) t = scan_dir(f.store, f.dir, NULL, "the build context", NULL, NULL);
    struct parsed p = parse("COPY . /", TRUE);
    g_autoptr(chain) one = chain_new();
    g_autoptr(chain) two = chain_new();
    g_autofree char *first = run(&f, &p.op, t, one, NULL);
    g_autofree char *second = run(&f, &p.op, t, two, NULL);
    /* Over a chain that already has them. */
    chain_free(f.base);
    f.base = chain_copy(one);
    p.op.actions[0].input = 0;
    g_autofree char *third = run(&f, &p.op, t, one, NULL);
    g_autofree char *fa = g_strdup_printf("layers/%s/fs", first),
                    *fb = g_strdup_printf("layers/%s/fs", second),
                    *fc = g_strdup_printf("layers/%s/fs", third);
    g_autofree char *a = fixture_path(f.root, fa), *b = fixture_path(f.root, fb),
                    *c = fixture_path(f.root, fc);
    g_assert_cmpuint(fixture_stat(a, "b").st_ino, ==, fixture_stat(b, "b").st_ino);
    g_assert_cmpuint(fixture_stat(a, "b").st_ino, !=, fixture_stat(c, "b").st_ino);
    /* Twice in one layer: two inodes. */
    g_assert_cmpuint(fixture_stat(a, "a").st_ino, !=, fixture_stat(a, "d/same").st_ino);
    check_layer(&f, third);
    overlay_check(f.store, one);
    parsed_clear(&p);
    fix_clear(&f);
}

static void test_changed_source(void)
{
    struct fix f = fix_new(NULL);
    layers_fill(f.dir, "f644 a =one");
    g_autoptr(tree) t = scan_dir(f.store, f.dir, NULL, "the build context", NULL, NULL);
    struct selection sel = {.pattern = "a"};
    g_autoptr(GPtrArray) got = tree_select(t, &sel, NULL);
    g_assert_true(tree_ensure_selected(t, got, NULL));
    fixture_file(f.dir, "a", "ONE", 0644, 0);
    struct parsed p = parse("COPY a /", TRUE);
    g_autoptr(chain) c = chain_new();
    GError *err = NULL;
    g_assert_null(run(&f, &p.op, t, c, &err));
    fixture_error(&err, VARVE_ERROR_FAILED, "a changed while it was being read");
    parsed_clear(&p);
    fix_clear(&f);
}

static void test_owner(void)
{
    struct fix f = fix_new("d755 etc\nl etc/passwd -> ../usr/passwd\nd755 usr");
    g_autofree char *usr = g_strdup_printf("%s/layers/%s/fs/usr", f.root, f.base->ids[0]);
    g_autofree char *etc = g_strdup_printf("%s/layers/%s/fs/etc", f.root, f.base->ids[0]);
    fixture_file(usr, "passwd",
                 "root:x:0:0::/:\n# comment\nbad:x:y:z\nnode:x:1000:1001::/:\n12:x:7:7::/:", 0644,
                 0);
    fixture_file(etc, "group", "root:x:0:\nstaff:x:50:a,b\n", 0644, 0);
    static const struct {
        const char *owner;
        guint32 uid, gid;
        const char *message; /* NULL: fine; of a warning when fails is FALSE */
        gboolean fails;
    } cases[] = {
        {"", 0, 0},
        {"root", 0, 0},
        {"root:root", 0, 0},
        {"0:root", 0, 0},
        {"7:root", 7, 0},
        {"node", 1000, 1001},
        {"node:staff", 1000, 50},
        {":staff", 0, 50},
        {"77", 77, 77},
        {"1000", 1000, 1000},
        {"node:7", 1000, 7},
        {"5:6", 5, 6},
        {"12", 12, 12},
        {"node:", 1000, 0},
        {"a:b:c", 0, 0, "is not an owner", TRUE},
        {"nobody", 0, 0,
         "--chown=nobody: \"nobody\" is not in /etc/passwd of the image: 0:0 is used"},
        {"node:x", 1000, 1001, "\"x\" is not in /etc/group"},
        {"1:app", 1, 1, "\"app\" is not in /etc/group of the image: 1:1 is used"},
        {"nobody:x", 0, 0, "/etc/passwd of the image, \"x\" is not in /etc/group"},
        {"nobody:staff", 0, 50, "is not in"},
        {"bad", 0, 0, "is not in"},
        {"4294967295", 0, 0, "is not in"},
        {"-1", 0, 0, "is not in"},
    };
    g_autoptr(chainview) v = chainview_new(f.store, f.base, NULL, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        guint32 uid = 9, gid = 9;
        GError *err = NULL;
        g_autofree char *unknown = NULL;
        gboolean ok = fileop_owner(v, cases[i].owner, &uid, &gid, &unknown, &err);
        g_assert_cmpint(ok, ==, !cases[i].fails);
        const char *said = ok ? unknown : err->message;
        g_assert_cmpint(said != NULL, ==, cases[i].message != NULL);
        g_assert_true(!said || strstr(said, cases[i].message));
        g_clear_error(&err);
        if (!ok)
            continue;
        g_assert_cmpuint(uid, ==, cases[i].uid);
        g_assert_cmpuint(gid, ==, cases[i].gid);
    }
    guint32 uid, gid;
    GError *err = NULL;
    char *unknown;
    g_assert_false(fileop_owner(NULL, "node", &uid, &gid, &unknown, &err));
    fixture_error(&err, VARVE_ERROR_NOT_FOUND, "no image to look it up in");
    g_assert_true(fileop_owner(NULL, "3:4", &uid, &gid, &unknown, NULL));
    g_assert_true(fileop_owner(NULL, "root:root", &uid, &gid, &unknown, NULL));
    g_assert_cmpuint(uid + gid, ==, 0);
    fix_clear(&f);
}

/* Heredocs: a file made on scratch is copied by the next action. */
static void test_secondary_result(void)
{
    struct fix f = fix_new("d755 a");
    struct file_action actions[] = {
        {.type = FILE_MKFILE,
         .input = -1,
         .secondary = -1,
         .dest = "/here",
         .data = "doc",
         .data_len = 3,
         .mode = 0644,
         .mtime_ns = -1},
        {.type = FILE_COPY,
         .input = 0,
         .secondary = 2,
         .src = "here",
         .dest = "/a/",
         .create_dest_path = TRUE,
         .output = TRUE},
    };
    struct file_op op = {actions, 2, 2};
    g_autoptr(chain) c = chain_copy(f.base);
    GError *err = NULL;
    g_autofree char *id = run(&f, &op, NULL, c, &err);
    g_assert_no_error(err);
    g_autofree char *got = layers_show(f.store, id);
    g_assert_cmpstr(got, ==, "d755 a\nf644 a/here =doc");
    check_layer(&f, id);
    g_autofree char *side = g_strdup_printf("%s/layers/%s/side-0", f.root, id);
    g_assert_cmpint(access(side, F_OK), ==, -1);
    /* Results that cannot be had. */
    actions[1].secondary = 3;
    g_assert_null(run(&f, &op, NULL, c, &err));
    fixture_error(&err, VARVE_ERROR_INVALID, "the result of a later one");
    actions[1].secondary = 1;
    g_assert_null(run(&f, &op, NULL, c, &err));
    fixture_error(&err, VARVE_ERROR_INVALID, "has no source");
    fix_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    umask(022);
    g_test_add_func("/layer/fileop/copies", test_copies);
    g_test_add_func("/layer/fileop/others", test_others);
    g_test_add_func("/layer/fileop/from-chain", test_from_chain);
    g_test_add_func("/layer/fileop/objects", test_objects);
    g_test_add_func("/layer/fileop/changed-source", test_changed_source);
    g_test_add_func("/layer/fileop/owner", test_owner);
    g_test_add_func("/layer/fileop/secondary-result", test_secondary_result);
    return g_test_run();
}
