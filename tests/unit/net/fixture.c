#include "fixture.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Reads one request with its body. */
static void take_request(struct server *s, int fd)
{
    g_autoptr(GString) got = g_string_new(NULL);
    gsize want = G_MAXSIZE;
    while (got->len < want) {
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n <= 0)
            break;
        g_string_append_len(got, buffer, n);
        const char *end = strstr(got->str, "\r\n\r\n");
        const char *length = strstr(got->str, "Content-Length: ");
        if (end)
            want = end + 4 - got->str +
                   (length && length < end ? strtoul(length + strlen("Content-Length: "), NULL, 10)
                                           : 0);
    }
    g_string_append_len(s->asked, got->str, got->len);
}

static void give_answer(struct server *s, int fd, const char *answer)
{
    g_autofree char *port = g_strdup_printf("%u", s->other_port);
    g_auto(GStrv) parts = g_strsplit(answer, "PORT", -1);
    g_autofree char *text = g_strjoinv(port, parts);
    if (g_str_equal(answer, "hang")) {
        g_ptr_array_add(s->held, GINT_TO_POINTER(fd));
        return;
    }
    if (write(fd, text, strlen(text)) < 0)
        g_string_append(s->asked, "(gone)");
    close(fd);
}

static gpointer serve(gpointer data)
{
    struct server *s = data;
    for (const char *const *a = s->answers; *a; a++) {
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            break;
        take_request(s, fd);
        give_answer(s, fd, *a);
    }
    return NULL;
}

static int listen_at(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_strlcpy(at.sun_path, path, sizeof at.sun_path);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    return fd;
}

static int listen_on_loopback(guint *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&at, sizeof at), ==, 0);
    getsockname(fd, (struct sockaddr *)&at, &len);
    *port = ntohs(at.sin_port);
    return fd;
}

void server_start(struct server *s, const char *const *answers, guint other_port, const char *path)
{
    *s = (struct server){.answers = answers, .other_port = other_port};
    s->asked = g_string_new(NULL);
    s->held = g_ptr_array_new();
    s->fd = path ? listen_at(path) : listen_on_loopback(&s->port);
    g_assert_cmpint(listen(s->fd, 64), ==, 0);
    s->thread = g_thread_new("server", serve, s);
}

void server_stop(struct server *s)
{
    shutdown(s->fd, SHUT_RDWR);
    g_thread_join(s->thread);
    close(s->fd);
    for (guint i = 0; i < s->held->len; i++)
        close(GPOINTER_TO_INT(g_ptr_array_index(s->held, i)));
    g_ptr_array_unref(s->held);
    g_string_free(s->asked, TRUE);
}
