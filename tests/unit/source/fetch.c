/* http.h against a server made of canned answers; archive.h and the checks of git.h on bytes and
 * names. */
#include "base/error.h"
#include "base/sniff.h"
#include "net/http.h"
#include "source/git.h"
#include "text/giturl.h"
#include "../tree/fixture.h"

#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Gives its answers one after the other, each to a connection of its own, and keeps what was asked.
 */
struct server {
    const char *const *answers; /* NULL-terminated */
    int fd;
    guint port;
    GString *asked;
    GThread *thread;
};

static gpointer serve(gpointer data)
{
    struct server *s = data;
    for (const char *const *a = s->answers; *a; a++) {
        char buffer[4096];
        int fd = accept(s->fd, NULL, NULL);
        ssize_t n = fd < 0 ? 0 : read(fd, buffer, sizeof buffer);
        if (n > 0)
            g_string_append_len(s->asked, buffer, n);
        if (fd >= 0 && write(fd, *a, strlen(*a)) < 0)
            g_string_append(s->asked, "(gone)");
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static void server_start(struct server *s, const char *const *answers)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    s->answers = answers;
    s->asked = g_string_new(NULL);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(s->fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    g_assert_cmpint(listen(s->fd, 8), ==, 0);
    getsockname(s->fd, (struct sockaddr *)&at, &len);
    s->port = ntohs(at.sin_port);
    s->thread = g_thread_new("server", serve, s);
}

static void server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    g_thread_join(s->thread);
    close(s->fd);
    g_string_free(s->asked, TRUE);
}

#define OK(headers, body) "HTTP/1.1 200 OK\r\nConnection: close\r\n" headers "\r\n" body

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

static void check_got(const struct get_case *c, const struct http_file_info *i, int fd)
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
    server_start(&s, c->answers);
    g_autofree char *url = g_strdup_printf("http://user:hunter2@127.0.0.1:%u/f?x=1", s.port);
    struct http_options o = {.tries = 3, .first_delay_ms = 1, .max_bytes = c->max};
    struct http_file_info info = {0};
    g_autoptr(GError) err = NULL;
    int fd = memfd_create("body", MFD_CLOEXEC);
    gboolean ok = http_get(&o, url, c->etag, NULL, fd, &info, &err);
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
    http_file_info_clear(&info);
    close(fd);
    server_stop(&s);
}

static void test_cancel(void)
{
    struct server s;
    static const char *const none[] = {"", NULL};
    server_start(&s, none);
    g_autofree char *url = g_strdup_printf("http://127.0.0.1:%u/", s.port);
    struct cancel *c = cancel_new();
    struct http_options o = {.cancel = c};
    struct http_file_info info = {0};
    g_autoptr(GError) err = NULL;
    int fd = memfd_create("body", MFD_CLOEXEC);
    cancel_trigger(c);
    g_assert_false(http_get(&o, url, NULL, NULL, fd, &info, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_CANCELLED);
    close(fd);
    server_stop(&s);
    cancel_free(c);
}

static void test_names(void)
{
    static const char *const shown[][3] = {
        {"https://user:pw@host:1/a?b@c#d@e", "https://host:1/a?b@c#d@e", "host:1"},
        {"https://a@b@host/x", "https://host/x", "host"},
        {"https://host/a@b", "https://host/a@b", "host"},
        {"git@host:repo", "git@host:repo", ""},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(shown); i++) {
        g_autofree char *text = http_shown(shown[i][0]), *host = http_host(shown[i][0]);
        g_assert_cmpstr(text, ==, shown[i][1]);
        g_assert_cmpstr(host, ==, shown[i][2]);
    }
    g_assert_cmpint(http_date("Sun, 09 Sep 2001 01:46:40 GMT"), ==, 1000000000);
    static const char *const bad[] = {"", "yesterday", "Sun, 09 Xxx 2001 01:46:40 GMT",
                                      "Sun, 09 anF 2001 01:46:40 GMT"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_cmpint(http_date(bad[i]), ==, 0);
    g_assert_cmpint(http_date(NULL), ==, 0);
}

static void test_archive(void)
{
    char tar[ARCHIVE_HEAD] = "name";
    static const char *const magic[] = {"\x1f\x8b\x08more", "BZh9",
                                        "\xfd"
                                        "7zXZ",
                                        "\x28\xb5\x2f\xfd"};
    memcpy(tar + 148, "0001241", 7); /* 4 letters and 8 blanks: 417 + 256 */
    g_assert_true(archive_sniff(tar, sizeof tar));
    g_assert_false(archive_sniff(tar, sizeof tar - 1));
    tar[0] = 'm';
    g_assert_false(archive_sniff(tar, sizeof tar));
    memset(tar, 0, sizeof tar);
    g_assert_false(archive_sniff(tar, sizeof tar));
    for (gsize i = 0; i < G_N_ELEMENTS(magic); i++)
        g_assert_cmpint(archive_sniff(magic[i], strlen(magic[i])), ==, i != 2);
    g_assert_true(archive_sniff("\xfd"
                                "7zXZ\0",
                                6));
    g_assert_false(archive_sniff("FROM scratch\n", 13));
    g_assert_false(archive_sniff("", 0));
}

static void test_git_names(void)
{
    static const struct {
        const char *url, *ref;
        gboolean good;
    } cases[] = {
        {"https://host/r.git", NULL, TRUE},
        {"https://host/r.git", "feature/x-1", TRUE},
        {"user@host:r", "v1.0", TRUE},
        {"-oProxyCommand=x@host:r", NULL, FALSE},
        {"ssh://-oProxyCommand=x/r", NULL, FALSE},
        {"ssh://user@-oProxyCommand=x/r", NULL, FALSE},
        {"https://host/r.git\nx", NULL, FALSE},
        {"https://host/r.git", "--upload-pack=x", FALSE},
        {"https://host/r.git", "a..b", FALSE},
        {"https://host/r.git", "a*", FALSE},
        {"https://host/r.git", "a b", FALSE},
        {"https://host/r.git", "a:b", FALSE},
        {"https://host/r.git", "a@{1}", FALSE},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) err = NULL;
        g_assert_cmpint(git_check(cases[i].url, cases[i].ref, &err), ==, cases[i].good);
        g_assert_true(cases[i].good || g_error_matches(err, VARVE_ERROR, VARVE_ERROR_INVALID));
    }
    g_assert_true(giturl_is_commit("0123456789abcdef0123456789abcdef01234567"));
    g_assert_false(giturl_is_commit("0123456789abcdef0123456789abcdef0123456"));
    g_assert_false(giturl_is_commit("0123456789ABCDEF0123456789abcdef01234567"));
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    g_test_init(&argc, &argv, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(GETS); i++) {
        g_autofree char *path = g_strconcat("/http/get/", GETS[i].name, NULL);
        g_test_add_data_func(path, &GETS[i], test_get);
    }
    g_test_add_func("/http/cancel", test_cancel);
    g_test_add_func("/http/names", test_names);
    g_test_add_func("/archive/sniff", test_archive);
    g_test_add_func("/git/names", test_git_names);
    return g_test_run();
}
