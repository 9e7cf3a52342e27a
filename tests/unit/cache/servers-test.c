/* The backends of S3, Azure and GitHub against real servers behind one that injects faults
 * (tests/testbed/cacheservers.sh): their URLs are in VARVE_TEST_S3 and VARVE_TEST_AZURE. Skipped
 * without them; tests/cli/cacheservers.bats starts them. */
#include "base/error.h"
#include "cache/backend.h"
#include "net/http.h"
#include "store/blob.h"

#include <jansson.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SMALL 1000
#define MIDDLE (300 * 1000)
#define LARGE (50 * 1000 * 1000)
#define WRITERS 20
#define SECRET                                                                                     \
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

static const char *s3_url, *azure_url;
static atomic_uint names;

struct place {
    const char *kind;
    struct cache_backend *(*open)(const struct cache_spec *, const struct cache_env *, GError **);
    const char *spec; /* "URL", "NAME" and "TOKEN" are replaced */
    const char **url;
};
static const struct place places[] = {
    {"s3", cache_s3_open,
     "type=s3,bucket=cache,endpoint_url=URL,name=NAME,access_key_id=S3RVER,"
     "secret_access_key=S3RVER",
     &s3_url},
    {"azblob", cache_azblob_open,
     "type=azblob,account_url=URL/devstoreaccount1,account_key=" SECRET ",name=NAME", &azure_url},
    {"gha", cache_gha_open, "type=gha,url_v2=URL/,token=TOKEN,scope=NAME", &azure_url},
};

/* One machine: a store, and a backend for a reference. */
struct machine {
    const struct place *place;
    char *folder;
    struct store *store;
    struct registry_config *config;
    struct cache_spec *spec;
    struct cache_backend *b;
};

static char *token_of(const char *ac)
{
    g_autofree char *claims = g_strdup_printf("{\"ac\":\"%s\"}", ac);
    g_autofree char *encoded = g_base64_encode((const guchar *)claims, strlen(claims));
    return g_strdup_printf("x.%s.x", encoded);
}

#define MAIN "[{\\\"Scope\\\":\\\"refs/heads/main\\\",\\\"Permission\\\":3}]"
#define BRANCH                                                                                     \
    "[{\\\"Scope\\\":\\\"refs/heads/new\\\",\\\"Permission\\\":3},"                                \
    "{\\\"Scope\\\":\\\"refs/heads/main\\\",\\\"Permission\\\":1}]"

static char *replaced(const char *text, const char *word, const char *by)
{
    g_auto(GStrv) parts = g_strsplit(text, word, -1);
    return g_strjoinv(by, parts);
}

/* A backend for the reference name, in place of the one that there is. */
static void machine_point(struct machine *m, const char *name, const char *ac)
{
    GError *err = NULL;
    g_autofree char *token = token_of(ac);
    g_autofree char *a = replaced(m->place->spec, "URL", *m->place->url),
                    *b = replaced(a, "NAME", name), *c = replaced(b, "TOKEN", token);
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    struct cache_env env = {.store = m->store, .registry = m->config};
    cache_close(m->b);
    cache_spec_free(m->spec);
    m->spec = cache_spec_parse(CACHE_WRITE, c, NULL, notes, &err);
    g_assert_no_error(err);
    m->b = m->place->open(m->spec, &env, &err);
    g_assert_no_error(err);
}

static void machine_start(struct machine *m, const struct place *p, const char *name,
                          const char *ac)
{
    GError *err = NULL;
    *m = (struct machine){.place = p};
    m->folder = g_dir_make_tmp("varve-cache-XXXXXX", NULL);
    m->store = store_open(m->folder, &err);
    g_assert_no_error(err);
    m->config = registry_config_new();
    m->config->patience.first_delay_ms = 5;
    m->config->stall_s = 1;
    machine_point(m, name, ac);
}

static void machine_stop(struct machine *m)
{
    cache_close(m->b);
    cache_spec_free(m->spec);
    registry_config_free(m->config);
    store_close(m->store);
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", m->folder);
    g_assert_cmpint(system(command), ==, 0);
    g_free(m->folder);
}

static char *fresh_name(void)
{
    return g_strdup_printf("n%d-%u", (int)getpid(), atomic_fetch_add(&names, 1));
}

/* Asks the service that injects faults. */
static json_t *control(const char *base, const char *method, const char *path, const char *body)
{
    g_autofree char *text = g_strconcat(base, path, NULL);
    g_autoptr(url) u = url_parse(text, NULL);
    g_autoptr(http_client) c = http_client_new(NULL);
    struct http_request rq = {
        .method = method, .url = u, .body = body, .body_len = body ? strlen(body) : 0};
    g_auto(http_response) a;
    http_response_init(&a);
    GError *err = NULL;
    http_send(c, &rq, NULL, &a, &err);
    g_assert_no_error(err);
    return json_loadb((const char *)a.body->data, a.body->len, 0, NULL);
}

static void set_rules(const struct place *p, const char *json)
{
    json_decref(control(*p->url, "PUT", "/_rules", json));
}

static guint requests(const struct place *p)
{
    json_t *log = control(*p->url, "GET", "/_log", NULL);
    guint n = (guint)json_array_size(log);
    json_decref(log);
    return n;
}

/* A blob of noise, the same for a seed. */
static void make_blob(struct store *s, guint seed, gsize size, struct descriptor *d)
{
    GError *err = NULL;
    g_autofree guint32 *noise = g_malloc(size + 4);
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    for (gsize i = 0; i <= size / 4; i++)
        noise[i] = g_rand_int(rand);
    *d = (struct descriptor){.size = size};
    store_blob_put(s, noise, size, &d->digest, &err);
    g_assert_no_error(err);
}

static void must_have(struct machine *m, const struct descriptor *d, gboolean expected)
{
    GError *err = NULL;
    gboolean there = !expected;
    m->b->has(m->b, d, &there, &err);
    g_assert_no_error(err);
    g_assert_cmpint(there, ==, expected);
}

static void must_put(struct machine *m, const struct descriptor *d)
{
    GError *err = NULL;
    m->b->put(m->b, d, NULL, &err);
    g_assert_no_error(err);
}

static void must_publish(struct machine *m, const char *text)
{
    GError *err = NULL;
    g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    m->b->publish(m->b, bytes, none, &err);
    g_assert_no_error(err);
}

static void must_fetch(struct machine *m, const struct descriptor *d)
{
    GError *err = NULL;
    m->b->fetch(m->b, d, NULL, &err);
    g_assert_no_error(err);
    g_assert_true(store_blob_has(m->store, &d->digest, NULL));
}

static GPtrArray *must_list(struct machine *m)
{
    GError *err = NULL;
    GPtrArray *l = m->b->list(m->b, NULL, &err);
    g_assert_no_error(err);
    return l;
}

/* Whether a segment of this text is listed, and can be read. */
static gboolean is_listed(struct machine *m, const char *text)
{
    g_autoptr(GPtrArray) l = must_list(m);
    gboolean found = FALSE;
    for (guint i = 0; i < l->len; i++) {
        GError *err = NULL;
        g_autoptr(GBytes) bytes = m->b->segment(m->b, l->pdata[i], &err);
        g_assert_no_error(err);
        found |= g_bytes_get_size(bytes) == strlen(text) &&
                 memcmp(g_bytes_get_data(bytes, NULL), text, strlen(text)) == 0;
    }
    return found;
}

static void test_round_trip(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine one, two;
    struct descriptor small, middle, large;
    machine_start(&one, p, name, MAIN);
    machine_start(&two, p, name, MAIN);
    guint seed = g_random_int();
    make_blob(one.store, seed, SMALL, &small);
    make_blob(one.store, seed + 1, MIDDLE, &middle);
    make_blob(one.store, seed + 2, LARGE, &large);
    g_autoptr(GPtrArray) none = must_list(&one);
    g_assert_cmpuint(none->len, ==, 0);
    must_have(&one, &middle, FALSE);
    must_put(&one, &small);
    must_put(&one, &middle);
    must_put(&one, &large);
    must_publish(&one, "a segment");
    g_assert_true(is_listed(&two, "a segment"));
    must_have(&two, &small, TRUE);
    must_have(&two, &middle, TRUE);
    must_fetch(&two, &small);
    must_fetch(&two, &middle);
    must_fetch(&two, &large);
    must_publish(&two, "another");
    g_assert_true(is_listed(&one, "a segment") && is_listed(&one, "another"));
    machine_stop(&one);
    machine_stop(&two);
}

static void test_retire(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine m;
    GError *err = NULL;
    machine_start(&m, p, name, MAIN);
    must_publish(&m, "old");
    g_autoptr(GPtrArray) old = must_list(&m);
    must_publish(&m, "new");
    m.b->retire(m.b, old, &err);
    g_assert_no_error(err);
    g_assert_true(is_listed(&m, "new") && !is_listed(&m, "old"));
    m.b->retire(m.b, old, &err);
    g_assert_no_error(err);
    machine_stop(&m);
}

static void test_held(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name(), *other = fresh_name();
    struct machine m, n;
    struct descriptor d;
    GError *err = NULL;
    machine_start(&m, p, name, MAIN);
    machine_start(&n, p, other, MAIN);
    make_blob(m.store, g_random_int(), SMALL, &d);
    must_put(&m, &d);
    must_publish(&n, "of another reference");
    g_autoptr(GArray) held = m.b->held(m.b, &err);
    g_assert_no_error(err);
    gboolean found = FALSE;
    for (guint i = 0; i < held->len; i++) {
        const struct cache_held *h = &g_array_index(held, struct cache_held, i);
        gint64 age = g_get_real_time() / G_USEC_PER_SEC - h->written;
        found |= digest_cmp(&h->digest, &d.digest) == 0 && h->size == SMALL && ABS(age) < 600;
    }
    g_assert_true(found);
    g_autoptr(GPtrArray) others = m.b->others(m.b, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(others->len, >=, 1);
    m.b->remove(m.b, &d.digest, &err);
    g_assert_no_error(err);
    must_have(&m, &d, FALSE);
    machine_stop(&m);
    machine_stop(&n);
}

struct writer {
    const struct place *place;
    const char *name;
    guint number;
    GThread *thread;
};

static gpointer write_one(gpointer data)
{
    struct writer *w = data;
    struct machine m;
    struct descriptor d;
    g_autofree char *text = g_strdup_printf("writer %u", w->number);
    machine_start(&m, w->place, w->name, MAIN);
    make_blob(m.store, w->number, SMALL, &d);
    must_put(&m, &d);
    must_publish(&m, text);
    machine_stop(&m);
    return NULL;
}

static void test_writers(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct writer w[WRITERS];
    struct machine m;
    set_rules(p, "[]");
    for (guint i = 0; i < WRITERS; i++) {
        w[i] = (struct writer){.place = p, .name = name, .number = i};
        w[i].thread = g_thread_new("writer", write_one, &w[i]);
    }
    for (guint i = 0; i < WRITERS; i++)
        g_thread_join(w[i].thread);
    g_test_message("%u requests of %u writers", requests(p), WRITERS);
    machine_start(&m, p, name, MAIN);
    for (guint i = 0; i < WRITERS; i++) {
        struct descriptor d;
        g_autofree char *text = g_strdup_printf("writer %u", i);
        g_assert_true(is_listed(&m, text));
        make_blob(m.store, i, SMALL, &d);
        store_blob_delete(m.store, &d.digest, NULL);
        must_fetch(&m, &d);
    }
    machine_stop(&m);
}

/* All that a build does with a reference, with a fault at a request; FALSE: it has not so many. */
static gboolean survives(struct machine *one, struct machine *two, guint at, const char *fault)
{
    const struct place *p = one->place;
    g_autofree char *name = fresh_name();
    g_autofree char *rules = g_strdup_printf("[{\"at\":%u,%s}]", at, fault);
    struct descriptor small, middle;
    machine_point(one, name, MAIN);
    machine_point(two, name, MAIN);
    make_blob(one->store, g_random_int(), SMALL, &small);
    make_blob(one->store, g_random_int(), MIDDLE, &middle);
    set_rules(p, rules);
    must_have(one, &middle, FALSE);
    must_put(one, &small);
    must_put(one, &middle);
    must_publish(one, "a segment");
    g_assert_true(is_listed(two, "a segment"));
    must_fetch(two, &small);
    must_fetch(two, &middle);
    guint n = requests(p);
    set_rules(p, "[]");
    return n >= at;
}

static void test_faults(gconstpointer data)
{
    static const char *const faults[] = {
        "\"do\":\"status\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"}",
        "\"do\":\"status\",\"status\":429",
        "\"do\":\"status\",\"status\":500",
        "\"do\":\"drop\"",
        "\"do\":\"cut\"",
        "\"match\":\"GET /\",\"do\":\"stall\"", /* what is sent has longer to be answered */
        "\"match\":\"twirp\",\"do\":\"expire\"",
        "\"match\":\"CreateCacheEntry\",\"do\":\"reserved\"",
    };
    const struct place *p = data;
    guint n = G_N_ELEMENTS(faults) - (g_str_equal(p->kind, "gha") ? 0 : 2);
    struct machine one, two;
    machine_start(&one, p, "none", MAIN);
    machine_start(&two, p, "none", MAIN);
    for (guint i = 0; i < n; i++) {
        guint at = 1;
        while (survives(&one, &two, at, faults[i]))
            at++;
        g_test_message("%s at each of %u requests", faults[i], at - 1);
        g_assert_cmpuint(at, >, 6);
    }
    machine_stop(&one);
    machine_stop(&two);
}

static void test_wrong_content(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine one, two;
    struct descriptor d;
    g_autoptr(GError) err = NULL;
    machine_start(&one, p, name, MAIN);
    machine_start(&two, p, name, MAIN);
    make_blob(one.store, g_random_int(), MIDDLE, &d);
    must_put(&one, &d);
    set_rules(p, "[{\"match\":\"GET /\",\"do\":\"garble\",\"times\":null}]");
    g_assert_false(two.b->fetch(two.b, &d, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_assert_false(store_blob_has(two.store, &d.digest, NULL));
    set_rules(p, "[{\"match\":\"GET /\",\"do\":\"garble\",\"times\":1}]");
    must_fetch(&two, &d);
    set_rules(p, "[]");
    must_publish(&one, "a segment");
    g_autoptr(GPtrArray) l = must_list(&two);
    g_clear_error(&err);
    set_rules(p, "[{\"match\":\"GET /\",\"do\":\"garble\",\"times\":null}]");
    struct cache_listed *first = l->pdata[0];
    if (first->bytes) /* it comes with the list */
        g_assert_null(two.b->list(two.b, NULL, &err));
    else
        g_assert_null(two.b->segment(two.b, first, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    set_rules(p, "[]");
    machine_stop(&one);
    machine_stop(&two);
}

static void test_vanished(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine m;
    struct descriptor d;
    g_autoptr(GError) err = NULL;
    machine_start(&m, p, name, MAIN);
    make_blob(m.store, g_random_int(), MIDDLE, &d);
    must_put(&m, &d);
    store_blob_delete(m.store, &d.digest, NULL);
    if (m.b->remove)
        m.b->remove(m.b, &d.digest, NULL);
    else
        json_decref(control(*p->url, "PUT", "/_evict", "varve-blob"));
    g_assert_false(m.b->fetch(m.b, &d, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    machine_stop(&m);
}

static void test_denied(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine m;
    g_autoptr(GError) err = NULL;
    machine_start(&m, p, name, MAIN);
    set_rules(p, "[{\"do\":\"status\",\"status\":403,\"times\":null}]");
    g_assert_null(m.b->list(m.b, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_DENIED);
    g_assert_nonnull(error_next(err));
    g_assert_null(strstr(err->message, "S3RVER"));
    g_assert_null(strstr(err->message, "sig="));
    g_assert_null(strstr(err->message, "x."));
    set_rules(p, "[]");
    machine_stop(&m);
}

/* An object that is used is kept from a rule that removes old ones: copied onto itself. */
static void test_touch(gconstpointer data)
{
    const struct place *p = data;
    struct place young = *p;
    g_autofree char *name = fresh_name();
    g_autofree char *spec = g_strconcat(p->spec, ",touch_refresh=1s", NULL);
    struct machine m;
    struct descriptor d;
    young.spec = spec;
    machine_start(&m, &young, name, MAIN);
    make_blob(m.store, g_random_int(), SMALL, &d);
    must_put(&m, &d);
    set_rules(p, "[]");
    must_have(&m, &d, TRUE);
    g_assert_cmpuint(requests(p), ==, 1);
    g_usleep(2100 * 1000);
    must_have(&m, &d, TRUE);
    g_assert_cmpuint(requests(p), ==, 3);
    store_blob_delete(m.store, &d.digest, NULL);
    must_fetch(&m, &d);
    machine_stop(&m);
}

/* A branch sees its own and the default branch's; that one does not see the branch's. */
static void test_branches(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine on_main, on_branch;
    struct descriptor d;
    machine_start(&on_main, p, name, MAIN);
    machine_start(&on_branch, p, name, BRANCH);
    make_blob(on_main.store, g_random_int(), SMALL, &d);
    must_put(&on_main, &d);
    must_publish(&on_main, "of main");
    must_publish(&on_branch, "of the branch");
    must_publish(&on_main, "of main, later");
    g_assert_true(is_listed(&on_branch, "of the branch") && is_listed(&on_branch, "of main") &&
                  is_listed(&on_branch, "of main, later"));
    g_assert_false(is_listed(&on_main, "of the branch"));
    must_fetch(&on_branch, &d);
    machine_stop(&on_main);
    machine_stop(&on_branch);
}

/* A full quota is an error that says so, once, whatever its status; what is written later is whole.
 */
static void check_quota(const struct place *p, int status)
{
    g_autofree char *name = fresh_name();
    struct machine m;
    struct descriptor d;
    g_autoptr(GError) err = NULL;
    g_autoptr(GBytes) bytes = g_bytes_new("text", 4);
    g_autoptr(GPtrArray) none = g_ptr_array_new();
    machine_start(&m, p, name, MAIN);
    make_blob(m.store, g_random_int(), SMALL, &d);
    must_put(&m, &d);
    g_autofree char *rule = g_strdup_printf(
        "[{\"match\":\"CreateCacheEntry\",\"do\":\"quota\",\"status\":%d,\"times\":null}]", status);
    set_rules(p, rule);
    g_assert_false(m.b->publish(m.b, bytes, none, &err));
    g_assert_cmpuint(requests(p), <=, 2);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    g_assert_nonnull(strstr(err->message, "quota"));
    g_assert_nonnull(strstr(error_next(err), "delete old caches"));
    set_rules(p, "[]");
    must_publish(&m, "text");
    store_blob_delete(m.store, &d.digest, NULL);
    must_fetch(&m, &d);
    machine_stop(&m);
}

static void test_quota(gconstpointer data)
{
    check_quota(data, 403);
    check_quota(data, 429);
}

static gpointer publish_slowly(gpointer data)
{
    must_publish(data, "slow");
    return NULL;
}

/* A writer that is so slow that others pass it over, and is done after all. */
static void test_slow_writer(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine slow, other;
    machine_start(&slow, p, name, MAIN);
    machine_start(&other, p, name, MAIN);
    must_publish(&other, "first");
    set_rules(p, "[{\"match\":\"FinalizeCache\",\"do\":\"delay\",\"seconds\":0.8}]");
    GThread *t = g_thread_new("slow", publish_slowly, &slow);
    while (requests(p) < 4)
        g_usleep(5000);
    must_publish(&other, "second");
    must_publish(&other, "third");
    g_thread_join(t);
    set_rules(p, "[]");
    g_assert_true(is_listed(&other, "first") && is_listed(&other, "second") &&
                  is_listed(&other, "third") && is_listed(&other, "slow"));
    machine_stop(&slow);
    machine_stop(&other);
}

/* Small blobs share entries: 300 of them take few uploads. */
static void test_packed(gconstpointer data)
{
    const struct place *p = data;
    g_autofree char *name = fresh_name();
    struct machine one, two;
    struct descriptor d[300];
    machine_start(&one, p, name, MAIN);
    machine_start(&two, p, name, MAIN);
    set_rules(p, "[]");
    for (guint i = 0; i < G_N_ELEMENTS(d); i++) {
        make_blob(one.store, g_random_int(), SMALL + i, &d[i]);
        must_put(&one, &d[i]);
    }
    must_publish(&one, "packed");
    g_assert_cmpuint(requests(p), <, 12);
    g_autoptr(GPtrArray) list = must_list(&two);
    for (guint i = 0; i < G_N_ELEMENTS(d); i++) {
        must_have(&two, &d[i], TRUE);
        must_fetch(&two, &d[i]);
    }
    g_assert_cmpuint(requests(p), <, 20);
    g_assert_cmpuint(list->len, ==, 1);
    machine_stop(&one);
    machine_stop(&two);
}

static void add_tests(const struct place *p)
{
    static const struct {
        const char *name;
        GTestDataFunc fn;
    } tests[] = {{"round-trip", test_round_trip},
                 {"retire", test_retire},
                 {"writers", test_writers},
                 {"faults", test_faults},
                 {"wrong-content", test_wrong_content},
                 {"vanished", test_vanished},
                 {"denied", test_denied}};
    if (!*p->url)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(tests); i++) {
        g_autofree char *path = g_strdup_printf("/cache/%s/%s", p->kind, tests[i].name);
        g_test_add_data_func(path, p, tests[i].fn);
    }
    if (!g_str_equal(p->kind, "gha")) {
        g_autofree char *held = g_strdup_printf("/cache/%s/held", p->kind);
        g_test_add_data_func(held, p, test_held);
        if (g_str_equal(p->kind, "s3"))
            g_test_add_data_func("/cache/s3/touch", p, test_touch);
        return;
    }
    g_test_add_data_func("/cache/gha/branches", p, test_branches);
    g_test_add_data_func("/cache/gha/quota", p, test_quota);
    g_test_add_data_func("/cache/gha/slow-writer", p, test_slow_writer);
    g_test_add_data_func("/cache/gha/packed", p, test_packed);
}

static void test_nothing(void)
{
    g_test_skip("needs servers: tests/cli/cacheservers.bats");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    s3_url = g_getenv("VARVE_TEST_S3");
    azure_url = g_getenv("VARVE_TEST_AZURE");
    for (guint i = 0; i < G_N_ELEMENTS(places); i++)
        add_tests(&places[i]);
    if (!s3_url && !azure_url)
        g_test_add_func("/cache/servers", test_nothing);
    return g_test_run();
}
