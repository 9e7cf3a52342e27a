/* HTTP for everything in varve that speaks it: 1.1, and 2 where TLS negotiates it (RFC 9110, 9112,
 * 9113), over libcurl, which is loaded by the first request.
 *
 * A client keeps connections and lends each to one thread at a time: make one for as long as its
 * hosts are talked to, send from any number of threads, free it last. A request is a value that the
 * caller fills; a response is initialised by the caller and reset by every call.
 *
 *     struct http_request rq = {.method = "GET", .url = u, .cancel = c};
 *     g_auto(http_response) a;
 *     http_response_init(&a);
 *     if (http_send(client, &rq, NULL, &a, err) && a.status == 200) …a.body…
 *
 * Redirects are followed, ten at most: of GET and HEAD all, of other methods 307 and 308. Secrets
 * stay with the origin they are for, https never becomes http, and nobody redirects to this machine
 * by http but itself. A transfer slower than 1 KiB/s for too long fails, and a cancelled one at
 * once. Certificates are verified (net/trust.h). Loopback hosts are reached without proxy. */
#ifndef VARVE_NET_HTTP_H
#define VARVE_NET_HTTP_H

#include "net/body.h"
#include "net/proxy.h"
#include "net/retry.h"
#include "net/trust.h"

#define HTTP_NO_STALL G_MAXUINT

struct http_client;
struct http_options {
    const struct trust_places *trust;   /* borrowed; NULL: the system's certificates */
    const struct http_proxies *proxies; /* borrowed; NULL: none */
    guint stall_s; /* a transfer slower than 1 KiB/s for so long is dead; 0: 30. While a server
                      ponders what was sent to it, ten times as long */
};
/* o may be NULL. Costs nothing until the network is used. */
struct http_client *http_client_new(const struct http_options *o);
void http_client_free(struct http_client *c);

/* Where not said otherwise NULL or 0 means: none. All borrowed. */
struct http_request {
    const char *method; /* "GET", … */
    const struct url *url;
    const char *socket;         /* path of a unix socket to connect to in place of url's host */
    gboolean plain;             /* url may be http at a host other than loopback */
    gboolean insecure;          /* so, and https need not be verified */
    const char *const *secrets; /* "Name: value": fields that never leave url's origin */
    const char *const *fields;  /* "Name: value": further ones, for redirects too; "Name:" keeps
                                   this one from being sent */
    const char *accept;         /* NULL: anything */
    const char *content_type;   /* of what is sent */
    guint64 range_from;         /* asks for the bytes from here on; 0: all */
    const void *body;           /* to send, body_len bytes */
    gsize body_len;
    gboolean secret_body;       /* body never leaves url's origin either */
    struct http_source *source; /* to send in place of body */
    struct http_sink *sink;     /* takes the bodies of 200 and 206 */
    gsize max_body;             /* longest body that is kept without it; 0: 4 MiB. Of an answer that
                                   is no 2xx the first 64 KiB are kept */
    guint stall_s;              /* in place of the client's; HTTP_NO_STALL: never */
    struct cancel *cancel;
};
/* Sends it once. TRUE whenever an answer came, whatever its status. Errors state the reason alone,
 * without naming the host: VARVE_ERROR_OUTSIDE for the network (what to do about it is in a's
 * flags), VARVE_ERROR_INVALID for bad redirects, fields and answers that are too long,
 * VARVE_ERROR_DENIED for http that is not allowed, VARVE_ERROR_CANCELLED, the source's or sink's
 * own. */
gboolean http_exchange(struct http_client *c, const struct http_request *rq,
                       struct http_response *a, GError **err);
/* The same with retries (p may be NULL): for requests that may arrive twice. TRUE whenever the last
 * try brought an answer. */
gboolean http_send(struct http_client *c, const struct http_request *rq,
                   const struct http_patience *p, struct http_response *a, GError **err);

typedef struct http_client http_client;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(http_client, http_client_free)

#endif
