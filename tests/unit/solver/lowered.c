/* Dockerfiles lowered into one graph and solved in one run, with real contexts, COPYs and layers:
 * only what RUN does is made up, a file "ran" with the command's words. */
#include "../layer/layers.h"

#include "dockerfile/parser.h"
#include "graph/lower.h"
#include "solver/solver.h"
#include "tree/scan.h"

struct fake {
    struct image_resolver resolver;
    struct solver_env env;
    struct store *store;
    char *root;        /* directory of the store and the contexts */
    GHashTable *trees; /* context id → struct tree* */
    gint runs;         /* atomic */
};

static struct fake *from_env(struct solver_env *e)
{
    return (struct fake *)((char *)e - G_STRUCT_OFFSET(struct fake, env));
}

static gboolean fake_resolve(struct image_resolver *self, enum context_kind kind, const char *ref,
                             const struct platform *p, struct resolved_image *out, GError **err)
{
    struct image_conf *c = image_conf_new(p);
    struct digest d = {{1}};
    g_array_append_val(c->diff_ids, d);
    image_conf_add_history(c, "base", FALSE);
    digest_of_bytes(&d, p->arch, strlen(p->arch));
    *out = (struct resolved_image){g_strdup(ref), d, c};
    return TRUE;
}

static struct chain *fake_image(struct solver_env *self, const struct source_op *op,
                                enum layer_need need, GError **err)
{
    g_autofree char *spec = g_strdup_printf("f644 arch =%s", op->platform.arch);
    struct chain *c = chain_new();
    layers_commit(from_env(self)->store, c, spec);
    return c;
}

static struct tree *fake_local(struct solver_env *self, const struct source_op *op, GError **err)
{
    struct fake *f = from_env(self);
    struct tree *t = g_hash_table_lookup(f->trees, op->context);
    if (t)
        return t;
    g_autofree char *dir = fixture_path(f->root, op->context);
    t = scan_dir(NULL, dir, NULL, op->context, NULL, err);
    g_hash_table_insert(f->trees, (gpointer)op->context, t);
    return t;
}

static struct chain *fake_exec(struct solver_env *self, const struct vertex *v,
                               const struct chain *base, struct cancel *c, GError **err)
{
    struct fake *f = from_env(self);
    g_atomic_int_inc(&f->runs);
    g_autofree char *spec = g_strdup_printf("f644 ran =%s", v->op.exec.args[2]);
    struct chain *made = chain_copy(base);
    layers_commit(f->store, made, spec);
    return made;
}

static void fake_init(struct fake *f)
{
    g_autoptr(GError) err = NULL;
    *f = (struct fake){.resolver = {.resolve = fake_resolve},
                       .env = {.local = fake_local, .image = fake_image, .exec = fake_exec}};
    f->root = fixture_dir();
    g_autofree char *store = fixture_path(f->root, "store");
    f->store = store_open(store, &err);
    g_assert_no_error(err);
    f->trees = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)tree_free);
    fixture_file(f->root, "one/a", "of one", 0644, 1000000000);
    fixture_file(f->root, "two/a", "of two", 0644, 1000000000);
}

static void fake_clear(struct fake *f)
{
    g_hash_table_unref(f->trees);
    store_close(f->store);
    fixture_drop(f->root);
}

static struct vertex *lower_text(struct fake *f, struct graph *g, const char *text,
                                 const char *platform, const char *context)
{
    struct lower_options o = {.resolver = &f->resolver, .graph = g, .context_id = context};
    g_assert_true(platform_parse(&o.platform, platform, NULL));
    g_assert_true(platform_parse(&o.build_platform, "linux/amd64", NULL));
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(text, strlen(text), "Dockerfile", d);
    g_autoptr(lowered) l = lower(df, &o, d, NULL);
    g_assert_nonnull(l);
    return l->result;
}

static char *file_of(struct fake *f, const struct chain *c, const char *path)
{
    g_autoptr(chainview) view = chainview_new(f->store, c, NULL, NULL);
    fd_auto int fd = chainview_open(view, path, NULL);
    char text[64] = "";
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(read(fd, text, sizeof text - 1), >=, 0);
    return g_strdup(text);
}

static void expect_file(struct fake *f, const struct chain *c, const char *path, const char *text)
{
    g_autofree char *got = file_of(f, c, path);
    g_assert_cmpstr(got, ==, text);
}

static void solve(struct fake *f, struct graph *g, struct vertex **targets, guint n,
                  struct chain **out)
{
    g_autoptr(GError) err = NULL;
    struct solver_options o = {.store = f->store, .env = &f->env, .now_ns = 1000000000};
    g_autoptr(solver) s = solver_new(g, &o);
    solver_run(s, targets, n, out, &err);
    g_assert_no_error(err);
}

/* Two contexts are two sources, also when both are just "the context". */
static void test_contexts(void)
{
    static const char text[] = "FROM base\nCOPY a /a\nRUN make\n";
    struct fake f;
    fake_init(&f);
    g_autoptr(graph) g = graph_new();
    struct vertex *targets[] = {lower_text(&f, g, text, "linux/amd64", "one"),
                                lower_text(&f, g, text, "linux/amd64", "two"),
                                lower_text(&f, g, text, "linux/amd64", "one")};
    struct chain *chains[3];
    g_assert_true(targets[0] != targets[1] && targets[0] == targets[2]);
    g_assert_cmpuint(g->vertices->len, ==, 7); /* the base, and of each a context and two steps */
    solve(&f, g, targets, 3, chains);
    expect_file(&f, chains[0], "a", "of one");
    expect_file(&f, chains[1], "a", "of two");
    g_assert_cmpint(f.runs, ==, 2);
    for (guint i = 0; i < 3; i++)
        chain_free(chains[i]);
    fake_clear(&f);
}

/* What contexts are called is in no key: a context of another name is a hit. */
static void test_context_keys(void)
{
    static const char text[] = "FROM base\nCOPY a /a\nRUN make\n";
    struct fake f;
    fake_init(&f);
    fixture_file(f.root, "two/a", "of one", 0644, 1000000000);
    for (guint i = 0; i < 2; i++) {
        g_autoptr(graph) g = graph_new();
        struct vertex *target = lower_text(&f, g, text, "linux/amd64", i ? "two" : "one");
        struct chain *chain;
        solve(&f, g, &target, 1, &chain);
        chain_free(chain);
    }
    g_assert_cmpint(f.runs, ==, 1);
    fake_clear(&f);
}

/* Two platforms and another Dockerfile in one run: stages of the building platform run once. */
static void test_platforms(void)
{
    static const char text[] = "FROM --platform=$BUILDPLATFORM base AS tools\nRUN tools\n"
                               "FROM base\nCOPY --from=tools /ran /tool\nRUN install\n";
    static const char other[] = "FROM --platform=$BUILDPLATFORM base AS t\nRUN tools\n";
    struct fake f;
    fake_init(&f);
    g_autoptr(graph) g = graph_new();
    struct vertex *targets[] = {lower_text(&f, g, text, "linux/arm64", "one"),
                                lower_text(&f, g, text, "linux/riscv64", "one"),
                                lower_text(&f, g, other, "linux/arm64", "two")};
    struct chain *chains[3];
    solve(&f, g, targets, 3, chains);
    expect_file(&f, chains[0], "arch", "arm64");
    expect_file(&f, chains[1], "arch", "riscv64");
    expect_file(&f, chains[2], "arch", "amd64");
    expect_file(&f, chains[1], "tool", "tools");
    expect_file(&f, chains[1], "ran", "install");
    g_assert_cmpint(f.runs, ==, 3); /* tools once, install for each platform */
    for (guint i = 0; i < 3; i++)
        chain_free(chains[i]);
    fake_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/lowered/contexts", test_contexts);
    g_test_add_func("/lowered/context-keys", test_context_keys);
    g_test_add_func("/lowered/platforms", test_platforms);
    return g_test_run();
}
