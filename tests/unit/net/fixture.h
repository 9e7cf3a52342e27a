/* A server of canned answers for the tests of HTTP. */
#ifndef VARVE_TESTS_NET_FIXTURE_H
#define VARVE_TESTS_NET_FIXTURE_H

#include <glib.h>

/* Gives its answers one after the other, each to a connection of its own, and keeps what was asked.
 * An empty answer closes the connection; "hang" keeps it open until the server stops. */
struct server {
    const char *const *answers; /* NULL-terminated; "PORT" in one becomes other_port */
    guint other_port;           /* or 0 */
    int fd;
    guint port; /* on 127.0.0.1 */
    GString *asked;
    GThread *thread;
    GPtrArray *held; /* connections that hang */
};
/* Listens on 127.0.0.1, or at path (a unix socket) when that is not NULL. */
void server_start(struct server *s, const char *const *answers, guint other_port, const char *path);
/* After all answers were given, or nobody will ask any more. */
void server_stop(struct server *s);

#define ANSWER(status, headers, body)                                                              \
    "HTTP/1.1 " status "\r\nConnection: close\r\n" headers "\r\n" body
#define OK(headers, body) ANSWER("200 OK", headers, body)

#endif
