/* HTTP for registries over libcurl: connections are kept and reused (each by one thread at a time),
 * redirects are followed by hand without passing Authorization to another origin, certificates are
 * verified against the system's bundle (CURL_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR, the configured
 * file and containers' or Docker's certs.d folders), http is spoken only to loopback hosts and
 * hosts marked insecure, proxies come from the environment as with curl (never for loopback). A
 * cancelled command stops its transfers at once; transfers that stall fail.
 *
 * One exchange is one call of transport_send(). It does not retry (registry/client.h does).
 * Thread-safe. The network library is loaded by the first exchange. */
#ifndef VARVE_REGISTRY_TRANSPORT_H
#define VARVE_REGISTRY_TRANSPORT_H

#include "base/cancel.h"
#include "base/event.h"
#include "registry/answer.h"
#include "registry/hostconf.h"

struct transport;
/* config and c are borrowed; both may be NULL. */
struct transport *transport_new(const struct registry_config *config, struct cancel *c);
void transport_free(struct transport *t);

/* Receives the body of a 200 or 206 instead of answer.body. */
struct http_sink {
    /* Called once, before data. */
    gboolean (*begin)(struct http_sink *self, const struct answer *a, GError **err);
    gboolean (*data)(struct http_sink *self, const void *bytes, gsize len, GError **err);
};
/* A part of a file to send. */
struct http_file {
    int fd;
    guint64 offset, len;
    /* Called as bytes leave, with how many of this exchange have left; may be NULL. */
    void (*sent)(gpointer ctx, guint64 bytes);
    gpointer ctx;
};
struct http_request {
    const char *method; /* "GET", … */
    const struct url *url;
    gboolean insecure;         /* http and unverified https are allowed for this host */
    const char *authorization; /* header value or NULL; never leaves url's origin */
    const char *accept;        /* or NULL */
    const char *content_type;  /* of what is sent, or NULL */
    const char *content_range; /* of what is sent, or NULL */
    guint64 range_from;        /* asks for the bytes from here on; 0: all */
    const void *body;          /* to send, body_len bytes; NULL: none */
    gsize body_len;
    const struct http_file *file; /* to send instead of body, or NULL */
    struct http_sink *sink;       /* or NULL */
    gsize max_body;               /* longest answer that is kept; 0: 4 MiB */
};
/* One exchange, with its redirects (10 at most). TRUE whenever an answer came, whatever its status.
 * a is initialised by the caller and reset here. Errors state the reason alone, without naming the
 * host: VARVE_ERROR_OUTSIDE for the network, VARVE_ERROR_INVALID for refused redirects and too
 * large answers, VARVE_ERROR_CANCELLED, or the sink's own; a->temporary and a->other_scheme are set
 * then. */
gboolean transport_send(struct transport *t, const struct http_request *rq, struct answer *a,
                        GError **err);

typedef struct transport transport;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(transport, transport_free)

#endif
