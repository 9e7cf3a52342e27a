/* Layers made on scratch, put on chains: each case is text. */
#include "fileops.h"

#include "layer/graft.h"

struct graft_case {
    const char *name;
    const char *base;    /* layers with "---" between them */
    const char *context; /* what is copied from */
    const char *actions; /* on scratch */
    const char *want;    /* the layer that is made for the chain; NULL: it fits as it is */
    const char *warning; /* NULL: none */
};

static const struct graft_case cases[] = {
    {"nothing of it exists", "d700 etc", "f644 a =a", "COPY a /x/y/", NULL, NULL},
    {"what exists looks the same", "d755 x\nf644 x/k =k", "f644 a =a", "COPY a /x/y/", NULL, NULL},
    {"the mode stays", "d1777 tmp", "f644 a =a", "COPY a /tmp/", "d1777 tmp\nf644 tmp/a =a", NULL},
    {"the owner stays", "d755 5:6 v\nd755 v/w", "f644 a =a", "COPY chown=1:2 a /v/w/",
     "d755 5:6 v\nd755 v/w\nf644 1:2 v/w/a =a", NULL},
    {"as the topmost layer has it", "d755 v\n---\nd700 v", "f644 a =a", "COPY a /v/w/",
     "d700 v\nd755 v/w\nf644 v/w/a =a", NULL},
    {"a symlink is followed", "d711 usr\nd755 usr/lib\nl lib -> usr/lib", "f644 a =a",
     "COPY a /lib/x/y", "d711 usr\nd755 usr/lib\nd755 usr/lib/x\nf644 usr/lib/x/y =a", NULL},
    {"several, one behind another", "l a -> b\nl b -> /c/d\nd755 c\nd700 c/d\nd711 c/d/e",
     "f644 a =a\nd755 e\nf644 e/f =f", "COPY a /a/\nCOPY e /a/e/",
     "d755 c\nd700 c/d\nf644 c/d/a =a\nd711 c/d/e\nf644 c/d/e/f =f", NULL},
    {"a symlink to nothing", "l www -> /srv/www", "f644 a =a", "COPY a /www/",
     "d755 srv\nd755 srv/www\nf644 srv/www/a =a", NULL},
    {"a symlink to the root", "d711 x\nl top -> /", "f644 a =a", "COPY a /top/x/",
     "d711 x\nf644 x/a =a", NULL},
    {"a symlink cannot lead out", "l up -> ../../../../etc", "f644 a =a", "COPY a /up/a",
     "d755 etc\nf644 etc/a =a", NULL},
    {"a loop is replaced", "l loop -> loop", "f644 a =a", "COPY a /loop/x", NULL,
     "--link replaces /loop, a link to loop of the image below, by a directory"},
    {"a file is replaced", "f644 x =x", "f644 a =a", "COPY a /x/y/", NULL,
     "--link replaces /x, a file of the image below, by a directory"},
    {"a file behind a symlink is none of its business", "f644 x =x\nl y -> x", "f644 a =a",
     "COPY a /y/z", NULL, "--link replaces /y, a link to x of the image below, by a directory"},
    {"its own directories keep their attributes", "d700 x\nd711 x/s",
     "d755 d\nd750 d/s\nf644 d/s/f =f", "COPY d /x", "d700 x\nd750 x/s\nf644 x/s/f =f", NULL},
    {"its own directories replace a symlink", "d700 usr\nl lib -> usr",
     "d755 d\nd755 d/lib\nf644 d/lib/f =f", "COPY d /", NULL,
     "--link replaces /lib, a link to usr of the image below, by a directory"},
    {"both at once", "d700 y\nl lib -> usr\nl x -> y\nl y/s -> z",
     "d755 d\nd755 d/s\nf644 d/s/f =f", "COPY d /x", "d700 y\nd755 y/s\nf644 y/s/f =f",
     "--link replaces /y/s, a link to z of the image below, by a directory"},
    {"a file replaces a directory", "d755 usr\nd755 usr/bin\nd700 x", "f644 a =a",
     "COPY a /usr/bin", NULL,
     "--link replaces /usr/bin, a directory of the image below, by a file; end the destination"},
    {"a file replaces a link to a directory", "d755 usr\nd755 bin\nl usr/bin -> ../bin",
     "f644 a =a", "COPY a /usr/bin", NULL,
     "--link replaces /usr/bin, a link to ../bin of the image below, by a file; end"},
    {"a file replaces a link to a file", "f644 b =b\nl c -> b\nl d -> e", "f644 a =a",
     "COPY a /c\nCOPY a /d", NULL, NULL},
    {"a removed directory is missing", "d700 x\n---\nw x", "f644 a =a", "COPY a /x/", NULL, NULL},
    {"the set-group-id bit is inherited", "d2770 55:66 v", "f644 a =a", "COPY a /v/new/a",
     "d2770 55:66 v\nd2755 0:66 v/new\nf644 v/new/a =a", NULL},
    {"but for an owner that was asked for", "d2770 55:66 v", "f644 a =a",
     "COPY chown=0:0 a /v/new/a", "d2770 55:66 v\nd2755 v/new\nf644 v/new/a =a", NULL},
    {"hard links and symlinks stay what they are", "d700 x",
     "d755 d\nf644 d/a =1\nh d/b => d/a\nl d/l -> a", "COPY d /x",
     "d700 x\nf644 x/a =1\nh x/b => x/a\nl x/l -> a", NULL},
    {"nothing to put there", "d1777 tmp", "d755 e", "COPY e /tmp", "", NULL},
    {"a file is replaced by a file", "d755 x\nf600 x/a =old", "f644 a =new", "COPY a /x/", NULL,
     NULL},
};

static void tell(gpointer ctx, const char *text)
{
    g_string_append(ctx, text);
}

static char *made(struct fix *f, const struct graft *g, GError **err)
{
    struct layer_info info = {0};
    g_autofree char *tmp = store_tmp_dir(f->store, err);
    g_assert_true(graft_make(g, tmp, &info, err));
    g_assert_true(store_layer_commit(f->store, tmp, &info, err));
    check_layer(f, info.id);
    return g_strdup(info.id);
}

static void graft_one(struct fix *f, const struct graft_case *c, const char *layer)
{
    gboolean fits;
    struct digest key, again;
    g_autoptr(GError) err = NULL;
    g_autoptr(GString) warned = g_string_new(NULL);
    g_autoptr(chainview) v = chainview_new(f->store, f->base, NULL, &err);
    struct graft g = {f->store, v, layer, NULL, tell, warned};
    g_assert_true(graft_look(&g, &fits, &key, &err));
    g_assert_true(graft_look(&g, &fits, &again, &err));
    g_assert_cmpint(digest_cmp(&key, &again), ==, 0);
    if (c->warning)
        g_assert_true(g_str_has_prefix(warned->str, c->warning));
    else
        g_assert_cmpstr(warned->str, ==, "");
    g_autofree char *id = fits ? g_strdup(layer) : made(f, &g, &err);
    g_autofree char *got = layers_show(f->store, id);
    g_assert_cmpstr(fits ? NULL : got, ==, c->want);
    g_autoptr(chain) all = chain_copy(f->base);
    chain_append(all, id);
    overlay_check(f->store, all);
}

static void run_case(gconstpointer data)
{
    const struct graft_case *c = data;
    if (!need_root())
        return;
    struct fix f = fix_new(c->base);
    layers_fill(f.dir, c->context);
    g_autoptr(tree) t = scan_dir(f.store, f.dir, NULL, "the build context", NULL, NULL);
    struct parsed p = parse(c->actions, TRUE);
    g_autoptr(chain) result = chain_new();
    GError *err = NULL;
    g_autofree char *id = run(&f, &p.op, t, result, &err);
    g_assert_no_error(err);
    graft_one(&f, c, id);
    parsed_clear(&p);
    fix_clear(&f);
}

static struct digest key_on(struct fix *f, const char *layer, const char *base)
{
    gboolean fits;
    struct digest key;
    g_autoptr(chain) c = chain_new();
    layers_commit(f->store, c, base);
    g_autoptr(chainview) v = chainview_new(f->store, c, NULL, NULL);
    struct graft g = {.store = f->store, .base = v, .layer = layer};
    g_assert_true(graft_look(&g, &fits, &key, NULL));
    g_assert_false(fits);
    return key;
}

/* What the chain has elsewhere is in no key, all that is used of it is. */
static void test_key(void)
{
    static const char *const bases[] = {
        "d700 usr\nd711 usr/lib\nl lib -> usr/lib", "d750 usr\nd711 usr/lib\nl lib -> usr/lib",
        "d700 usr\nd710 usr/lib\nl lib -> usr/lib", "d700 usr\nd711 usr/lib\nl lib -> /usr/lib",
        "d700 usr\nd711 3:3 usr/lib\nl lib -> usr/lib"};
    if (!need_root())
        return;
    struct fix f = fix_new(NULL);
    layers_fill(f.dir, "f644 a =a");
    g_autoptr(tree) t = scan_dir(f.store, f.dir, NULL, "the build context", NULL, NULL);
    struct parsed p = parse("COPY a /lib/", TRUE);
    g_autoptr(chain) result = chain_new();
    g_autofree char *id = run(&f, &p.op, t, result, NULL);
    struct digest first = key_on(&f, id, bases[0]);
    for (guint i = 1; i < G_N_ELEMENTS(bases); i++) {
        struct digest other = key_on(&f, id, bases[i]);
        g_assert_cmpint(digest_cmp(&first, &other), !=, 0);
    }
    struct digest same =
        key_on(&f, id, "d700 usr\nd711 usr/lib\nf600 usr/lib/x =x\nl lib -> usr/lib\nd700 etc");
    g_assert_cmpint(digest_cmp(&first, &same), ==, 0);
    parsed_clear(&p);
    fix_clear(&f);
}

int main(int argc, char **argv)
{
    umask(022);
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/layer/graft/%s", cases[i].name);
        g_test_add_data_func(path, &cases[i], run_case);
    }
    g_test_add_func("/layer/graft/key", test_key);
    return g_test_run();
}
