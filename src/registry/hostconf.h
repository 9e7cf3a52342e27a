/* The user's configuration of registry hosts, and the resulting routes to a repository.
 *
 * Fill in the struct first, from one thread; afterwards any number of threads may read it. */
#ifndef VARVE_REGISTRY_HOSTCONF_H
#define VARVE_REGISTRY_HOSTCONF_H

#include "net/proxy.h"
#include "net/retry.h"
#include "net/trust.h"

struct credential;
/* Hands out logins in place of files and helpers: a build that serves a client uses the client's,
 * and nobody else's. */
struct login_port {
    /* Fills out with the login for host ("docker.io", "example.org:5000") and repository (or "");
     * leaves it empty when there is none. Strings become out's. FALSE: it cannot tell, for *err,
     * which is mentioned when the registry refuses. Called by any thread. find NULL: no port. */
    gboolean (*find)(gpointer ctx, const char *host, const char *repository, struct credential *out,
                     GError **err);
    gpointer ctx;
};
/* Files with logins, as Docker and Podman keep them; all may be NULL. */
struct login_places {
    char *only;   /* a file, in place of all others */
    char *text;   /* the content of another (JSON), looked into first */
    char **files; /* looked into in this order; a login is kept in the first */
    char **env;   /* of the credential helpers they name: "NAME=value" with their PATH; NULL: this
                     process's */
};

/* All strings are owned by the struct. Keys of the tables are "host[:port]" or a longer prefix
 * "host/path"; the longest prefix that matches a repository decides. "*.example.org" as a host
 * matches its subdomains. Docker Hub is "docker.io". */
struct registry_config {
    /* prefix → GPtrArray of char* "[http[s]://]host[:port][/path]", tried in this order before the
     * host itself; the path goes before the repository's */
    GHashTable *mirrors;
    /* set of such mirrors that are only asked for digests, never for tags */
    GHashTable *digest_only;
    GHashTable *insecure;    /* set of prefixes: https unverified, else http */
    GHashTable *locations;   /* prefix → char* "host[:port][/path]" that replaces it */
    GHashTable *blocked;     /* set of prefixes that must not be used */
    struct login_port login; /* who knows the logins; without one: */
    struct login_places logins;
    struct trust_places trust; /* of certificates */
    struct http_proxies proxies;
    struct http_patience patience; /* with one request */
    guint stall_s;                 /* 0: default 30: a transfer slower than 1 KiB/s for this long is
                                      dead */
};
struct registry_config *registry_config_new(void);
void registry_config_free(struct registry_config *c);

/* Adds what containers' registries.conf says: file, then the .conf files of the .conf.d folder
 * beside it. Without any nothing changes. [[registry]] with prefix, location,
 * insecure, blocked, mirror-by-digest-only, and
 * [[registry.mirror]] with location, insecure and pull-from-mirror are understood, other keys
 * ignored. VARVE_ERROR_INVALID names file and line; what was read before it stays. */
gboolean registry_config_load_containers(struct registry_config *c, const char *file, GError **err);
/* Adds one such file's bytes; what names it in errors. */
gboolean registry_config_read_containers(struct registry_config *c, const char *bytes, gsize len,
                                         const char *what, GError **err);
void registry_config_add_mirror(struct registry_config *c, const char *prefix, const char *mirror);
void registry_config_add_insecure(struct registry_config *c, const char *prefix);

/* One way to a repository. */
struct route {
    char *host; /* "host[:port]", to connect to ("docker.io" has become Docker Hub's server) */
    char *name; /* the host as the user names it, for credentials and messages */
    char *repository;  /* path at that host */
    gboolean insecure; /* http and unverified https are allowed */
    gboolean plain;    /* the user wrote http:// */
    gboolean mirror;   /* not the repository's own host */
};
/* Routes to domain/path in the order to try: mirrors (unless pushing), then its own place.
 * by_digest says that a digest is asked for. VARVE_ERROR_DENIED when the prefix is blocked. c may
 * be NULL. */
GPtrArray *registry_config_routes(const struct registry_config *c, const char *domain,
                                  const char *path, gboolean by_digest, gboolean pushing,
                                  GError **err);

typedef struct registry_config registry_config;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(registry_config, registry_config_free)

#endif
