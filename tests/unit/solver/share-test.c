/* Steps that another builder runs (solver_options.share): they are waited for without a worker. The
 * other builder is a fake that always was there first. */
#include "../layer/layers.h"
#include "script.h"

#include "base/error.h"
#include "cache/claim.h"
#include "solver/solver.h"

#include <string.h>

#define MS ((gint64)G_USEC_PER_SEC / 1000)

static const struct share_times quick = {.renew_us = 300 * MS,
                                         .look_us = 20 * MS,
                                         .contest_us = 10 * MS,
                                         .settle_us = 1000 * MS,
                                         .dead_us = 60 * 1000 * MS,
                                         .reply_us = 10 * 1000 * MS,
                                         .wait_us = 60 * 1000 * MS};

struct rig {
    struct solver_env env; /* first */
    char *root;
    char *other; /* the other builder's id */
    struct store *store;
    struct cache_reader *reader;
    struct cancel *cancel;
    GMutex lock;     /* guards what follows */
    GString *ran;    /* names of exec ops, in order: "a b " */
    GBytes *theirs;  /* the other builder's claim; or NULL */
    gboolean taking; /* it takes what we want */
};

/* The place, with one other builder. */
struct fake {
    struct cache_backend base; /* first */
    struct rig *rig;
};

static GPtrArray *fake_claims(struct cache_backend *b, GError **err)
{
    GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(out, g_strdup(((struct fake *)b)->rig->other));
    return out;
}

static GBytes *fake_claim_get(struct cache_backend *b, const char *name, GError **err)
{
    struct rig *r = ((struct fake *)b)->rig;
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&r->lock);
    if (r->theirs)
        return g_bytes_ref(r->theirs);
    error_set(err, VARVE_ERROR_NOT_FOUND, "gone");
    return NULL;
}

/* It holds at once what we are seen to want. */
static gboolean fake_claim_put(struct cache_backend *b, const char *name, GBytes *bytes,
                               GError **err)
{
    struct rig *r = ((struct fake *)b)->rig;
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&r->lock);
    g_autoptr(cache_claim) c = claim_parse(bytes, name, NULL);
    g_assert_nonnull(c);
    if (!r->taking || c->keys->len == 0)
        return TRUE;
    g_free(c->writer);
    c->writer = g_strdup(r->other);
    for (guint i = 0; i < c->keys->len; i++)
        g_array_index(c->keys, struct claim_key, i).held = TRUE;
    g_clear_pointer(&r->theirs, g_bytes_unref);
    r->theirs = claim_write(c);
    return TRUE;
}

static gboolean fake_claim_remove(struct cache_backend *b, const char *name, GError **err)
{
    return TRUE;
}

static void fake_free(struct cache_backend *b)
{
    g_free(b);
}

static struct cache_share *share_new(struct rig *r)
{
    struct fake *f = g_new0(struct fake, 1);
    f->base = (struct cache_backend){.label = "fake",
                                     .claims = fake_claims,
                                     .claim_get = fake_claim_get,
                                     .claim_put = fake_claim_put,
                                     .claim_remove = fake_claim_remove,
                                     .free = fake_free};
    f->rig = r;
    return cache_share_new(&f->base, cancel_new_child(r->cancel), NULL, "here", &quick);
}

static struct chain *image_of(struct solver_env *self, const struct source_op *op,
                              enum layer_need need, GError **err)
{
    struct chain *c = chain_new();
    layers_commit(((struct rig *)self)->store, c, "f644 image =x");
    return c;
}

/* A step; after the one called "last" the other builder gives up what it has. */
static struct chain *run_step(struct solver_env *self, const struct vertex *v,
                              const struct chain *base, struct cancel *c, GError **err)
{
    struct rig *r = (struct rig *)self;
    const char *name = v->meta.name;
    g_mutex_lock(&r->lock);
    g_string_append_printf(r->ran, "%s ", name);
    if (g_str_equal(name, "last")) {
        g_clear_pointer(&r->theirs, g_bytes_unref);
        r->taking = FALSE;
    }
    g_mutex_unlock(&r->lock);
    if (g_str_equal(name, "fails") || !cancel_check(c, NULL)) {
        error_set(err, VARVE_ERROR_FAILED, "it failed");
        return NULL;
    }
    g_autofree char *spec = g_strdup_printf("f644 %s =x", name);
    struct chain *made = chain_copy(base);
    layers_commit(r->store, made, spec);
    return made;
}

/* Only steps whose name begins with "shared" are. */
static gboolean publishes(gpointer ctx, const struct vertex *v)
{
    return g_str_has_prefix(v->meta.name, "shared");
}

/* Solves the last vertex with one worker. */
static gboolean solve_lines(struct rig *r, const char *const *lines, GError **err)
{
    g_autoptr(graph) g = graph_new();
    g_autoptr(GHashTable) known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(cache_share) share = share_new(r);
    struct chain *out = NULL;
    for (guint i = 0; lines[i]; i++)
        script_define(g, known, lines[i]);
    struct solver_options o = {.store = r->store,
                               .env = &r->env,
                               .cancel = r->cancel,
                               .max_parallel = 1,
                               .cache = r->reader,
                               .share = share,
                               .publishes = publishes};
    struct vertex *target = g_ptr_array_index(g->vertices, g->vertices->len - 1);
    g_autoptr(solver) s = solver_new(g, &o);
    gboolean ok = solver_run(s, &target, 1, &out, err);
    chain_free(out);
    return ok;
}

static void rig_init(struct rig *r)
{
    GError *err = NULL;
    const struct cache_env env = {NULL};
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    *r = (struct rig){.env = {.image = image_of, .exec = run_step}, .taking = TRUE};
    r->root = fixture_dir();
    r->other = claim_name();
    r->store = store_open(r->root, &err);
    g_assert_no_error(err);
    r->cancel = cancel_new();
    r->ran = g_string_new(NULL);
    g_mutex_init(&r->lock);
    r->reader = cache_reader_new(none, &env, &err);
    g_assert_no_error(err);
}

static void rig_drop(struct rig *r)
{
    cache_reader_free(r->reader);
    store_close(r->store);
    cancel_free(r->cancel);
    g_string_free(r->ran, TRUE);
    g_clear_pointer(&r->theirs, g_bytes_unref);
    g_mutex_clear(&r->lock);
    g_free(r->other);
    fixture_drop(r->root);
}

/* The only worker goes on with what is free; what was waited for runs when the claim ends without a
 * result. */
static void test_waiting_takes_no_worker(void)
{
    static const char *const lines[] = {"base = image hello",
                                        "shared-a = exec base do=a",
                                        "shared-b = exec base do=b",
                                        "free = exec base do=c",
                                        "last = exec free do=d",
                                        "m = merge shared-a shared-b last",
                                        NULL};
    GError *err = NULL;
    struct rig r;
    rig_init(&r);
    g_assert_true(solve_lines(&r, lines, &err));
    g_assert_no_error(err);
    g_assert_true(g_str_has_prefix(r.ran->str, "free last "));
    g_assert_nonnull(strstr(r.ran->str, "shared-a "));
    g_assert_nonnull(strstr(r.ran->str, "shared-b "));
    rig_drop(&r);
}

/* Nobody waits on after a failure. */
static void test_failure_ends_the_wait(void)
{
    static const char *const lines[] = {"base = image hello", "shared-a = exec base do=a",
                                        "fails = exec base do=b", "m = merge shared-a fails", NULL};
    GError *err = NULL;
    struct rig r;
    rig_init(&r);
    gint64 begun = g_get_monotonic_time();
    g_assert_false(solve_lines(&r, lines, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 20 * 1000 * MS);
    g_assert_cmpstr(r.ran->str, ==, "fails ");
    g_clear_error(&err);
    rig_drop(&r);
}

static gpointer interrupt(gpointer data)
{
    g_usleep(500 * MS);
    cancel_trigger(data);
    return NULL;
}

static void test_cancel_ends_the_wait(void)
{
    static const char *const lines[] = {"base = image hello", "shared-a = exec base do=a", NULL};
    GError *err = NULL;
    struct rig r;
    rig_init(&r);
    GThread *t = g_thread_new("interrupt", interrupt, r.cancel);
    gint64 begun = g_get_monotonic_time();
    g_assert_false(solve_lines(&r, lines, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_assert_cmpint(g_get_monotonic_time() - begun, <, 20 * 1000 * MS);
    g_assert_cmpstr(r.ran->str, ==, "");
    g_thread_join(t);
    g_clear_error(&err);
    rig_drop(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/solver-share/waiting-takes-no-worker", test_waiting_takes_no_worker);
    g_test_add_func("/solver-share/failure-ends-the-wait", test_failure_ends_the_wait);
    g_test_add_func("/solver-share/cancel-ends-the-wait", test_cancel_ends_the_wait);
    return g_test_run();
}
