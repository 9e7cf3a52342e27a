/* Merges and diffs of real layers, with what was removed in them. A RUN's layer is what its first
 * argument describes (layers.h). */
#include "../layer/layers.h"

#include "graph/graph.h"
#include "solver/solver.h"

struct fixture {
    struct solver_env env;
    struct store *store;
    char *root;
    struct graph *graph;
};

static struct chain *fake_exec(struct solver_env *self, const struct vertex *v,
                               const struct chain *base, struct cancel *c, GError **err)
{
    struct chain *made = chain_copy(base);
    layers_commit(((struct fixture *)self)->store, made, v->op.exec.args[0]);
    return made;
}

static void fixture_begin(struct fixture *f)
{
    g_autoptr(GError) err = NULL;
    *f = (struct fixture){.env = {.exec = fake_exec}};
    f->root = fixture_dir();
    g_autofree char *store = fixture_path(f->root, "store");
    f->store = store_open(store, &err);
    g_assert_no_error(err);
    f->graph = graph_new();
}

static void fixture_end(struct fixture *f)
{
    graph_unref(f->graph);
    store_close(f->store);
    fixture_drop(f->root);
}

static struct vertex *run(struct fixture *f, struct vertex *base, const char *spec)
{
    static const char *const no_env[] = {NULL};
    const char *args[] = {spec, NULL};
    struct exec_mount *root = graph_alloc0(f->graph, sizeof *root);
    *root = (struct exec_mount){.input = base ? 0 : -1, .dest = "/", .output = TRUE};
    struct op op = {.type = OP_EXEC};
    op.exec = (struct exec_op){.args = graph_strv(f->graph, args),
                               .env = no_env,
                               .cwd = "/",
                               .mounts = root,
                               .n_mounts = 1};
    struct vertex_meta meta = {.name = "run"};
    return graph_add(f->graph, &op, &base, base ? 1 : 0, &meta);
}

static struct vertex *join(struct fixture *f, enum op_type type, struct vertex *a, struct vertex *b)
{
    struct op op = {.type = type};
    struct vertex_meta meta = {.name = "join", .internal = TRUE};
    return graph_add(f->graph, &op, (struct vertex *[]){a, b}, 2, &meta);
}

static struct chain *solve(struct fixture *f, struct vertex *v)
{
    g_autoptr(GError) err = NULL;
    struct solver_options o = {.store = f->store, .env = &f->env, .now_ns = 1000000000};
    g_autoptr(solver) s = solver_new(f->graph, &o);
    struct chain *c;
    solver_run(s, &v, 1, &c, &err);
    g_assert_no_error(err);
    return c;
}

/* The files of c, "path=content …" for those of paths that are there. */
static void expect(struct fixture *f, const struct chain *c, const char *paths,
                   const char *expected)
{
    g_autoptr(chainview) view = chainview_new(f->store, c, NULL, NULL);
    g_auto(GStrv) list = g_strsplit(paths, " ", -1);
    g_autoptr(GString) got = g_string_new(NULL);
    for (char **p = list; *p; p++) {
        struct entry e;
        char text[64] = "";
        if (!chainview_lookup(view, *p, &e))
            continue;
        fd_auto int fd = chainview_open(view, *p, NULL);
        g_assert_cmpint(read(fd, text, sizeof text - 1), >=, 0);
        g_string_append_printf(got, "%s%s=%s", got->len ? " " : "", *p, text);
    }
    g_assert_cmpstr(got->str, ==, expected);
}

/* What a step removed, and a directory that it made anew, go where its difference goes. */
static void test_diff(void)
{
    struct fixture f;
    fixture_begin(&f);
    struct vertex *base = run(&f, NULL, "f644 a =1\nf644 gone =1\nf644 d/old =1");
    struct vertex *upper = run(&f, base, "f644 b =2\nw gone\no755 d\nf644 d/new =2");
    struct vertex *other = run(&f, NULL, "f644 c =3\nf644 gone =3\nf644 d/old =3");
    struct vertex *diff = join(&f, OP_DIFF, base, upper);
    g_autoptr(chain) alone = solve(&f, diff);
    g_assert_cmpuint(alone->n, ==, 1);
    expect(&f, alone, "a b c gone d/old d/new", "b=2 d/new=2");
    g_autoptr(chain) merged = solve(&f, join(&f, OP_MERGE, other, diff));
    g_assert_cmpuint(merged->n, ==, 2);
    expect(&f, merged, "a b c gone d/old d/new", "b=2 c=3 d/new=2");
    fixture_end(&f);
}

/* Two differences with the same files, of which one removes something, are told apart. */
static void test_removal_counts(void)
{
    struct fixture f;
    fixture_begin(&f);
    struct vertex *base = run(&f, NULL, "f644 a =1\nf644 gone =1");
    struct vertex *other = run(&f, NULL, "f644 gone =3");
    struct vertex *keeps = run(&f, base, "f644 b =2");
    struct vertex *removes = run(&f, base, "f644 b =2\nw gone");
    g_autoptr(chain) first = solve(&f, join(&f, OP_MERGE, other, join(&f, OP_DIFF, base, keeps)));
    g_autoptr(chain) second =
        solve(&f, join(&f, OP_MERGE, other, join(&f, OP_DIFF, base, removes)));
    expect(&f, first, "a b gone", "b=2 gone=3");
    expect(&f, second, "a b gone", "b=2");
    fixture_end(&f);
}

/* Of a layer that both inputs have, the topmost place counts: what it says, it says last. */
static void test_shared(void)
{
    struct fixture f;
    fixture_begin(&f);
    struct vertex *base = run(&f, NULL, "f644 a =base\nf644 gone =base");
    struct vertex *x = run(&f, base, "f644 a =x\nf644 x =x\nw gone");
    struct vertex *y = run(&f, base, "f644 y =y");
    g_autoptr(chain) merged = solve(&f, join(&f, OP_MERGE, x, y));
    expect(&f, merged, "a gone x y", "a=base gone=base x=x y=y");
    /* Without the layer's lower place it is the same. */
    struct chain *once = chain_new();
    for (guint i = 1; i < merged->n; i++)
        chain_append(once, merged->ids[i]);
    g_assert_cmpstr(merged->ids[0], ==, once->ids[1]);
    expect(&f, once, "a gone x y", "a=base gone=base x=x y=y");
    chain_free(once);
    fixture_end(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/chains/diff", test_diff);
    g_test_add_func("/chains/removal-counts", test_removal_counts);
    g_test_add_func("/chains/shared", test_shared);
    return g_test_run();
}
