/* One graph of several Dockerfiles with contexts of their own, through the real sources. */
#include "../layer/layers.h"

#include "dockerfile/parser.h"
#include "source/sources.h"

struct run {
    char *root; /* directory of the store and the contexts */
    struct store *store;
    struct sources *sources;
    struct graph *graph;
    struct registry_config registry;
};

static void run_init(struct run *r)
{
    g_autoptr(GError) err = NULL;
    *r = (struct run){.root = fixture_dir(), .graph = graph_new()};
    g_autofree char *store = fixture_path(r->root, "store");
    r->store = store_open(store, &err);
    g_assert_no_error(err);
    struct sources_options o = {.store = r->store, .registry = &r->registry};
    r->sources = sources_new(&o);
}

static void run_clear(struct run *r)
{
    graph_unref(r->graph);
    sources_free(r->sources);
    store_close(r->store);
    fixture_drop(r->root);
}

/* A Dockerfile with the context of that id, and the directory assets-<id> as the named context
 * "assets"; ignored (may be NULL) is left out of the context. */
struct part {
    const char *id, *text, *ignored;
    struct ignore *ignore;
    GPtrArray *named;
    struct named_context assets;
    struct vertex *result;
};

static void part_add(struct run *r, struct part *p)
{
    g_autofree char *dir = fixture_path(r->root, p->id);
    g_autofree char *assets = g_strconcat(r->root, "/assets-", p->id, NULL);
    const char *const patterns[] = {p->ignored, NULL};
    p->ignore = p->ignored ? ignore_new(patterns, NULL) : NULL;
    p->assets = (struct named_context){(char *)"assets", CONTEXT_LOCAL, g_steal_pointer(&assets)};
    p->named = g_ptr_array_new();
    g_ptr_array_add(p->named, &p->assets);
    const struct source_contexts c = {
        .id = p->id, .dir = dir, .ignore = p->ignore, .named = p->named};
    sources_add_contexts(r->sources, &c);
    struct lower_options o = {.resolver = sources_resolver(r->sources),
                              .graph = r->graph,
                              .context_id = p->id,
                              .contexts = p->named};
    platform_host(&o.platform);
    o.build_platform = o.platform;
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(p->text, strlen(p->text), "Dockerfile", d);
    g_autoptr(lowered) l = lower(df, &o, d, NULL);
    g_assert_nonnull(l);
    p->result = l->result;
}

static void part_clear(struct part *p)
{
    ignore_free(p->ignore);
    g_ptr_array_unref(p->named);
    g_free(p->assets.value);
}

static void expect_file(struct run *r, const struct chain *c, const char *path, const char *want)
{
    g_autoptr(chainview) view = chainview_new(r->store, c, NULL, NULL);
    fd_auto int fd = chainview_open(view, path, NULL);
    char text[64] = "";
    if (!want) {
        g_assert_cmpint(fd, <, 0);
        return;
    }
    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(read(fd, text, sizeof text - 1), >=, 0);
    g_assert_cmpstr(text, ==, want);
}

/* Equal names, unequal files; one context leaves out what the other has. */
static void test_two(void)
{
    static const char text[] = "FROM scratch\nCOPY . /\nCOPY --from=assets . /assets/\n";
    struct part parts[] = {{.id = "one", .text = text, .ignored = "b"},
                           {.id = "two", .text = text}};
    struct vertex *targets[2];
    struct chain *out[2];
    g_autoptr(GError) err = NULL;
    struct run r;
    run_init(&r);
    fixture_file(r.root, "one/a", "a of one", 0644, 1000000000);
    fixture_file(r.root, "one/b", "b of one", 0644, 1000000000);
    fixture_file(r.root, "two/a", "a of two", 0644, 1000000000);
    fixture_file(r.root, "two/b", "b of two", 0644, 1000000000);
    fixture_file(r.root, "assets-one/x", "x of one", 0644, 1000000000);
    fixture_file(r.root, "assets-two/x", "x of two", 0644, 1000000000);
    for (guint i = 0; i < 2; i++) {
        part_add(&r, &parts[i]);
        targets[i] = parts[i].result;
    }
    struct solver_options o = {
        .store = r.store, .env = sources_env(r.sources), .now_ns = 1000000000};
    struct solver *s = solver_new(r.graph, &o);
    solver_run(s, targets, 2, out, &err);
    g_assert_no_error(err);
    solver_free(s);
    expect_file(&r, out[0], "a", "a of one");
    expect_file(&r, out[0], "b", NULL);
    expect_file(&r, out[0], "assets/x", "x of one");
    expect_file(&r, out[1], "a", "a of two");
    expect_file(&r, out[1], "b", "b of two");
    expect_file(&r, out[1], "assets/x", "x of two");
    for (guint i = 0; i < 2; i++) {
        chain_free(out[i]);
        part_clear(&parts[i]);
    }
    run_clear(&r);
}

/* Contexts that were not added are missed by their steps alone. */
static void test_missing(void)
{
    g_autoptr(GError) err = NULL;
    struct run r;
    run_init(&r);
    struct source_op op = {.kind = SOURCE_LOCAL, .identifier = "context", .context = "one"};
    const struct source_contexts two = {.id = "two", .dir = r.root};
    sources_add_contexts(r.sources, &two);
    struct solver_env *env = sources_env(r.sources);
    g_assert_null(env->local(env, &op, &err));
    fixture_error(&err, VARVE_ERROR_NOT_FOUND, "no context to copy from");
    op.context = "two";
    struct tree *t = env->local(env, &op, &err);
    g_assert_nonnull(t);
    sources_add_contexts(r.sources, &two); /* again: nothing new */
    g_assert_true(env->local(env, &op, &err) == t);
    run_clear(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/contexts/two", test_two);
    g_test_add_func("/contexts/missing", test_missing);
    return g_test_run();
}
