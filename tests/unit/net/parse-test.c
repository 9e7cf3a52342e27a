/* What the network room reads from outside: URLs, headers, dates. */
#include "base/error.h"
#include "net/proxy.h"
#include "net/response.h"

#include <string.h>

static void test_url_good(void)
{
    static const struct {
        const char *text, *canonical, *authority;
    } CASES[] = {
        {"https://Example.org", "https://example.org/", "example.org"},
        {"https://example.org:443/a?b=c#d", "https://example.org/a?b=c", "example.org"},
        {"http://example.org:80?x", "http://example.org/?x", "example.org"},
        {"http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000/v2/", "127.0.0.1:5000"},
        {"HTTPS://[::1]:5000/v2/", "https://[::1]:5000/v2/", "[::1]:5000"},
        {"https://B\u00fccher.example/\u00fc", "https://xn--bcher-kva.example/\u00fc",
         "xn--bcher-kva.example"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        GError *err = NULL;
        g_autoptr(url) u = url_parse(CASES[i].text, &err);
        g_assert_no_error(err);
        g_autofree char *text = url_text(u), *authority = url_authority(u);
        g_assert_cmpstr(text, ==, CASES[i].canonical);
        g_assert_cmpstr(authority, ==, CASES[i].authority);
    }
}

static void test_url_bad(void)
{
    static const char *const CASES[] = {
        "",
        "example.org",
        "file:///etc/passwd",
        "ftp://example.org/",
        "https://",
        "https:///path",
        "https://user@example.org/",
        "https://good.org\\@evil.org/",
        "https://good.org:80@evil.org/",
        "https://example.org:0/",
        "https://example.org:65536/",
        "https://example.org:1x/",
        "https://exa mple.org/",
        "https://example.org/a b",
        "https://example.org/\r\nHost: evil",
        "https://.example.org/",
        "https://a..b/",
        "https://[::1/",
        "https://[zz::]/",
        "https://ex%61mple.org/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://[::1::]/",
        "http://a.0x7F/",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        GError *err = NULL;
        struct url *u = url_parse(CASES[i], &err);
        if (u)
            g_error("accepted: %s", CASES[i]);
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        g_error_free(err);
    }
}

static void test_url_resolve(void)
{
    static const struct {
        const char *location, *result;
    } CASES[] = {
        {"https://other.org/x?y", "https://other.org/x?y"},
        {"//other.org/x", "https://other.org/x"},
        {"/v2/up/1?s=t", "https://base.org:5000/v2/up/1?s=t"},
        {"up/1", "https://base.org:5000/v2/a/up/1"},
        {"?s=t", "https://base.org:5000/v2/a/b?s=t"},
        {"../x/./y", "https://base.org:5000/v2/x/y"},
        {"../../../../x/..", "https://base.org:5000/"},
        {"http://down.org/", "http://down.org/"},
        {"file:///etc/passwd", NULL},
        {"java script:", NULL},
        {"/a\tb", NULL},
    };
    g_autoptr(url) base = url_parse("https://base.org:5000/v2/a/b?q=1", NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(url) u = url_resolve(base, CASES[i].location, NULL);
        g_autofree char *text = u ? url_text(u) : NULL;
        g_assert_cmpstr(text, ==, CASES[i].result);
    }
}

static void test_url_loopback(void)
{
    static const char *const YES[] = {"localhost",
                                      "LOCALHOST:5000",
                                      "a.localhost",
                                      "127.0.0.1",
                                      "127.9.9.9:1",
                                      "[::1]",
                                      "[::1]:5000",
                                      "0.0.0.0:1",
                                      "[::]",
                                      "[::ffff:127.0.0.1]:5000",
                                      "[::ffff:7f00:1]",
                                      "[0:0:0:0:0:0:0:1]",
                                      "localhost.",
                                      "a.localhost.:80"};
    static const char *const NO[] = {
        "127.evil.org", "localhost.evil.org", "example.org",       "[::2]:5000",
        "10.0.0.1",     "1270.0.0.1",         "[::ffff:10.0.0.1]", "[1::1]"};
    for (gsize i = 0; i < G_N_ELEMENTS(YES); i++)
        g_assert_true(url_host_is_loopback(YES[i]));
    for (gsize i = 0; i < G_N_ELEMENTS(NO); i++)
        g_assert_false(url_host_is_loopback(NO[i]));
    g_autoptr(url) u = url_parse("https://a/b?c=d", NULL);
    url_add_query(u, "digest", "sha256:a&b");
    g_assert_cmpstr(u->target, ==, "/b?c=d&digest=sha256%3Aa%26b");
}

static void test_names(void)
{
    static const char *const CASES[][4] = {
        {"https://user:pw@host:1/a?b@c#d@e", "https://host:1/a?b@c#d@e", "host:1", "user:pw"},
        {"https://a@b@host/x", "https://host/x", "host", "a@b"},
        {"https://a%40b:%20@host/x", "https://host/x", "host", "a@b: "},
        {"https://host/a@b", "https://host/a@b", "host", NULL},
        {"git@host:repo", "git@host:repo", "", NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *text = url_shown(CASES[i][0]), *host = url_host_of(CASES[i][0]);
        g_autofree char *login = url_userinfo(CASES[i][0]);
        g_assert_cmpstr(text, ==, CASES[i][1]);
        g_assert_cmpstr(host, ==, CASES[i][2]);
        g_assert_cmpstr(login, ==, CASES[i][3]);
    }
}

static void test_date(void)
{
    static const char *const BAD[] = {"", "yesterday", "Sun, 09 Xxx 2001 01:46:40 GMT",
                                      "Sun, 09 anF 2001 01:46:40 GMT"};
    g_assert_cmpint(http_date("Sun, 09 Sep 2001 01:46:40 GMT"), ==, 1000000000);
    for (gsize i = 0; i < G_N_ELEMENTS(BAD); i++)
        g_assert_cmpint(http_date(BAD[i]), ==, -1);
    g_assert_cmpint(http_date(NULL), ==, -1);
}

static void test_proxy(void)
{
    struct http_proxies p = {.https = (char *)"http://s:1", .all = (char *)"http://a:2"};
    static const struct {
        const char *url, *proxy;
    } CASES[] = {{"https://example.org/", "http://s:1"},
                 {"http://example.org/", "http://a:2"},
                 {"http://127.0.0.1:5000/", ""},
                 {"https://[::1]/", ""}};
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(url) u = url_parse(CASES[i].url, NULL);
        g_assert_cmpstr(http_proxy_for(&p, u), ==, CASES[i].proxy);
        g_assert_cmpstr(http_proxy_for(NULL, u), ==, "");
    }
}

static void test_retry_after(void)
{
    static const struct {
        const char *text;
        gint64 wait;
    } CASES[] = {
        {"0", 0},
        {"120", 120},
        {"999999999", 86400},
        {"99999999999999999999", -1},
        {"-1", -1},
        {"1.5", -1},
        {"", -1},
        {"soon", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 37},
        {"Sun, 06 Nov 1994 08:48:00 GMT", 0},
        {"Sun, 06 Non 1994 08:49:37 GMT", -1},
        {"Sun, 06 anF 1994 08:49:37 GMT", -1},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(CASES); i++)
        g_assert_cmpint(http_retry_after(CASES[i].text, 784111740), ==, CASES[i].wait);
}

static void test_response(void)
{
    static const char *const LINES[] = {"HTTP/1.1 100 Continue\r\n",
                                        "Location: /early\r\n",
                                        "\r\n",
                                        "HTTP/1.1 206 Partial\r\n",
                                        "content-TYPE: Application/JSON; charset=utf-8\r\n",
                                        "Content-Range: bytes 100-199/500\r\n",
                                        "Content-Length: 100\r\n",
                                        "OCI-Chunk-Min-Length: 7\r\n",
                                        "WWW-Authenticate: Basic realm=x\r\n",
                                        "WWW-Authenticate: Bearer realm=\"https://t\"\r\n",
                                        "no colon\r\n"};
    g_auto(http_response) a;
    http_response_init(&a);
    for (gsize i = 0; i < G_N_ELEMENTS(LINES); i++)
        g_assert_true(http_response_header(&a, LINES[i], strlen(LINES[i])));
    g_assert_cmpint(a.status, ==, 206);
    g_assert_null(http_response_field(&a, "Location"));
    g_assert_cmpstr(a.content_type, ==, "application/json");
    g_assert_cmpuint(a.range_start, ==, 100);
    g_assert_cmpuint(a.content_length, ==, 100);
    g_assert_cmpstr(http_response_field(&a, "oci-chunk-min-length"), ==, "7");
    guint at = 0;
    g_assert_cmpstr(http_response_next_field(&a, "www-authenticate", &at), ==, "Basic realm=x");
    g_assert_cmpstr(http_response_next_field(&a, "www-authenticate", &at), ==,
                    "Bearer realm=\"https://t\"");
    g_assert_null(http_response_next_field(&a, "www-authenticate", &at));
    g_assert_cmpstr(http_response_field(&a, "WWW-Authenticate"), ==, "Bearer realm=\"https://t\"");
    gboolean more = TRUE;
    for (guint i = 0; i < 100000 && more; i++)
        more = http_response_header(&a, LINES[4], strlen(LINES[4]));
    g_assert_false(more);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/net/url/good", test_url_good);
    g_test_add_func("/net/url/bad", test_url_bad);
    g_test_add_func("/net/url/resolve", test_url_resolve);
    g_test_add_func("/net/url/loopback", test_url_loopback);
    g_test_add_func("/net/url/names", test_names);
    g_test_add_func("/net/proxy", test_proxy);
    g_test_add_func("/net/date", test_date);
    g_test_add_func("/net/retry-after", test_retry_after);
    g_test_add_func("/net/response", test_response);
    return g_test_run();
}
