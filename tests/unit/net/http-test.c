/* Requests, redirects and retries against servers of canned answers. */
#include "fixture.h"

#include "base/error.h"
#include "net/http.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EMPTY "Content-Length: 0\r\n"
#define FROM(place) ANSWER("302 Found", EMPTY "Location: " place "\r\n", "")
#define AGAIN(place) ANSWER("307 Again", EMPTY "Location: " place "\r\n", "")
#define BUSY ANSWER("503 Busy", EMPTY "Retry-After: 0\r\n", "")

/* What is sent, what the server answers, and what comes of it. */
struct send_case {
    const char *name, *method;
    const char *answers[13];
    const char *body;   /* to send, or NULL */
    gboolean as_source; /* from a file */
    gsize max_body;
    int code;             /* expected error, 0: none */
    int status;           /* expected */
    const char *kept;     /* expected body, or NULL */
    const char *asked[2]; /* must have been asked */
    guint times;          /* how often asked[0] was; 0: once */
};
static const struct send_case SENDS[] = {
    {"get", "GET", {OK(EMPTY, "")}, .status = 200, .kept = "", .asked = {"GET /a HTTP", "x-f: 1"}},
    {"head",
     "HEAD",
     {OK("Content-Length: 5\r\n", "")},
     .status = 200,
     .kept = "",
     .asked = {"HEAD /a HTTP"}},
    {"post", "POST", {OK(EMPTY, "")}, "some body", .status = 200, .asked = {"\r\n\r\nsome body"}},
    {"post of nothing", "POST", {OK(EMPTY, "")}, .status = 200, .asked = {"Content-Length: 0"}},
    {"source, sent again",
     "PUT",
     {BUSY, "", OK(EMPTY, "")},
     "from a file",
     TRUE,
     .status = 200,
     .asked = {"\r\n\r\nfrom a file", "Content-Length: 11"},
     .times = 3},
    {"always busy", "GET", {BUSY, BUSY, BUSY}, .status = 503, .asked = {"GET /a"}, .times = 3},
    {"never busy again", "GET", {ANSWER("501 No", EMPTY, "")}, .status = 501, .asked = {"GET /a"}},
    {"always cut",
     "GET",
     {OK("Content-Length: 9\r\n", "x"), "", OK("Content-Length: 9\r\n", "y")},
     .code = VARVE_ERROR_OUTSIDE,
     .asked = {"GET /a"},
     .times = 3},
    {"redirect",
     "GET",
     {FROM("/b/../c?d"), OK("Content-Length: 3\r\n", "new")},
     .status = 200,
     .kept = "new",
     .asked = {"GET /c?d HTTP", "secret: s"}},
    {"redirect of a POST", "POST", {FROM("/b")}, "x", .status = 302, .asked = {"POST /a"}},
    {"redirect that keeps the method",
     "POST",
     {AGAIN("/b"), OK(EMPTY, "")},
     "whole",
     TRUE,
     .status = 200,
     .asked = {"\r\n\r\nwhole", "POST /b"},
     .times = 2},
    {"redirect in circles",
     "GET",
     {FROM("/1"), FROM("/2"), FROM("/3"), FROM("/4"), FROM("/5"), FROM("/6"), FROM("/7"),
      FROM("/8"), FROM("/9"), FROM("/10"), FROM("/11"), OK(EMPTY, "")},
     .code = VARVE_ERROR_INVALID,
     .asked = {"GET /10 "}},
    {"redirect without TLS", "GET", {FROM("http://192.0.2.1/")}, .code = VARVE_ERROR_INVALID},
    {"redirect to a file", "GET", {FROM("file:///etc/passwd")}, .code = VARVE_ERROR_INVALID},
    {"longer than wanted", "GET", {OK("", "12345")}, .max_body = 4, .code = VARVE_ERROR_INVALID},
    {"as long as wanted", "GET", {OK("", "1234")}, .max_body = 4, .status = 200, .kept = "1234"},
};

static guint occurrences(const char *text, const char *what)
{
    guint n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static int file_with(const char *text)
{
    int fd = memfd_create("source", MFD_CLOEXEC);
    g_assert_cmpint(write(fd, "--", 2), ==, 2); /* the body begins behind it */
    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
    return fd;
}

static struct url *server_url(const struct server *s)
{
    g_autofree char *text = g_strdup_printf("http://127.0.0.1:%u/a", s->port);
    return url_parse(text, NULL);
}

static const struct http_patience patience = {.tries = 3, .first_delay_ms = 1};
static const char *const SECRETS[] = {"secret: s", NULL}, *const FIELDS[] = {"x-f: 1", NULL};

static void check_sent(const struct send_case *c, const struct server *s)
{
    for (gsize i = 0; i < G_N_ELEMENTS(c->asked) && c->asked[i]; i++)
        if (!strstr(s->asked->str, c->asked[i]))
            g_error("%s: not asked: %s in: %s", c->name, c->asked[i], s->asked->str);
    if (c->asked[0])
        g_assert_cmpuint(occurrences(s->asked->str, c->asked[0]), ==, MAX(c->times, 1));
}

static void test_send(gconstpointer data)
{
    const struct send_case *c = data;
    struct server s;
    struct http_file_source source;
    int fd = file_with(c->body ? c->body : "");
    server_start(&s, c->answers, 0, NULL);
    http_file_source_init(&source, fd, 2, c->body ? strlen(c->body) : 0);
    g_autoptr(url) u = server_url(&s);
    g_autoptr(http_client) client = http_client_new(NULL);
    g_autoptr(GError) err = NULL;
    g_auto(http_response) a;
    http_response_init(&a);
    struct http_request rq = {.method = c->method,
                              .url = u,
                              .secrets = SECRETS,
                              .fields = FIELDS,
                              .body = c->as_source ? NULL : c->body,
                              .body_len = c->as_source || !c->body ? 0 : strlen(c->body),
                              .source = c->as_source ? &source.base : NULL,
                              .max_body = c->max_body};
    g_assert_cmpint(http_send(client, &rq, &patience, &a, &err), ==, c->code == 0);
    if (c->code)
        g_assert_error(err, VARVE_ERROR, c->code);
    else
        g_assert_cmpint(a.status, ==, c->status);
    if (c->kept)
        g_assert_cmpmem(a.body->data, a.body->len, c->kept, strlen(c->kept));
    check_sent(c, &s);
    close(fd);
    server_stop(&s);
}

/* Sends a GET to s. */
static gboolean get(const struct server *s, struct http_request *rq, struct http_response *a,
                    GError **err)
{
    g_autoptr(url) u = server_url(s);
    g_autoptr(http_client) client = http_client_new(NULL);
    rq->method = "GET";
    rq->url = u;
    return http_send(client, rq, &patience, a, err);
}

/* Another port is another origin: what is secret stays where it is for. */
static void test_secrets(void)
{
    static const char *const first[] = {FROM("http://127.0.0.1:PORT/b"), NULL};
    static const char *const second[] = {OK(EMPTY, ""), NULL};
    struct server from, to;
    GError *err = NULL;
    g_auto(http_response) a;
    http_response_init(&a);
    server_start(&to, second, 0, NULL);
    server_start(&from, first, to.port, NULL);
    struct http_request rq = {.secrets = SECRETS, .fields = FIELDS};
    get(&from, &rq, &a, &err);
    g_assert_no_error(err);
    g_assert_nonnull(strstr(from.asked->str, "secret: s"));
    g_assert_nonnull(strstr(to.asked->str, "x-f: 1"));
    g_assert_null(strstr(to.asked->str, "secret"));
    g_assert_cmpuint(a.url->port, ==, to.port);
    server_stop(&from);
    server_stop(&to);
}

/* What is refused before anything is sent. */
static void test_refused(void)
{
    static const char *const broken[] = {"x-f: 1\r\nx-g: 2", NULL};
    g_autoptr(url) far = url_parse("http://192.0.2.1/", NULL);
    g_autoptr(url) near = url_parse("http://127.0.0.1:9/", NULL);
    g_autoptr(http_client) client = http_client_new(NULL);
    g_autoptr(GError) plain = NULL;
    g_autoptr(GError) control = NULL;
    g_auto(http_response) a;
    http_response_init(&a);
    struct http_request rq = {.method = "GET", .url = far};
    g_assert_false(http_send(client, &rq, NULL, &a, &plain));
    g_assert_error(plain, VARVE_ERROR, VARVE_ERROR_DENIED);
    rq = (struct http_request){.method = "GET", .url = near, .fields = broken};
    g_assert_false(http_send(client, &rq, NULL, &a, &control));
    g_assert_error(control, VARVE_ERROR, VARVE_ERROR_INVALID);
}

/* The beginning of a body that is no result is enough: the rest may have no end. */
static void test_long_error(void)
{
    g_autofree char *body = g_strnfill(100000, 'x');
    g_autofree char *moved = g_strconcat(
        ANSWER("302 Found", "Content-Length: 900000000\r\nLocation: /b\r\n", ""), body, NULL);
    g_autofree char *answer =
        g_strconcat(ANSWER("404 No", "Content-Length: 900000000\r\n", ""), body, NULL);
    const char *const answers[] = {moved, answer, NULL};
    struct server s;
    g_auto(http_response) a;
    http_response_init(&a);
    server_start(&s, answers, 0, NULL);
    struct http_request rq = {0};
    g_assert_true(get(&s, &rq, &a, NULL));
    g_assert_cmpint(a.status, ==, 404);
    g_assert_true(a.truncated);
    g_assert_cmpuint(a.body->len, ==, 64 * 1024);
    server_stop(&s);
}

/* A login in a body is for one origin, as one in a field is. */
static void test_secret_body(void)
{
    static const char *const first[] = {AGAIN("/b"), AGAIN("http://127.0.0.1:PORT/c"), NULL};
    static const char *const second[] = {OK(EMPTY, ""), NULL};
    struct server from, to;
    g_autoptr(GError) err = NULL;
    g_auto(http_response) a;
    http_response_init(&a);
    server_start(&to, second, 0, NULL);
    server_start(&from, first, to.port, NULL);
    g_autoptr(url) u = server_url(&from);
    g_autoptr(http_client) client = http_client_new(NULL);
    struct http_request rq = {
        .method = "POST", .url = u, .body = "token=t", .body_len = 7, .secret_body = TRUE};
    g_assert_false(http_send(client, &rq, &patience, &a, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_assert_nonnull(strstr(from.asked->str, "POST /b"));
    g_assert_cmpstr(to.asked->str, ==, "");
    server_stop(&from);
    server_stop(&to);
}

/* What goes wrong at a proxy: which one is said, its password is not. */
struct proxy_case {
    const char *name, *url;
    const char *proxy; /* %u: the port */
    const char *answers[4];
    const char *says;
    guint times; /* tries */
};
static const struct proxy_case PROXIES[] = {
    {"407",
     "http://a.example/",
     "http://u:hunter2@127.0.0.1:%u",
     {ANSWER("407 No", EMPTY, "")},
     "answered 407",
     1},
    {"407 to CONNECT",
     "https://a.example/",
     "http://u:hunter2@127.0.0.1:%u",
     {ANSWER("407 No", EMPTY, "")},
     "answered 407",
     1},
    {"502 to CONNECT",
     "https://a.example/",
     "u:hunter2@127.0.0.1:%u",
     {ANSWER("502 No", EMPTY, ""), ANSWER("502 No", EMPTY, ""), ANSWER("502 No", EMPTY, "")},
     "answered 502",
     3},
    {"unknown kind",
     "https://a.example/",
     "ftp://u:hunter2@127.0.0.1:%u",
     {NULL},
     "cannot be used",
     0},
    {"malformed", "https://a.example/", "u:hunter2@127.0.0.1 :%u", {NULL}, "cannot be used", 0},
    {"closed", "https://a.example/", "u:hunter2@127.0.0.1:1", {NULL}, "proxy 127.0.0.1:1", 0},
};

static void test_proxy(gconstpointer data)
{
    const struct proxy_case *c = data;
    struct server s;
    g_autoptr(GError) err = NULL;
    g_auto(http_response) a;
    http_response_init(&a);
    server_start(&s, c->answers, 0, NULL);
    g_autofree char *port = g_strdup_printf("%u", s.port);
    g_auto(GStrv) parts = g_strsplit(c->proxy, "%u", 2);
    g_autofree char *proxy = g_strjoinv(port, parts);
    struct http_proxies proxies = {.all = proxy};
    g_autoptr(url) u = url_parse(c->url, NULL);
    g_autoptr(http_client) client = http_client_new(&(struct http_options){.proxies = &proxies});
    struct http_request rq = {.method = "GET", .url = u, .plain = TRUE};
    g_assert_false(http_send(client, &rq, &patience, &a, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    if (!strstr(err->message, c->says) || !strstr(err->message, "proxy 127.0.0.1"))
        g_error("%s", err->message);
    g_assert_null(strstr(err->message, "hunter2"));
    g_assert_nonnull(error_next(err));
    g_assert_cmpuint(occurrences(s.asked->str, "User-Agent"), ==, c->times);
    server_stop(&s);
}

static void test_socket(void)
{
    static const char *const answers[] = {OK("Content-Length: 2\r\n", "hi"), NULL};
    g_autofree char *dir = g_dir_make_tmp("varve-http-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "sock", NULL);
    struct server s;
    GError *err = NULL;
    g_autoptr(url) u = url_parse("http://docker/v1/x", NULL);
    g_autoptr(http_client) client = http_client_new(NULL);
    g_auto(http_response) a;
    http_response_init(&a);
    server_start(&s, answers, 0, path);
    struct http_request rq = {.method = "GET", .url = u, .socket = path};
    http_send(client, &rq, NULL, &a, &err);
    g_assert_no_error(err);
    g_assert_cmpmem(a.body->data, a.body->len, "hi", 2);
    g_assert_nonnull(strstr(s.asked->str, "Host: docker"));
    server_stop(&s);
    unlink(path);
    rmdir(dir);
}

static void test_stall(void)
{
    static const char *const answers[] = {"hang", "hang", "hang", NULL};
    struct server s;
    g_autoptr(GError) err = NULL;
    g_auto(http_response) a;
    http_response_init(&a);
    server_start(&s, answers, 0, NULL);
    struct http_request rq = {.stall_s = 1};
    g_assert_false(get(&s, &rq, &a, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    g_assert_true(a.temporary);
    g_assert_cmpuint(occurrences(s.asked->str, "GET /a"), ==, 3);
    server_stop(&s);
}

/* Once the server was asked. */
static gpointer cancel_later(gpointer data)
{
    g_usleep(200000);
    cancel_trigger(data);
    return NULL;
}

static void test_cancel(void)
{
    static const char *const answers[] = {"hang", NULL};
    struct server s;
    g_autoptr(cancel) c = cancel_new();
    g_autoptr(GError) err = NULL;
    g_auto(http_response) a;
    http_response_init(&a);
    server_start(&s, answers, 0, NULL);
    gint64 start = g_get_monotonic_time();
    GThread *t = g_thread_new("cancel", cancel_later, c);
    struct http_request rq = {.cancel = c, .stall_s = HTTP_NO_STALL};
    g_assert_false(get(&s, &rq, &a, &err));
    g_thread_join(t);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    g_assert_cmpint(g_get_monotonic_time() - start, <, 1500000);
    server_stop(&s);
}

#define THREADS 8
#define EACH 5

struct crowd {
    struct http_client *client;
    struct url *url;
};

static gpointer send_some(gpointer data)
{
    struct crowd *c = data;
    g_auto(http_response) a;
    http_response_init(&a);
    struct http_request rq = {.method = "GET", .url = c->url};
    for (guint i = 0; i < EACH; i++) {
        GError *err = NULL;
        http_send(c->client, &rq, NULL, &a, &err);
        g_assert_no_error(err);
        g_assert_cmpmem(a.body->data, a.body->len, "same", 4);
    }
    return NULL;
}

static void test_threads(void)
{
    const char *answers[THREADS * EACH + 1] = {0};
    struct server s;
    GThread *threads[THREADS];
    for (guint i = 0; i < THREADS * EACH; i++)
        answers[i] = OK("Content-Length: 4\r\n", "same");
    server_start(&s, answers, 0, NULL);
    g_autoptr(url) u = server_url(&s);
    g_autoptr(http_client) client = http_client_new(NULL);
    struct crowd c = {client, u};
    for (guint i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("sender", send_some, &c);
    for (guint i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    server_stop(&s);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(SENDS); i++) {
        g_autofree char *path = g_strconcat("/net/http/send/", SENDS[i].name, NULL);
        g_test_add_data_func(path, &SENDS[i], test_send);
    }
    g_test_add_func("/net/http/secrets", test_secrets);
    g_test_add_func("/net/http/refused", test_refused);
    g_test_add_func("/net/http/long-error", test_long_error);
    g_test_add_func("/net/http/secret-body", test_secret_body);
    for (gsize i = 0; i < G_N_ELEMENTS(PROXIES); i++) {
        g_autofree char *path = g_strconcat("/net/http/proxy/", PROXIES[i].name, NULL);
        g_test_add_data_func(path, &PROXIES[i], test_proxy);
    }
    g_test_add_func("/net/http/socket", test_socket);
    g_test_add_func("/net/http/stall", test_stall);
    g_test_add_func("/net/http/cancel", test_cancel);
    g_test_add_func("/net/http/threads", test_threads);
    return g_test_run();
}
