/* Requests to one repository over one route: authorization, retries, http or https, and the errors
 * shown to the user. Internal to registry/. */
#ifndef VARVE_REGISTRY_CLIENT_H
#define VARVE_REGISTRY_CLIENT_H

#include "registry/answer.h"
#include "registry/auth.h"
#include "registry/registry.h"

struct registry {
    struct store *store;
    const struct registry_config *config; /* may be NULL */
    struct event_sink *events;            /* may be NULL */
    struct cancel *cancel;                /* may be NULL */
    struct http_client *http;
    struct auth *auth;
    GHashTable *insecure; /* set of domains, for this client alone; not changed once it is used */
    GMutex lock;          /* guards plain */
    GHashTable
        *plain; /* host → GINT_TO_POINTER(1: speaks http, 2: speaks https); guarded by lock */
};

/* An operation for the user, as messages name it. */
struct errand {
    struct registry *r; /* whose client works */
    const struct route *route;
    const char *doing;  /* "pull node:20" */
    const char *scopes; /* "repository:library/node:pull" */
    guint tries;        /* at most; 0: as configured */
};
/* Adjusts a request before each of its tries, and after it. */
struct retry_hook {
    void (*adjust)(struct retry_hook *self, struct http_request *rq); /* before each try */
};

/* registry_config_routes() of r's configuration, with what is allowed only for r. */
GPtrArray *client_routes(const struct registry *r, const char *domain, const char *path,
                         gboolean by_digest, gboolean pushing, GError **err);
/* Sends rq to target (path below the route's host, beginning with "/v2/") or, when location is
 * given, there. rq.url, insecure, secrets and cancel are filled in. Waits and retries on 429, 5xx
 * and network failures, obtains tokens on 401. TRUE with every other answer, whatever its status:
 * see client_refuse(). A retried request whose range_from the hook (may be NULL) moves on has made
 * progress and gets its tries back. */
gboolean client_send(const struct errand *e, struct http_request *rq, const char *target,
                     const struct url *location, struct retry_hook *hook, struct http_response *a,
                     GError **err);
/* The error for an answer that is not what was hoped for; thing ("its tag 20", NULL) is what was
 * asked. FALSE. */
gboolean client_refuse(const struct errand *e, const struct http_response *a, const char *thing,
                       GError **err);
/* Prefixes "cannot <doing>: registry <host>: " to *err. */
void client_prefix(const struct errand *e, GError **err);
/* What the transfer of a blob is called in progress. */
char *client_transfer_name(const struct errand *e, const struct digest *d);

/* Runs fn(ctx, 0..n-1) on up to max separate threads, which wait for the network, not for a CPU.
 * The first error wins and stops items not yet started. */
gboolean client_fan_out(guint n, guint max, gboolean (*fn)(gpointer ctx, gsize i, GError **err),
                        gpointer ctx, GError **err);
/* "repository:<name>:<actions>". */
char *client_scope(const char *repository, const char *actions);

#endif
