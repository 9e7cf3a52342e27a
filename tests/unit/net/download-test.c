/* Files over http, from a server of canned answers. */
#include "fixture.h"

#include "base/error.h"
#include "net/download.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* One case: what the server answers, what is asked with, and what comes of it. */
struct get_case {
    const char *name;
    const char *answers[6];
    const char *etag;  /* condition */
    guint64 max;       /* max_bytes */
    int code;          /* expected error, 0: none */
    const char *body;  /* expected bytes; NULL: unchanged */
    const char *asked; /* must have been asked, or NULL */
    gint64 mtime_s;
    gboolean dated; /* last_modified is to be kept */
};
static const struct get_case GETS[] = {
    {"plain",
     {OK("Content-Length: 5\r\n", "hello")},
     .body = "hello",
     .asked = "GET /f?x=1 HTTP/1.1"},
    {"dated",
     {OK("Content-Length: 2\r\nLast-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\nDate: Mon, 10 Sep "
         "2001 01:46:40 GMT\r\n",
         "ok")},
     .body = "ok",
     .mtime_s = 1000000000,
     .dated = TRUE},
    {"too young to trust",
     {OK("Content-Length: 2\r\nLast-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\nDate: Sun, 09 Sep "
         "2001 01:46:41 GMT\r\n",
         "ok")},
     .body = "ok",
     .mtime_s = 1000000000},
    {"unchanged",
     {"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"},
     .etag = "\"a\"",
     .asked = "If-None-Match: \"a\""},
    {"304 that nobody asked for",
     {"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"},
     .code = VARVE_ERROR_FAILED},
    {"validators that cannot be sent back",
     {OK("Content-Length: 2\r\nETag: \"a\x01z\"\r\nLast-Modified: Sun, 09 Sep 2001 01:46:40 GMT "
         "\x1b\r\nDate: Mon, 10 Sep 2001 01:46:40 GMT\r\n",
         "ok")},
     .body = "ok"},
    {"redirect",
     {"HTTP/1.1 302 Found\r\nLocation: /other\r\nETag: \"no\"\r\nConnection: "
      "close\r\nContent-Length: 0\r\n\r\n",
      OK("Content-Length: 3\r\n", "new")},
     .body = "new",
     .asked = "GET /other "},
    {"redirect to a file",
     {"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nConnection: close\r\nContent-Length: "
      "0\r\n\r\n"},
     .code = VARVE_ERROR_INVALID},
    {"busy, then cut, then whole",
     {"HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbusy",
      OK("Content-Length: 9\r\n", "who"), OK("Content-Length: 5\r\n", "whole")},
     .body = "whole"},
    {"always busy",
     {"HTTP/1.1 500 No\r\nConnection: close\r\n\r\n",
      "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n",
      "HTTP/1.1 500 No\r\nConnection: close\r\n\r\n"},
     .code = VARVE_ERROR_OUTSIDE},
    {"busy for an hour",
     {"HTTP/1.1 429 No\r\nRetry-After: 3600\r\nConnection: close\r\n\r\n"},
     .code = VARVE_ERROR_OUTSIDE},
    {"missing", {"HTTP/1.1 404 No\r\nConnection: close\r\n\r\n"}, .code = VARVE_ERROR_NOT_FOUND},
    {"forbidden", {"HTTP/1.1 403 No\r\nConnection: close\r\n\r\n"}, .code = VARVE_ERROR_DENIED},
    {"too large", {OK("", "123456789")}, .max = 8, .code = VARVE_ERROR_INVALID},
    {"exactly the limit", {OK("", "12345678")}, .max = 8, .body = "12345678"},
};

static void check_got(const struct get_case *c, const struct download_info *i, int fd)
{
    char buffer[64];
    ssize_t n = pread(fd, buffer, sizeof buffer, 0);
    g_assert_cmpint(i->unchanged, ==, c->body == NULL);
    if (!c->body)
        return;
    struct digest want;
    digest_of_bytes(&want, c->body, strlen(c->body));
    g_assert_cmpmem(buffer, n, c->body, strlen(c->body));
    g_assert_cmpint(digest_cmp(&want, &i->digest), ==, 0);
    g_assert_cmpuint(i->size, ==, strlen(c->body));
    g_assert_cmpint(i->mtime_s, ==, c->mtime_s);
    g_assert_cmpint(i->last_modified != NULL, ==, c->dated);
    g_assert_null(i->etag);
}

static void test_get(gconstpointer data)
{
    const struct get_case *c = data;
    struct server s;
    server_start(&s, c->answers, 0, NULL);
    g_autofree char *url = g_strdup_printf("http://user:hunter2@127.0.0.1:%u/f?x=1", s.port);
    static const struct http_patience patience = {.tries = 3, .first_delay_ms = 1};
    g_autoptr(http_client) client = http_client_new(NULL);
    struct download_options o = {
        .client = client, .url = url, .etag = c->etag, .patience = &patience, .max_bytes = c->max};
    struct download_info info = {0};
    g_autoptr(GError) err = NULL;
    int fd = memfd_create("body", MFD_CLOEXEC);
    gboolean ok = download(&o, fd, &info, &err);
    if (c->code) {
        g_assert_error(err, VARVE_ERROR, c->code);
        g_assert_null(strstr(err->message, "hunter2"));
        g_assert_nonnull(strstr(err->message, "127.0.0.1"));
    } else {
        g_assert_no_error(err);
        check_got(c, &info, fd);
    }
    g_assert_cmpint(ok, ==, c->code == 0);
    if (c->asked && !strstr(s.asked->str, c->asked))
        g_error("%s: not asked: %s", c->name, s.asked->str);
    download_info_clear(&info);
    close(fd);
    server_stop(&s);
}

static void test_cancel(void)
{
    struct server s;
    static const char *const none[] = {"", NULL};
    server_start(&s, none, 0, NULL);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", s.port);
    struct cancel *c = cancel_new();
    g_autoptr(http_client) client = http_client_new(NULL);
    struct download_options o = {.client = client, .url = url, .cancel = c};
    struct download_info info = {0};
    g_autoptr(GError) err = NULL;
    int fd = memfd_create("body", MFD_CLOEXEC);
    cancel_trigger(c);
    g_assert_false(download(&o, fd, &info, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    close(fd);
    server_stop(&s);
    cancel_free(c);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(GETS); i++) {
        g_autofree char *path = g_strconcat("/net/download/", GETS[i].name, NULL);
        g_test_add_data_func(path, &GETS[i], test_get);
    }
    g_test_add_func("/net/download/cancel", test_cancel);
    return g_test_run();
}
