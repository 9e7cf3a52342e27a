/* What the registry room reads from outside: challenges, error bodies, registries.conf. */
#include "base/error.h"
#include "registry/answer.h"
#include "registry/challenge.h"
#include "registry/client.h"
#include "registry/hostconf.h"
#include "registry/toml.h"
#include "registry/upload.h"

#include <string.h>

static void test_challenge(void)
{
    static const struct {
        const char *text;
        enum challenge_scheme scheme;
        const char *realm, *service, *scope;
    } CASES[] = {
        {"Bearer realm=\"https://t/x\",service=\"s\",scope=\"repository:a:pull\"", CHALLENGE_BEARER,
         "https://t/x", "s", "repository:a:pull"},
        {"bearer realm = \"https://t\" , service=plain", CHALLENGE_BEARER, "https://t", "plain",
         NULL},
        {"Basic realm=\"a \\\"b\\\", c\"", CHALLENGE_BASIC, "a \"b\", c", NULL, NULL},
        {"Basic", CHALLENGE_BASIC, NULL, NULL, NULL},
        {"Basic realm=\"x\", Bearer realm=\"https://t\"", CHALLENGE_BEARER, "https://t", NULL,
         NULL},
        {"Bearer realm=\"https://t\",service=\"s\", Basic realm=\"x\"", CHALLENGE_BEARER,
         "https://t", "s", NULL},
        {"Negotiate YWJj==, Basic realm=\"x\"", CHALLENGE_BASIC, "x", NULL, NULL},
        {"Digest realm=\"x\"", CHALLENGE_NONE, NULL, NULL, NULL},
        {"Bearer realm=\"no end", CHALLENGE_BEARER, NULL, NULL, NULL},
        {"Bearer realm=\"a\r\nX: y\"", CHALLENGE_BEARER, NULL, NULL, NULL},
        {"Bearer realm=\"one\",realm=\"two\"", CHALLENGE_BEARER, "one", NULL, NULL},
        {"", CHALLENGE_NONE, NULL, NULL, NULL},
        {",,, =\"", CHALLENGE_NONE, NULL, NULL, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_auto(challenge) c = {0};
        challenge_parse(&c, CASES[i].text, strlen(CASES[i].text));
        g_test_message("%s", CASES[i].text);
        g_assert_cmpint(c.scheme, ==, CASES[i].scheme);
        g_assert_cmpstr(c.realm, ==, CASES[i].realm);
        g_assert_cmpstr(c.service, ==, CASES[i].service);
        g_assert_cmpstr(c.scope, ==, CASES[i].scope);
    }
}

/* Any bytes at all: nothing is read beyond the end, nothing takes long. */
static void test_challenge_noise(void)
{
    static const char ALPHABET[] = "Bearer Basic=\",\\ \t\r\n\0a1:/realm=\"";
    for (guint i = 0; i < 20000; i++) {
        gsize n = g_test_rand_int_range(0, 60);
        g_autofree char *bytes = g_malloc(MAX(n, 1));
        for (gsize k = 0; k < n; k++)
            bytes[k] = ALPHABET[g_test_rand_int_range(0, sizeof ALPHABET - 1)];
        g_auto(challenge) c = {0};
        challenge_parse(&c, bytes, n);
        g_assert_true(c.scheme != CHALLENGE_NONE || !c.realm);
    }
}

static void test_reason(void)
{
    static const struct {
        const char *body, *reason;
    } CASES[] = {
        {"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"not yours\"}]}", "not yours"},
        {"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"\"}]}", "DENIED"},
        {"{\"details\":\"bad password\"}", "bad password"},
        {"{\"errors\":[]}", NULL},
        {"{\"errors\":{\"a\":1}}", NULL},
        {"<html>", NULL},
        {"", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_auto(http_response) a;
        http_response_init(&a);
        g_byte_array_append(a.body, (const guint8 *)CASES[i].body, strlen(CASES[i].body));
        g_autofree char *reason = answer_reason(&a);
        g_assert_cmpstr(reason, ==, CASES[i].reason);
    }
}

static const char CONF[] = "# comment\n"
                           "unqualified-search-registries = [\"docker.io\", # inside\n 'quay.io']\n"
                           "[aliases]\n\"a/b\" = \"c/d\"\n"
                           "[[registry]]\n"
                           "prefix = \"docker.io/library\"\n"
                           "location = \"hub.example/cache\"\n"
                           "[[registry.mirror]]\n"
                           "location = \"first.example:5000/m\" # behind\n"
                           "insecure = true\n"
                           "[[registry.mirror]]\n"
                           "location = \"second.example\"\n"
                           "pull-from-mirror = \"digest-only\"\n"
                           "[[registry]]\n"
                           "location = \"bad.example\"\n"
                           "blocked = true\n"
                           "unknown = { a = 1, b = [ { c = 'd' } ] }\n"
                           "[[registry]]\n"
                           "prefix = \"*.wild.example\"\n"
                           "insecure = true\n";

static char *routes_text(const struct registry_config *c, const char *domain, const char *path,
                         gboolean by_digest, gboolean pushing)
{
    g_autoptr(GPtrArray) routes = registry_config_routes(c, domain, path, by_digest, pushing, NULL);
    g_autoptr(GString) s = g_string_new(NULL);
    for (guint i = 0; routes && i < routes->len; i++) {
        const struct route *r = g_ptr_array_index(routes, i);
        g_string_append_printf(s, "%s%s/%s%s%s", i ? " " : "", r->host, r->repository,
                               r->insecure ? "!" : "", r->mirror ? "~" : "");
    }
    return g_string_free(g_steal_pointer(&s), FALSE);
}

/* What one client is allowed concerns no other that shares its configuration. */
static void test_insecure_client(void)
{
    g_autoptr(registry_config) config = registry_config_new();
    g_autoptr(registry) one = registry_new(NULL, config, NULL, NULL);
    g_autoptr(registry) other = registry_new(NULL, config, NULL, NULL);
    registry_allow_insecure(one, "lab.example:5000");
    static const struct {
        const char *domain;
        gboolean one;
    } CASES[] = {{"lab.example:5000", TRUE}, {"lab.example", FALSE}, {"docker.io", FALSE}};
    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(GPtrArray) a = client_routes(one, CASES[i].domain, "a/b", FALSE, TRUE, NULL);
        g_autoptr(GPtrArray) b = client_routes(other, CASES[i].domain, "a/b", FALSE, TRUE, NULL);
        const struct route *of_one = g_ptr_array_index(a, 0), *of_other = g_ptr_array_index(b, 0);
        g_assert_cmpint(of_one->insecure, ==, CASES[i].one);
        g_assert_false(of_other->insecure);
    }
    g_assert_cmpuint(g_hash_table_size(config->insecure), ==, 0);
}

static void test_routes(void)
{
    static const struct {
        const char *domain, *path;
        gboolean by_digest, pushing;
        const char *routes;
    } CASES[] = {
        {"docker.io", "library/node", FALSE, FALSE,
         "first.example:5000/m/node!~ hub.example/cache/node"},
        {"docker.io", "library/node", TRUE, FALSE,
         "first.example:5000/m/node!~ second.example/node~ hub.example/cache/node"},
        {"docker.io", "library/node", FALSE, TRUE, "hub.example/cache/node"},
        {"docker.io", "libraryx/node", FALSE, FALSE, "registry-1.docker.io/libraryx/node"},
        {"x.wild.example", "a", FALSE, FALSE, "x.wild.example/a!"},
        {"wild.example", "a", FALSE, FALSE, "wild.example/a"},
        {"bad.example", "a", FALSE, FALSE, ""},
        {"127.0.0.1:5000", "a/b", FALSE, FALSE, "127.0.0.1:5000/a/b"},
        {"plain.example", "a/b", FALSE, FALSE, "m.example/x/a/b!~ plain.example/a/b"},
    };
    GError *err = NULL;
    g_autoptr(registry_config) c = registry_config_new();
    registry_config_read_containers(c, CONF, strlen(CONF), "test.conf", &err);
    g_assert_no_error(err);
    registry_config_add_mirror(c, "plain.example", "http://m.example/x/");
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *text =
            routes_text(c, CASES[i].domain, CASES[i].path, CASES[i].by_digest, CASES[i].pushing);
        g_assert_cmpstr(text, ==, CASES[i].routes);
    }
    g_assert_null(registry_config_routes(c, "bad.example", "a", FALSE, FALSE, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_DENIED);
    g_error_free(err);
}

/* Where a registry may have an upload sent: not to this machine, unless it runs here. */
static void test_upload_location(void)
{
    static const struct {
        const char *from, *location, *to; /* NULL: refused */
        gboolean insecure;
    } CASES[] = {
        {"https://r.example/v2/", "/up/1", "https://r.example/up/1"},
        {"https://r.example/v2/", "http://r.example/up/1", "https://r.example/up/1"},
        {"https://r.example/v2/", "https://store.example/up", "https://store.example/up"},
        {"https://r.example/v2/", "http://127.0.0.1:6379/", NULL},
        {"https://r.example/v2/", "http://[::ffff:127.0.0.1]:6379/", NULL},
        {"https://r.example/v2/", "http://store.example/up", NULL},
        {"http://r.example/v2/", "http://localhost/up", NULL, TRUE},
        {"http://r.example/v2/", "http://store.example/up", "http://store.example/up", TRUE},
        {"http://127.0.0.1:5000/v2/", "http://localhost:5000/up", "http://localhost:5000/up"},
        {"https://r.example/v2/", NULL, NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        struct route route = {.name = (char *)"r.example", .insecure = CASES[i].insecure};
        struct errand e = {.route = &route, .doing = "push r.example/a"};
        g_autoptr(GError) err = NULL;
        g_auto(http_response) a;
        http_response_init(&a);
        a.url = url_parse(CASES[i].from, NULL);
        g_autofree char *line = g_strconcat("Location: ", CASES[i].location, NULL);
        http_response_header(&a, line, CASES[i].location ? strlen(line) : 0);
        g_autoptr(url) to = upload_location(&e, &a, &err);
        g_autofree char *text = to ? url_text(to) : NULL;
        g_assert_cmpstr(text, ==, CASES[i].to);
        if (!to)
            g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    }
}

static void test_toml_bad(void)
{
    static const struct {
        const char *text, *message;
    } CASES[] = {
        {"a = ", "c:1: expected a value"},
        {"\n\na", "c:3: '=' was expected"},
        {"= 1", "c:1: expected a key"},
        {"a = \"x", "c:1: the string does not end"},
        {"a = \"\\q\"", "c:1: malformed string"},
        {"a = \"\"\"x\"\"\"", "c:1: multi-line strings"},
        {"a = 1 b", "c:1: unexpected text"},
        {"[a", "c:1: the table's name"},
        {"[[a]", "c:1: the table's name"},
        {"a = [1, 2", "c:1: expected ',' or the end of the list"},
        {"a = [\n1,\n\n", "c:4: "},
        {"a = {b}", "c:1: '=' was expected"},
        {"a = \"\\ud800\"", "c:1: malformed string"},
        {"a = [[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]", "c:1: nested too deeply"},
    };
    g_autoptr(registry_config) c = registry_config_new();
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        GError *err = NULL;
        g_assert_false(
            registry_config_read_containers(c, CASES[i].text, strlen(CASES[i].text), "c", &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        if (!g_str_has_prefix(err->message, CASES[i].message))
            g_error("%s: %s", CASES[i].text, err->message);
        g_error_free(err);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/registry/challenge", test_challenge);
    g_test_add_func("/registry/challenge/noise", test_challenge_noise);
    g_test_add_func("/registry/reason", test_reason);
    g_test_add_func("/registry/routes", test_routes);
    g_test_add_func("/registry/insecure-client", test_insecure_client);
    g_test_add_func("/registry/upload-location", test_upload_location);
    g_test_add_func("/registry/toml/bad", test_toml_bad);
    return g_test_run();
}
