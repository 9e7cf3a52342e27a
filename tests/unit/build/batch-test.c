/* Batches of builds that share steps, use one another and fail beside one another; two batches at
 * once in one process. */
#include "fixture.h"

#include "base/error.h"
#include "build/batch.h"

#include <string.h>

#define N_USERS 6

/* What one batch is made of. */
struct set {
    struct fixture *f;
    int number;
    GPtrArray *requests; /* struct build_request* */
    GPtrArray *builds;   /* struct build* */
    struct batch *batch;
};

static const char base_text[] = "FROM scratch AS base\nCOPY a /shared\nENV FROM=base\n";

/* Adds a build named after the set, whose context "base" is the build uses, if any. */
static struct build *add(struct set *s, const char *kind, const char *text, const char *uses)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *name = g_strdup_printf("%s-%d", kind, s->number);
    g_autofree char *used = uses ? g_strdup_printf("%s-%d", uses, s->number) : NULL;
    struct build_request *r = fixture_request(s->f, name, text, NULL);
    g_ptr_array_add(s->requests, r);
    g_assert_true(!used || build_add_link(r, "base", used, &err));
    struct build *b = batch_add(s->batch, r, name, &err);
    g_assert_no_error(err);
    g_ptr_array_add(s->builds, b);
    return b;
}

static void set_init(struct set *s, struct fixture *f, int number, const struct batch_options *o)
{
    *s = (struct set){.f = f, .number = number};
    s->requests = g_ptr_array_new_with_free_func((GDestroyNotify)build_request_free);
    s->builds = g_ptr_array_new();
    s->batch = batch_new(f->session, NULL, o);
}

static void set_clear(struct set *s)
{
    batch_free(s->batch);
    g_ptr_array_unref(s->builds);
    g_ptr_array_unref(s->requests);
}

static void expect_file(const struct set *s, const char *kind, const char *path, const char *text)
{
    g_autofree char *full = g_strdup_printf("out-%s-%d/%s", kind, s->number, path);
    g_autofree char *got = fixture_read(s->f, full);
    g_assert_cmpstr(got, ==, text);
}

/* A base, its users, one that fails, one that needs that, and one that cannot be read. */
static gpointer run_set(gpointer data)
{
    struct set *s = data;
    add(s, "base", base_text, NULL);
    for (int i = 0; i < N_USERS; i++) {
        g_autofree char *kind = g_strdup_printf("user%d", i);
        g_autofree char *text = g_strdup_printf("FROM base\nCOPY b /own%d-%d\n", i, s->number);
        add(s, kind, text, "base");
    }
    struct build *bad = add(s, "bad", "FROM base\nCOPY nothing /x\n", "base");
    struct build *after = add(s, "after", "FROM base\nCOPY a /x\n", "bad");
    struct build *typo = add(s, "typo", "FORM base\n", "base");
    g_assert_false(batch_run(s->batch));
    for (guint i = 0; i < s->builds->len; i++)
        build_record(s->builds->pdata[i], build_error(s->builds->pdata[i]));
    for (int i = 0; i < N_USERS; i++) {
        g_autofree char *kind = g_strdup_printf("user%d", i);
        g_autofree char *own = g_strdup_printf("own%d-%d", i, s->number);
        g_assert_no_error(build_error(s->builds->pdata[1 + i]));
        expect_file(s, kind, own, "second\n");
        expect_file(s, kind, "shared", "first\n");
        const struct imageset *images = build_result(s->builds->pdata[1 + i])->images;
        g_assert_cmpstr(g_ptr_array_index(imageset_at(images, 0)->conf->env, 1), ==, "FROM=base");
    }
    g_assert_error(build_error(bad), VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_assert_nonnull(build_result(bad)->failure);
    g_assert_cmpint(build_result(bad)->failure->place.line, ==, 2);
    g_assert_nonnull(strstr(build_error(after)->message, "which it needs, failed"));
    g_assert_null(build_result(after)->failure);
    g_assert_error(build_error(typo), VARVE_ERROR, VARVE_ERROR_INVALID);
    return NULL;
}

/* The steps that all builds of s need are vertices of the first. */
static void check_shared(const struct set *s)
{
    const struct build_result *first = build_result(s->builds->pdata[1]);
    const struct build_result *second = build_result(s->builds->pdata[2]);
    g_assert_true(first->graph == second->graph);
    g_assert_cmpuint(first->steps->len, ==, 2);
    const struct build_step *a = first->steps->pdata[0], *b = second->steps->pdata[0];
    g_assert_true(a->vertex == b->vertex);
    g_assert_cmpint(a->vertex->meta.owner, ==, 0);
    const struct build_step *own = first->steps->pdata[1];
    g_assert_cmpint(own->vertex->meta.owner, ==, 1);
}

static void test_at_once(void)
{
    struct fixture f;
    struct set sets[2];
    GThread *threads[2];
    fixture_init(&f);
    for (int i = 0; i < 2; i++) {
        set_init(&sets[i], &f, i, NULL);
        threads[i] = g_thread_new("set", run_set, &sets[i]);
    }
    for (int i = 0; i < 2; i++)
        g_thread_join(threads[i]);
    for (int i = 0; i < 2; i++) {
        check_shared(&sets[i]);
        set_clear(&sets[i]);
    }
    fixture_clear(&f);
}

static void test_fail_fast(void)
{
    struct fixture f;
    struct set s;
    fixture_init(&f);
    set_init(&s, &f, 7, &(struct batch_options){.fail_fast = TRUE});
    struct build *good = add(&s, "base", base_text, NULL);
    struct build *bad = add(&s, "bad", "FROM base\nCOPY nothing /x\n", "base");
    g_assert_false(batch_run(s.batch));
    g_assert_error(build_error(good), VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_assert_error(build_error(bad), VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    expect_file(&s, "base", "shared", NULL);
    set_clear(&s);
    fixture_clear(&f);
}

/* A link must lead to a build that was added before. */
static void test_links(void)
{
    struct fixture f;
    struct set s;
    g_autoptr(GError) err = NULL;
    fixture_init(&f);
    set_init(&s, &f, 0, NULL);
    g_autoptr(build_request) r = fixture_request(&f, "x", "FROM base\n", NULL);
    g_assert_true(build_add_link(r, "base", "later", &err));
    g_assert_null(batch_add(s.batch, r, "x", &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    set_clear(&s);
    fixture_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/batch/at-once", test_at_once);
    g_test_add_func("/batch/fail-fast", test_fail_fast);
    g_test_add_func("/batch/links", test_links);
    return g_test_run();
}
