/* The solver against tests/data/solver: each file is a script (script.h) with what must come of it
 * in lines that begin with "> ". Definitions may be changed between builds. Further lines:
 *   file PATH TEXT      writes a file of the context
 *   build NAME… [WORD]  makes the graph that the definitions describe and solves the named vertices
 *   again NAME… [WORD]  adds what was defined since to that graph and solves with the same solver
 * where a WORD is keep-going, needs or parallel=N. After it stand, for what is needed, in the order
 * of the graph: what ran, was found (cached), is only below something found, was cut, failed, was
 * cancelled; the first error; what the solver told was finished, counted; with needs, what of each
 * image was asked for; and the targets without a result. VARVE_UPDATE=1 writes these lines anew. */
#include "../layer/layers.h"
#include "script.h"

#include "solver/solver.h"
#include "tree/scan.h"

struct fake {
    struct solver_env env;
    struct store *store;
    char *root, *context; /* directories */
    GPtrArray *lines;     /* char*: the definitions so far, one for each name */
    struct graph *graph;
    GHashTable *known; /* name → struct vertex* of graph */
    struct solver *solver;
    struct tree *tree;
    struct cancel *cancel; /* of the build */
    GMutex lock;           /* guards what follows */
    GCond changed;
    GHashTable *started; /* names of this build's running and finished exec ops */
    GHashTable *failed;  /* names of those that fail once and did */
    GString *needs;      /* what of each image was asked for: " TEXT:tree" */
    guint told;
};

static struct tree *fake_local(struct solver_env *self, const struct source_op *op, GError **err)
{
    struct fake *f = (struct fake *)self;
    if (!f->tree)
        f->tree = scan_dir(NULL, f->context, NULL, op->identifier, NULL, err);
    return f->tree;
}

static struct chain *fake_image(struct solver_env *self, const struct source_op *op,
                                enum layer_need need, GError **err)
{
    static const char *const names[] = {"nothing", "tree", "files"};
    struct fake *f = (struct fake *)self;
    g_mutex_lock(&f->lock);
    g_string_append_printf(f->needs, " %s:%s", op->identifier, names[need]);
    g_mutex_unlock(&f->lock);
    if (g_str_equal(op->identifier, "broken")) {
        error_set(err, VARVE_ERROR_OUTSIDE, "cannot pull broken");
        return NULL;
    }
    g_autofree char *spec = g_strdup_printf("f644 image =%s", op->identifier);
    struct chain *c = chain_new();
    layers_commit(f->store, c, spec);
    return c;
}

static void wait_for(struct fake *f, const char *name)
{
    gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
    g_mutex_lock(&f->lock);
    while (!g_hash_table_contains(f->started, name))
        if (!g_cond_wait_until(&f->changed, &f->lock, end))
            g_error("%s was not started at the same time", name);
    g_mutex_unlock(&f->lock);
}

static gboolean fails_now(struct fake *f, const struct vertex *v)
{
    gboolean once = FALSE;
    g_mutex_lock(&f->lock);
    if (script_has(v, "fails-once"))
        once = g_hash_table_add(f->failed, g_strdup(v->meta.name));
    g_hash_table_add(f->started, g_strdup(v->meta.name));
    g_cond_broadcast(&f->changed);
    g_mutex_unlock(&f->lock);
    return once || script_has(v, "fails");
}

static gboolean wait_as_told(struct fake *f, const struct vertex *v, struct cancel *c, GError **err)
{
    g_autofree const char **with = script_words(v, "with=");
    for (const char **w = with; *w; w++)
        wait_for(f, *w);
    if (script_has(v, "interrupts"))
        cancel_trigger(f->cancel);
    while ((script_has(v, "waits") || script_has(v, "interrupts")) && !cancel_is_set(c))
        g_usleep(1000);
    return cancel_check(c, err);
}

static struct chain *fake_exec(struct solver_env *self, const struct vertex *v,
                               const struct chain *base, struct cancel *c, GError **err)
{
    struct fake *f = (struct fake *)self;
    gboolean fails = fails_now(f, v);
    if (!wait_as_told(f, v, c, err))
        return NULL;
    if (fails) {
        error_set(err, VARVE_ERROR_FAILED, "%s failed", v->meta.name);
        return NULL;
    }
    g_autoptr(GString) spec = g_string_new(NULL);
    g_autofree const char **writes = script_words(v, "writes=");
    for (const char **w = writes; *w; w++) {
        g_auto(GStrv) parts = g_strsplit(*w, ":", 2);
        g_string_append_printf(spec, "f644 %s =%s\n", parts[0], parts[1]);
    }
    struct chain *made = base ? chain_copy(base) : chain_new();
    layers_commit(f->store, made, spec->str);
    return made;
}

static void on_finished(gpointer ctx, const struct vertex *v, const struct chain *c)
{
    struct fake *f = ctx;
    g_assert_nonnull(c);
    g_mutex_lock(&f->lock);
    f->told++;
    g_mutex_unlock(&f->lock);
}

static void drop_graph(struct fake *f)
{
    g_clear_pointer(&f->solver, solver_free);
    g_clear_pointer(&f->graph, graph_unref);
    g_clear_pointer(&f->known, g_hash_table_unref);
    g_clear_pointer(&f->tree, tree_free);
    g_clear_pointer(&f->cancel, cancel_free);
}

static void define_all(struct fake *f)
{
    f->graph = graph_new();
    f->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < f->lines->len; i++)
        script_define(f->graph, f->known, f->lines->pdata[i]);
}

/* In the place of an earlier definition of that name. */
static void keep_line(struct fake *f, const char *line)
{
    g_autofree char *name = g_strndup(line, strcspn(line, " ") + 1);
    for (guint i = 0; i < f->lines->len; i++)
        if (g_str_has_prefix(f->lines->pdata[i], name)) {
            g_free(f->lines->pdata[i]);
            f->lines->pdata[i] = g_strdup(line);
            return;
        }
    g_ptr_array_add(f->lines, g_strdup(line));
}

/* The names of vertices whose result is of a kind. */
static void add_names(struct fake *f, GString *out, const char *kind, enum event_outcome outcome,
                      gboolean done, int with_chain)
{
    gboolean any = FALSE;
    for (guint i = 0; i < f->graph->vertices->len; i++) {
        const struct vertex *v = g_ptr_array_index(f->graph->vertices, i);
        const struct vertex_result *r = solver_result(f->solver, v);
        struct solver_step step;
        solver_step(f->solver, v, &step);
        if (!r->needed || g_str_equal(v->meta.name, "context") || r->done != done ||
            (done && r->outcome != outcome) ||
            (with_chain >= 0 && (step.chain != NULL) != with_chain))
            continue;
        g_string_append_printf(out, any ? " %s" : "> %s %s", any ? v->meta.name : kind,
                               v->meta.name);
        any = TRUE;
    }
    if (any)
        g_string_append_c(out, '\n');
}

static void show(struct fake *f, GString *out, const GError *err)
{
    add_names(f, out, "ran", OUTCOME_RAN, TRUE, TRUE);
    add_names(f, out, "cut", OUTCOME_CUT, TRUE, TRUE);
    add_names(f, out, "cached", OUTCOME_CACHED, TRUE, TRUE);
    add_names(f, out, "below", OUTCOME_CACHED, TRUE, FALSE);
    add_names(f, out, "failed", OUTCOME_FAILED, TRUE, FALSE);
    add_names(f, out, "cancelled", OUTCOME_CANCELLED, TRUE, FALSE);
    add_names(f, out, "left", 0, FALSE, -1);
    if (err)
        g_string_append_printf(out, "> error %s\n", err->message);
    g_string_append_printf(out, "> told %u\n", f->told);
}

/* "> nothing of target", and for the sake of which step. */
static void show_missing(struct fake *f, const struct vertex *target, GString *out)
{
    const GError *err = NULL;
    const struct vertex *failed = solver_failed_below(f->solver, target, &err);
    g_assert_true((failed == NULL) == (err == NULL));
    g_string_append_printf(out, "> nothing of %s%s%s\n", target->meta.name,
                           failed && failed != target ? " without " : "",
                           failed && failed != target ? failed->meta.name : "");
}

/* Solves the vertices that words name. */
static void solve(struct fake *f, char **words, GString *out)
{
    g_autoptr(GPtrArray) targets = g_ptr_array_new();
    g_autoptr(GError) err = NULL;
    for (char **w = words; *w; w++) {
        struct vertex *v = g_hash_table_lookup(f->known, *w);
        if (v)
            g_ptr_array_add(targets, v);
    }
    g_autofree struct chain **chains = g_new0(struct chain *, targets->len);
    gboolean ok =
        solver_run(f->solver, (struct vertex *const *)targets->pdata, targets->len, chains, &err);
    g_assert_true(ok == (err == NULL));
    show(f, out, err);
    if (g_strv_contains((const char *const *)words, "needs"))
        g_string_append_printf(out, "> needs%s\n", f->needs->str);
    for (guint i = 0; i < targets->len; i++) {
        if (!chains[i])
            show_missing(f, targets->pdata[i], out);
        chain_free(chains[i]);
    }
    g_string_append_c(out, '\n');
}

static void build(struct fake *f, char **words, GString *out)
{
    drop_graph(f);
    define_all(f);
    f->cancel = cancel_new();
    f->told = 0;
    g_string_truncate(f->needs, 0);
    g_hash_table_remove_all(f->started);
    struct solver_options o = {.store = f->store,
                               .env = &f->env,
                               .cancel = f->cancel,
                               .now_ns = 1000000000,
                               .finished = on_finished,
                               .finished_ctx = f,
                               .keep_going =
                                   g_strv_contains((const char *const *)words, "keep-going")};
    for (char **w = words; *w; w++)
        if (g_str_has_prefix(*w, "parallel="))
            o.max_parallel = (guint)atoi(*w + strlen("parallel="));
    f->solver = solver_new(f->graph, &o);
    solve(f, words, out);
}

static void run_line(struct fake *f, const char *line, GString *out)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    if (g_str_has_prefix(line, "> ") || !*line)
        return;
    g_string_append_printf(out, "%s\n", line);
    if (*line == '#')
        return;
    if (g_str_equal(words[0], "file")) {
        fixture_file(f->context, words[1], words[2], 0644, 1000000000);
    } else if (g_str_equal(words[0], "build")) {
        build(f, words + 1, out);
    } else if (g_str_equal(words[0], "again")) {
        f->told = 0;
        g_string_truncate(f->needs, 0);
        solve(f, words + 1, out);
    } else {
        keep_line(f, line);
        if (f->graph && !g_hash_table_contains(f->known, words[0]))
            script_define(f->graph, f->known, line);
    }
}

static void fake_init(struct fake *f)
{
    g_autoptr(GError) err = NULL;
    *f = (struct fake){.env = {.local = fake_local, .image = fake_image, .exec = fake_exec}};
    f->root = fixture_dir();
    f->context = fixture_path(f->root, "context");
    fixture_mkdir(f->root, "context", 0755);
    g_autofree char *store = fixture_path(f->root, "store");
    f->store = store_open(store, &err);
    g_assert_no_error(err);
    f->lines = g_ptr_array_new_with_free_func(g_free);
    f->needs = g_string_new(NULL);
    g_mutex_init(&f->lock);
    g_cond_init(&f->changed);
    f->started = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    f->failed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void fake_clear(struct fake *f)
{
    drop_graph(f);
    store_close(f->store);
    g_ptr_array_unref(f->lines);
    g_string_free(f->needs, TRUE);
    g_hash_table_unref(f->started);
    g_hash_table_unref(f->failed);
    g_mutex_clear(&f->lock);
    g_cond_clear(&f->changed);
    g_free(f->context);
    fixture_drop(f->root);
}

static void test_script(gconstpointer path)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *text = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    struct fake f;
    g_assert_true(g_file_get_contents(path, &text, NULL, &err));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    fake_init(&f);
    for (char **l = lines; *l; l++)
        run_line(&f, *l, out);
    fake_clear(&f);
    if (g_getenv("VARVE_UPDATE"))
        g_assert_true(g_file_set_contents(path, out->str, -1, &err));
    else
        g_assert_cmpstr(out->str, ==, text);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "tests/data/solver", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_assert_nonnull(dir);
    for (const char *n = g_dir_read_name(dir); n; n = g_dir_read_name(dir))
        g_ptr_array_add(names, g_build_filename(folder, n, NULL));
    g_ptr_array_sort(names, by_name);
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *base = g_path_get_basename(names->pdata[i]);
        g_autofree char *test = g_strconcat("/solver/", base, NULL);
        g_test_add_data_func(test, names->pdata[i], test_script);
    }
    return g_test_run();
}
