/* A reference as objects of a bucket (S3) or a container (Azure), where names are looked up and
 * listed:
 *
 *     <prefix>blobs/<digest>                      blobs, which all references of the prefix share
 *     <prefix>manifests/<name>/<digest>           a reference's segments
 *     <prefix>manifests/<name>/claim-<id>         its builders' claims
 *
 * BuildKit has its manifests at <prefix>manifests/<name>, so both may use one bucket. */
#ifndef VARVE_CACHE_OBJECTS_H
#define VARVE_CACHE_OBJECTS_H

#include "cache/objectlist.h"
#include "cache/service.h"

struct objects {
    struct cache_backend backend; /* first, so that one is the other */
    struct service service;
    char *label;      /* the backend's */
    struct url *base; /* of the bucket, its target without '/' at the end */
    char *query;      /* that every URL has ("sig=…"); or NULL */
    char *blobs;      /* keys' beginning: "prefix/blobs/" */
    char *manifests;  /* "prefix/manifests/" */
    char *name;       /* "prefix/manifests/name" */
    guint parallel;   /* parts of a blob at once */
    gint64 refresh_s; /* an object older than so many seconds is touched; 0: none is */
    const struct object_listing *listing;
    const char *list_query; /* of the bucket's list, "list-type=2" */
    const char *marker;     /* the parameter that asks for what follows; sorts before list_query */
    /* Of the kind of service: sends bytes, or u as a whole. */
    gboolean (*put_bytes)(struct objects *o, const char *key, GBytes *bytes, GError **err);
    gboolean (*put_file)(struct objects *o, const char *key, struct service_upload *u,
                         const struct digest *d, GError **err);
    /* Makes it as if it were written now; NULL: cannot be done. */
    gboolean (*touch)(struct objects *o, const char *key, GError **err);
    void (*clear)(struct objects *o); /* what is the kind's own; or NULL */
};
/* base (taken), what is "S3 server". Sets all that spec says; the kind's own members are set by the
 * caller. */
void objects_init(struct objects *o, const struct cache_spec *spec, const struct cache_env *env,
                  const char *what, struct url *base);
/* Of an object ("": of the bucket), with query ("a=b&c", or NULL). */
struct url *objects_url(const struct objects *o, const char *key, const char *query);
/* One request for it: c's method and what it sends are set. */
gboolean objects_send(struct objects *o, struct service_call *c, const char *key, const char *query,
                      struct http_response *a, GError **err);

#endif
