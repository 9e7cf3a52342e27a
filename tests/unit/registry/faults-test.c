/* The client against a registry that misbehaves (tests/faults/registry.py). */
#include "fixture.h"

#include "base/error.h"
#include "base/fs.h"

#include <fcntl.h>
#include <string.h>

#define LAYER (200 * 1000)

static struct faults server;
static char *source_folder;
static struct store *source;
static guint repositories;

struct puller {
    char *folder;
    struct store *store;
    struct registry_config *config;
    struct cancel *cancel;
    struct registry *registry;
    struct reference *ref;
    char *repository;
    struct image image;
    struct digest target; /* pushed: manifest or index */
};

/* A fresh repository that holds an image, and a client with an empty store. */
static void setup(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    guint n = ++repositories;
    faults_rules(&server, "[]");
    p->repository = g_strdup_printf("team/app%u", n);
    p->ref = faults_reference(&server, p->repository, "one");
    image_make(source, n, 3, LAYER, &p->image);
    p->target = p->image.manifest;
    p->config = fixture_config();
    g_autoptr(registry) r = registry_new(source, p->config, NULL, NULL);
    registry_push(r, &p->image.manifest, p->ref, FALSE, NULL, &err);
    g_assert_no_error(err);
    p->folder = fixture_folder();
    p->store = fixture_store(p->folder);
    p->cancel = cancel_new();
    p->registry = registry_new(p->store, p->config, NULL, p->cancel);
    faults_rules(&server, "[]");
}

static void teardown(struct puller *p, gconstpointer data)
{
    registry_free(p->registry);
    cancel_free(p->cancel);
    store_close(p->store);
    fixture_remove(p->folder);
    registry_config_free(p->config);
    reference_free(p->ref);
    g_free(p->repository);
}

static gboolean resolve(struct puller *p, struct resolved *out, GError **err)
{
    struct platform platform;
    platform_parse(&platform, "linux/amd64", NULL);
    return registry_resolve(p->registry, p->ref, &platform, out, err);
}

static gboolean pull(struct puller *p, GError **err)
{
    struct resolved r;
    return resolve(p, &r, err) && fetch_all(p->registry, p->store, p->ref, &r.manifest, err);
}

static void assert_complete(struct puller *p)
{
    g_assert_true(store_blob_has(p->store, &p->image.config, NULL));
    for (guint i = 0; i < p->image.n_layers; i++) {
        guint64 size;
        g_assert_true(store_blob_has(p->store, &p->image.layer[i], &size));
        g_assert_cmpuint(size, ==, LAYER);
    }
}

static void must_pull(struct puller *p)
{
    GError *err = NULL;
    pull(p, &err);
    g_assert_no_error(err);
    assert_complete(p);
}

static void test_plain(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    struct resolved r;
    must_pull(p);
    guint manifests = faults_count(&server, "GET", "/manifests/");
    resolve(p, &r, &err);
    g_assert_no_error(err);
    g_assert_cmpint(digest_cmp(&r.manifest, &p->image.manifest), ==, 0);
    g_assert_cmpint(digest_cmp(&r.config, &p->image.config), ==, 0);
    g_assert_cmpuint(faults_count(&server, "GET", "/manifests/"), ==, manifests);
}

static void test_by_digest(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    struct resolved r;
    p->ref->digest = digest_text(&p->image.manifest);
    must_pull(p);
    faults_rules(&server, "[]");
    resolve(p, &r, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(faults_count(&server, "GET", "/v2/") + faults_count(&server, "HEAD", "/v2/"),
                     ==, 0);
}

static void test_index(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    struct resolved r;
    struct platform platform;
    struct image images[2] = {p->image};
    struct digest index;
    image_make(source, 1000000 + repositories, 1, LAYER, &images[1]);
    index_make(source, images, 2, &index);
    g_autoptr(registry) pusher = registry_new(source, p->config, NULL, NULL);
    registry_push(pusher, &index, p->ref, FALSE, NULL, &err);
    g_assert_no_error(err);
    platform_parse(&platform, "linux/arm64", NULL);
    registry_resolve(p->registry, p->ref, &platform, &r, &err);
    g_assert_no_error(err);
    g_assert_cmpint(digest_cmp(&r.target, &index), ==, 0);
    g_assert_cmpint(digest_cmp(&r.manifest, &images[1].manifest), ==, 0);
    platform_parse(&platform, "linux/s390x", NULL);
    g_assert_false(registry_resolve(p->registry, p->ref, &platform, &r, &err));
    assert_error(&err, VARVE_ERROR_NOT_FOUND, "linux/s390x", "linux/arm64", "--platform", NULL);
}

/* Rules that a pull gets over, and how many requests of a kind it takes. %s in a rule is the
 * repository. */
struct survived {
    const char *name, *rules;
    const char *method, *part;
    guint at_least;
};
static const struct survived SURVIVED[] = {
    {"429",
     "[{\"match\":\"/manifests/"
     "\",\"do\":\"status\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"},\"times\":1}]",
     "HEAD", "/manifests/", 2},
    {"500-manifest",
     "[{\"match\":\"GET .*manifests\",\"do\":\"status\",\"status\":500,\"times\":2}]", "GET",
     "/manifests/", 3},
    {"503-blob", "[{\"match\":\"GET .*blobs\",\"do\":\"status\",\"status\":503,\"times\":2}]",
     "GET", "/blobs/", 6},
    {"truncated-blob",
     "[{\"match\":\"GET .*blobs\",\"do\":\"truncate\",\"bytes\":100000,\"times\":4}]", "GET",
     "/blobs/", 6},
    {"truncated-manifest",
     "[{\"match\":\"GET .*manifests\",\"do\":\"truncate\",\"bytes\":40,\"times\":1}]", "GET",
     "/manifests/", 2},
    {"wrong-once", "[{\"match\":\"GET .*blobs\",\"do\":\"wrong\",\"times\":1}]", "GET", "/blobs/",
     5},
    {"wrong-manifest-once", "[{\"match\":\"GET .*manifests\",\"do\":\"wrong\",\"times\":1}]", "GET",
     "/manifests/", 2},
    {"dropped", "[{\"match\":\"GET .*blobs\",\"do\":\"drop\",\"times\":2}]", "GET", "/blobs/", 6},
    {"hang", "[{\"match\":\"GET .*blobs\",\"do\":\"hang\",\"times\":1}]", "GET", "/blobs/", 5},
    {"trickle", "[{\"match\":\"GET .*blobs\",\"do\":\"trickle\",\"times\":1}]", "GET", "/blobs/",
     5},
    {"no-range",
     "[{\"match\":\"GET .*blobs\",\"do\":\"truncate\",\"bytes\":100000,\"times\":4},"
     "{\"match\":\"GET .*blobs\",\"do\":\"ignore-range\"}]",
     "GET", "/blobs/", 6},
    {"no-digest", "[{\"match\":\"/manifests/\",\"do\":\"no-digest\"}]", "GET", "/manifests/one", 1},
    {"head-405", "[{\"match\":\"HEAD .*manifests\",\"do\":\"status\",\"status\":405}]", "GET",
     "/manifests/one", 1},
};

static void test_survived(struct puller *p, gconstpointer data)
{
    const struct survived *s = data;
    faults_rules(&server, s->rules);
    must_pull(p);
    g_assert_cmpuint(faults_count(&server, s->method, s->part), >=, s->at_least);
}

/* Rules that a pull fails on, and what the message must say. */
struct refused {
    const char *name, *rules;
    int code;
    const char *part[3];
};
static const struct refused REFUSED[] = {
    {"401-loop",
     "[{\"match\":\"/manifests/\",\"do\":\"unauthorized\"}]",
     VARVE_ERROR_DENIED,
     {"401 (unauthorized)", "varve login 127.0.0.1"}},
    {"403",
     "[{\"match\":\"/manifests/\",\"do\":\"status\",\"status\":403,\"body\":"
     "\"{\\\"errors\\\":[{\\\"code\\\":\\\"DENIED\\\",\\\"message\\\":\\\"not\\\\u001b[31m "
     "yours\\\"}]}\"}]",
     VARVE_ERROR_DENIED,
     {"403 (forbidden)", "not [31m yours", "varve login"}},
    {"404",
     "[{\"match\":\"/manifests/\",\"do\":\"status\",\"status\":404}]",
     VARVE_ERROR_NOT_FOUND,
     {"404 (not found) for one", "check the name"}},
    {"429",
     "[{\"match\":\"/manifests/\",\"do\":\"status\",\"status\":429}]",
     VARVE_ERROR_OUTSIDE,
     {"answered 429 (too many requests) 3 times in ", "varve login"}},
    {"429-too-long",
     "[{\"match\":\"/manifests/"
     "\",\"do\":\"status\",\"status\":429,\"headers\":{\"Retry-After\":\"60\"}}]",
     VARVE_ERROR_OUTSIDE,
     {"answered 429 (too many requests)", "it asks to wait 60 s"}},
    {"500",
     "[{\"match\":\"/blobs/\",\"do\":\"status\",\"status\":500}]",
     VARVE_ERROR_OUTSIDE,
     {"answered 500 (internal server error) 3 times", "again later"}},
    {"truncated",
     "[{\"match\":\"GET .*manifests\",\"do\":\"truncate\",\"bytes\":10}]",
     VARVE_ERROR_OUTSIDE,
     {"cut short"}},
    {"truncated-blob",
     "[{\"match\":\"GET .*blobs\",\"do\":\"truncate\",\"bytes\":0}]",
     VARVE_ERROR_OUTSIDE,
     {"failed 3 times", "cut short"}},
    {"wrong-blob",
     "[{\"match\":\"GET .*blobs\",\"do\":\"wrong\"}]",
     VARVE_ERROR_INVALID,
     {"wrong blob, twice", "expected sha256:"}},
    {"wrong-manifest",
     "[{\"match\":\"GET .*manifests\",\"do\":\"wrong\"}]",
     VARVE_ERROR_INVALID,
     {"digest is wrong: expected sha256:"}},
    {"wrong-digest-header",
     "[{\"match\":\"HEAD .*manifests\",\"do\":\"no-digest\"},"
     "{\"match\":\"/manifests/\",\"do\":\"wrong-digest\"}]",
     VARVE_ERROR_INVALID,
     {"digest is wrong"}},
    {"hang",
     "[{\"match\":\"/manifests/\",\"do\":\"hang\"}]",
     VARVE_ERROR_OUTSIDE,
     {"failed 3 times", "less than 1 KiB a second for 1 s"}},
    {"trickle",
     "[{\"match\":\"GET .*manifests\",\"do\":\"trickle\"}]",
     VARVE_ERROR_OUTSIDE,
     {"less than 1 KiB a second"}},
    {"drop",
     "[{\"match\":\"/manifests/\",\"do\":\"drop\"}]",
     VARVE_ERROR_OUTSIDE,
     {"without an answer"}},
    {"not-json",
     "[{\"match\":\"HEAD .*manifests\",\"do\":\"status\",\"status\":404},"
     "{\"match\":\"/manifests/\",\"do\":\"status\",\"status\":200,\"body\":\"<html>\"}]",
     VARVE_ERROR_INVALID,
     {"manifest"}},
    {"redirect-loop",
     "[{\"match\":\"/manifests/\",\"do\":\"redirect\",\"location\":\"/v2/x/manifests/y\"}]",
     VARVE_ERROR_INVALID,
     {"redirects more than 10 times"}},
    {"redirect-scheme",
     "[{\"match\":\"/manifests/\",\"do\":\"redirect\",\"location\":\"file:///etc/passwd\"}]",
     VARVE_ERROR_INVALID,
     {"redirects to a bad URL"}},
    {"redirect-plain",
     "[{\"match\":\"/manifests/\",\"do\":\"redirect\",\"location\":\"http://192.0.2.1/x\"}]",
     VARVE_ERROR_INVALID,
     {"192.0.2.1 without TLS"}},
    {"token-server-down",
     "[{\"match\":\"/manifests/\",\"do\":\"unauthorized\"},"
     "{\"match\":\"/token\",\"do\":\"status\",\"status\":502}]",
     VARVE_ERROR_OUTSIDE,
     {"token server 127.0.0.1 answered 502", "3 times"}},
};

static void test_refused(struct puller *p, gconstpointer data)
{
    const struct refused *s = data;
    GError *err = NULL;
    faults_rules(&server, s->rules);
    g_assert_false(pull(p, &err));
    g_autofree char *said = error_text(err);
    for (guint i = 0; i < G_N_ELEMENTS(s->part) && s->part[i]; i++)
        if (!strstr(said, s->part[i]))
            g_error("\"%s\" is not in: %s", s->part[i], said);
    assert_error(&err, s->code, "cannot pull 127.0.0.1:", p->repository,
                 "registry 127.0.0.1:", NULL);
    for (guint i = 0; i < p->image.n_layers && strstr(s->name, "wrong"); i++)
        g_assert_false(store_blob_has(p->store, &p->image.layer[i], NULL));
    /* And when the fault is gone, so is the error. */
    faults_rules(&server, "[]");
    must_pull(p);
}

/* What was transferred before a failure is not transferred again by the next command. */
static void test_resume(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    guint resumed = 0;
    gsize i;
    json_t *item;
    g_autofree char *digest = digest_text(&p->image.layer[0]);
    g_autofree char *rules = g_strdup_printf(
        "[{\"match\":\"blobs/%s\",\"do\":\"truncate\",\"bytes\":150000,\"times\":1},"
        "{\"match\":\"blobs/%s\",\"do\":\"status\",\"status\":500}]",
        digest, digest);
    faults_rules(&server, rules);
    g_assert_false(pull(p, &err));
    g_clear_error(&err);
    registry_free(p->registry);
    store_close(p->store);
    p->store = fixture_store(p->folder);
    p->registry = registry_new(p->store, p->config, NULL, p->cancel);
    faults_rules(&server, "[]");
    must_pull(p);
    json_t *log = faults_log(&server);
    json_array_foreach(log, i, item)
    {
        const char *range = json_string_value(json_object_get(item, "range"));
        resumed += range && strcmp(range, "bytes=150000-") == 0;
    }
    json_decref(log);
    g_assert_cmpuint(resumed, ==, 1);
}

static void test_retry_after(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    struct resolved resolved;
    faults_rules(&server, "[{\"match\":\"HEAD "
                          "\",\"do\":\"status\",\"status\":429,\"headers\":{\"Retry-After\":\"1\"},"
                          "\"times\":1}]");
    gint64 start = g_get_monotonic_time();
    resolve(p, &resolved, &err);
    g_assert_no_error(err);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 1000000);
    g_assert_cmpuint(faults_count(&server, "HEAD", "/manifests/"), ==, 2);
}

/* Once the server has been asked for a blob. */
static gpointer cancel_blob(gpointer data)
{
    guint asked = 0;
    for (guint i = 0; i < 250 && !(asked = faults_count(&server, "GET", "/blobs/")); i++)
        g_usleep(20000);
    cancel_trigger(data);
    return GUINT_TO_POINTER(asked);
}

static void test_cancel(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    p->config->stall_s = 30;
    registry_free(p->registry);
    p->registry = registry_new(p->store, p->config, NULL, p->cancel);
    faults_rules(&server, data);
    gint64 start = g_get_monotonic_time();
    GThread *t = g_thread_new("cancel", cancel_blob, p->cancel);
    g_assert_false(pull(p, &err));
    g_assert_cmpuint(GPOINTER_TO_UINT(g_thread_join(t)), >, 0);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_error_free(err);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 1300000);
}

static void test_unreachable(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    g_free(p->ref->domain);
    p->ref->domain = g_strdup_printf("127.0.0.1:%u", free_port());
    g_assert_false(pull(p, &err));
    assert_error(&err, VARVE_ERROR_OUTSIDE, p->ref->domain, "does not accept connections",
                 "check the registry's name", NULL);
}

static void test_mirror(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    g_autofree char *mirror = g_strdup_printf("127.0.0.1:%u/team", server.port);
    g_autofree char *dead = g_strdup_printf("127.0.0.1:%u", free_port());
    registry_config_add_mirror(p->config, "registry.invalid/x", dead);
    registry_config_add_mirror(p->config, "registry.invalid/x", mirror);
    g_autofree char *text = g_strdup_printf("registry.invalid/x/app%u:one", repositories);
    reference_free(p->ref);
    p->ref = reference_parse(text, NULL);
    must_pull(p);
    g_free(p->ref->tag);
    p->ref->tag = g_strdup("two");
    g_assert_false(pull(p, &err));
    assert_error(&err, VARVE_ERROR_OUTSIDE, "registry registry.invalid", "its mirror",
                 "404 (not found)", "\nnext:", NULL);
}

/* A key and a certificate for 127.0.0.1 in folder; FALSE without an openssl program. */
static gboolean make_certificate(const char *folder)
{
    g_autofree char *command = g_strdup_printf(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=t "
        "-addext subjectAltName=IP:127.0.0.1 -keyout %s/key.pem -out %s/cert.pem",
        folder, folder);
    int status;
    g_autofree char *out = NULL, *complaint = NULL;
    return g_spawn_command_line_sync(command, &out, &complaint, &status, NULL) && status == 0;
}

/* https never becomes http: neither on this machine, nor where nothing is verified. */
static void test_downgrade(void)
{
    struct faults tls;
    char *folder = fixture_folder();
    if (!make_certificate(folder)) {
        g_test_skip("openssl is needed");
        fixture_remove(folder);
        return;
    }
    g_autofree char *cert = g_build_filename(folder, "cert.pem", NULL);
    g_autofree char *key = g_build_filename(folder, "key.pem", NULL);
    const char *args[] = {"--cert", cert,      "--key",
                          key,      "--rules", "[{\"match\":\"/away\",\"do\":\"redirect\"}]",
                          NULL};
    struct trust_places trust = {.extra = cert};
    struct http_options ho = {.trust = &trust};
    faults_start(&tls, args);
    g_autofree char *text = g_strdup_printf("https://127.0.0.1:%u/away", tls.port);
    g_autoptr(url) u = url_parse(text, NULL);
    g_autoptr(http_client) client = http_client_new(&ho);
    g_auto(http_response) a;
    http_response_init(&a);
    for (guint insecure = 0; insecure < 2; insecure++) {
        GError *err = NULL;
        struct http_request rq = {.method = "GET", .url = u, .insecure = insecure};
        g_assert_false(http_exchange(client, &rq, &a, &err));
        assert_error(&err, VARVE_ERROR_INVALID, "without TLS", NULL);
        g_assert_cmpint(a.status, ==, 307);
    }
    faults_stop(&tls);
    fixture_remove(folder);
}

static void test_push_again(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    struct push_stats stats;
    g_autoptr(registry) r = registry_new(source, p->config, NULL, NULL);
    registry_push(r, &p->target, p->ref, FALSE, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.bytes_sent + stats.blobs_sent + stats.blobs_mounted, ==, 0);
    g_assert_cmpuint(stats.blobs_there, ==, 4);
    /* Another tag: only the manifest goes. */
    g_free(p->ref->tag);
    p->ref->tag = g_strdup("two");
    registry_push(r, &p->target, p->ref, FALSE, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.blobs_there, ==, 4);
    g_assert_cmpuint(faults_received(&server), ==, 0);
    g_assert_cmpuint(faults_count(&server, "PUT", "/manifests/"), ==, 1);
}

static struct reference *other_repository(const struct puller *p)
{
    g_autofree char *name = g_strconcat(p->repository, "-copy", NULL);
    return faults_reference(&server, name, "one");
}

static void test_mount(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    struct push_stats stats;
    g_autoptr(registry) r = registry_new(source, p->config, NULL, NULL);
    g_autoptr(reference) to = other_repository(p);
    registry_push(r, &p->target, to, FALSE, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.blobs_mounted, ==, 4);
    g_assert_cmpuint(faults_received(&server), ==, 0);
}

/* A layer whose blob is gone from the store comes from where it was seen. */
static void test_lost_blob(struct puller *p, gconstpointer data)
{
    GError *err = NULL;
    struct push_stats stats;
    g_autoptr(reference) to = other_repository(p);
    must_pull(p);
    store_blob_delete(p->store, &p->image.layer[1], &err);
    g_assert_no_error(err);
    faults_rules(&server, "[{\"match\":\"mount=\",\"do\":\"no-mount\"}]");
    registry_push(p->registry, &p->target, to, FALSE, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.blobs_sent, ==, 4);
}

/* Rules that a push gets over; whether it needs PATCH; how many bytes of blobs the server may
 * receive at most. */
struct pushed {
    const char *name, *rules;
    gboolean patches;
    guint64 bytes;
};
static const struct pushed PUSHED[] = {
    {"absolute-location", "[{\"match\":\"/blobs/uploads/\",\"do\":\"absolute\"}]", FALSE,
     3 * LAYER + 200},
    {"no-mount", "[{\"match\":\"mount=\",\"do\":\"no-mount\"}]", FALSE, 3 * LAYER + 200},
    {"broken-off",
     "[{\"match\":\"PUT .*uploads\",\"do\":\"abort-upload\",\"bytes\":120000,\"times\":2}]", TRUE,
     3 * LAYER + 200},
    {"broken-off-at-once",
     "[{\"match\":\"PUT .*uploads\",\"do\":\"abort-upload\",\"bytes\":0,\"times\":3}]", FALSE,
     3 * LAYER + 200},
    {"too-large", "[{\"match\":\"PUT .*uploads\",\"do\":\"status\",\"status\":413,\"times\":4}]",
     TRUE, 3 * LAYER + 200},
    {"patch-broken-off",
     "[{\"match\":\"PUT .*uploads\",\"do\":\"status\",\"status\":413,\"times\":4},"
     "{\"match\":\"PATCH \",\"do\":\"abort-upload\",\"bytes\":66000,\"times\":2}]",
     TRUE, 3 * LAYER + 200},
    {"500", "[{\"match\":\"PUT .*uploads\",\"do\":\"status\",\"status\":500,\"times\":2}]", FALSE,
     3 * LAYER + 200},
    {"session-lost",
     "[{\"match\":\"PUT .*uploads\",\"do\":\"abort-upload\",\"bytes\":120000,\"times\":1},"
     "{\"match\":\"GET .*uploads\",\"do\":\"status\",\"status\":404,\"times\":1}]",
     FALSE, 4 * LAYER + 200},
    {"manifest-503",
     "[{\"match\":\"PUT .*manifests\",\"do\":\"status\",\"status\":503,\"times\":2}]", FALSE,
     3 * LAYER + 200},
};

static void test_pushed(struct puller *p, gconstpointer data)
{
    const struct pushed *s = data;
    GError *err = NULL;
    struct push_stats stats;
    struct image image;
    image_make(source, 2000000 + repositories, 3, LAYER, &image);
    g_autoptr(registry) r = registry_new(source, p->config, NULL, NULL);
    faults_rules(&server, s->rules);
    registry_push(r, &image.manifest, p->ref, FALSE, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.blobs_sent, ==, 4);
    g_assert_cmpuint(faults_received(&server), <=, s->bytes);
    g_assert_cmpint(faults_count(&server, "PATCH", "/uploads/") > 0, ==, s->patches);
    p->image = image;
    faults_rules(&server, "[]");
    must_pull(p);
}

static void test_push_refused(struct puller *p, gconstpointer data)
{
    const struct refused *s = data;
    GError *err = NULL;
    struct image image;
    image_make(source, 3000000 + repositories, 3, LAYER, &image);
    g_autoptr(registry) r = registry_new(source, p->config, NULL, NULL);
    faults_rules(&server, s->rules);
    g_assert_false(registry_push(r, &image.manifest, p->ref, FALSE, NULL, &err));
    assert_error(&err, s->code, "cannot push 127.0.0.1:", p->repository, s->part[0], NULL);
    struct resolved now;
    faults_rules(&server, "[]");
    g_assert_true(resolve(p, &now, NULL));
    g_assert_cmpint(digest_cmp(&now.target, &p->target), ==, 0);
}
static const struct refused PUSH_REFUSED[] = {
    {"403",
     "[{\"match\":\"POST \",\"do\":\"status\",\"status\":403}]",
     VARVE_ERROR_DENIED,
     {"403 (forbidden)"}},
    {"500",
     "[{\"match\":\"PUT .*uploads\",\"do\":\"status\",\"status\":500}]",
     VARVE_ERROR_OUTSIDE,
     {"answered 500"}},
    {"drop",
     "[{\"match\":\"PUT .*uploads\",\"do\":\"drop\"}]",
     VARVE_ERROR_OUTSIDE,
     {"registry 127.0.0.1"}},
    {"manifest-400",
     "[{\"match\":\"PUT .*manifests\",\"do\":\"status\",\"status\":400}]",
     VARVE_ERROR_INVALID,
     {"400 (bad request) for one"}},
    {"stuck",
     "[{\"match\":\"PUT .*uploads\",\"do\":\"abort-upload\",\"bytes\":120000},"
     "{\"match\":\"PATCH \",\"do\":\"status\",\"status\":202,"
     "\"headers\":{\"Location\":\"/v2/x/blobs/uploads/y\",\"Range\":\"0-99\"}}]",
     VARVE_ERROR_OUTSIDE,
     {"registry 127.0.0.1"}},
    {"no-location",
     "[{\"match\":\"POST \",\"do\":\"status\",\"status\":202}]",
     VARVE_ERROR_INVALID,
     {"without saying where"}},
};

static void add(const char *format, const char *name, gconstpointer data,
                void (*test)(struct puller *, gconstpointer))
{
    g_autofree char *path = g_strdup_printf(format, name);
    g_test_add(path, struct puller, data, setup, test, teardown);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    faults_start(&server, NULL);
    source_folder = fixture_folder();
    source = fixture_store(source_folder);
    add("/registry/%s", "plain", NULL, test_plain);
    add("/registry/%s", "by-digest", NULL, test_by_digest);
    add("/registry/%s", "index", NULL, test_index);
    for (gsize i = 0; i < G_N_ELEMENTS(SURVIVED); i++)
        add("/registry/survives/%s", SURVIVED[i].name, &SURVIVED[i], test_survived);
    for (gsize i = 0; i < G_N_ELEMENTS(REFUSED); i++)
        add("/registry/refuses/%s", REFUSED[i].name, &REFUSED[i], test_refused);
    add("/registry/%s", "resume", NULL, test_resume);
    add("/registry/%s", "retry-after", NULL, test_retry_after);
    add("/registry/%s", "cancel-hang", "[{\"match\":\"GET .*blobs\",\"do\":\"hang\"}]",
        test_cancel);
    add("/registry/%s", "cancel-waiting",
        "[{\"match\":\"blobs\",\"do\":\"status\",\"status\":429,\"headers\":{\"Retry-After\":\"4\"}"
        "}]",
        test_cancel);
    add("/registry/%s", "unreachable", NULL, test_unreachable);
    g_test_add_func("/registry/redirect-downgrade", test_downgrade);
    add("/registry/%s", "mirror", NULL, test_mirror);
    add("/registry/%s", "push-again", NULL, test_push_again);
    add("/registry/%s", "mount", NULL, test_mount);
    add("/registry/%s", "lost-blob", NULL, test_lost_blob);
    for (gsize i = 0; i < G_N_ELEMENTS(PUSHED); i++)
        add("/registry/push-survives/%s", PUSHED[i].name, &PUSHED[i], test_pushed);
    for (gsize i = 0; i < G_N_ELEMENTS(PUSH_REFUSED); i++)
        add("/registry/push-refuses/%s", PUSH_REFUSED[i].name, &PUSH_REFUSED[i], test_push_refused);
    int rc = g_test_run();
    store_close(source);
    fixture_remove(source_folder);
    faults_stop(&server);
    return rc;
}
