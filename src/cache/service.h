/* What the backends over plain HTTP services share: requests that are signed anew for each try,
 * retried, and refused in one manner; blobs from there into the store; parts of a file sent in
 * parallel. Signed URLs and keys are never in an error. */
#ifndef VARVE_CACHE_SERVICE_H
#define VARVE_CACHE_SERVICE_H

#include "cache/backend.h"
#include "net/http.h"

struct service_call;
struct service {
    struct cache_env env;
    struct http_client *http;
    char *name;                 /* "S3 server s3.example.org", for messages */
    const char *what_if_denied; /* what to do after a 401 or 403 */
    gboolean plain;             /* its URL is http, as the user wrote it */
    /* Adds the fields that authorize a try of c ("Name: value", char*). NULL: none. */
    void (*sign)(struct service *self, const struct service_call *c, GPtrArray *fields);
};
/* what: "S3 server". endpoint is where it is. */
void service_init(struct service *s, const struct cache_env *env, const char *what,
                  const struct url *endpoint);
void service_clear(struct service *s);

/* One request. All borrowed; where not said otherwise NULL or 0 means: none. */
struct service_call {
    struct http_request rq; /* url, secrets and cancel are the service's */
    struct url *url;
    const struct digest *payload; /* SHA-256 of what is sent; NULL: nothing is */
    gboolean unsigned_url;        /* url carries its own authorization: sign() is not asked */
    struct blob_get *get;         /* asks for the rest of it */
    /* After a 401 or 403: puts a fresh URL into self->url, which is ours. FALSE: there is none. */
    gboolean (*renew)(struct service_call *self);
    gpointer ctx;            /* renew's */
    guint tries, max_wait_s; /* patience; 0: the usual one */
    guint mute_tries;        /* at most as many that bring no answer; 0: as tries */
    /* Of an answer that may be temporary: another try brings the same. Counts as 403 then. */
    gboolean (*is_final)(const struct http_response *a);
};
/* TRUE with the last answer, whatever its status. Errors say which service failed, and why. */
gboolean service_send(struct service *s, struct service_call *c, struct http_response *a,
                      GError **err);
/* The error for an answer that is not what was hoped for: DENIED, NOT_FOUND, OUTSIDE for what may
 * pass, else FAILED. FALSE. */
gboolean service_refuse(const struct service *s, const struct http_response *a, GError **err);
/* The same, if the answer is no 2xx; TRUE if it is one. */
gboolean service_check(const struct service *s, const struct http_response *a, GError **err);

/* Brings d's blob into the store with GETs of c's url. */
gboolean service_fetch(struct service *s, struct service_call *c, const struct descriptor *d,
                       struct blob_tap *tap, GError **err);

/* A blob being sent. */
struct service_upload {
    int fd;       /* its file; the upload's */
    guint64 size; /* of it, bytes */
    guint64 sent; /* of it, guarded by lock */
    GMutex lock;  /* guards the transfer, too */
    struct transfer transfer;
};
/* Opens d's blob in the store. */
gboolean service_upload_begin(struct service *s, const struct descriptor *d,
                              struct service_upload *u, GError **err);
void service_upload_end(struct service_upload *u);
/* The bytes of u from offset on, as the body of a request. */
struct service_part {
    struct http_file_source source;
    struct service_upload *u; /* whose part it is */
    guint64 told;             /* of its bytes, those that u->sent counts */
};
void service_part_init(struct service_part *p, struct service_upload *u, guint64 offset,
                       guint64 len);
/* SHA-256 of that part. */
gboolean service_part_digest(const struct service_part *p, struct digest *out, GError **err);

#endif
