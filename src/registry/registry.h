/* The client of OCI distribution-spec 1.1 registries (and Docker's): resolve, pull, push, log in.
 *
 * Errors name the image, the host and the reason, with a next line: 401/403 VARVE_ERROR_DENIED (log
 * in), 404 VARVE_ERROR_NOT_FOUND, 429, 5xx, network and time-outs VARVE_ERROR_OUTSIDE after the
 * retries, a wrong digest or malformed answer VARVE_ERROR_INVALID (after one retry). Wrong content
 * never reaches the store. Mirrors are tried before the repository's own host; the error is that of
 * the own host, followed by the mirrors' reasons. Thread-safe. */
#ifndef VARVE_REGISTRY_REGISTRY_H
#define VARVE_REGISTRY_REGISTRY_H

#include "image/manifest.h"
#include "image/unpack.h"
#include "registry/hostconf.h"
#include "store/store.h"
#include "text/reference.h"

struct registry;
/* config is borrowed and must outlive the client. config, events (transfer progress) and c may be
 * NULL. Does nothing until the network is used. */
struct registry *registry_new(struct store *s, const struct registry_config *config,
                              struct event_sink *events, struct cancel *c);
void registry_free(struct registry *r);
/* Allows this client http and unverified https to domain ("127.0.0.1:5000"), whatever config says;
 * other clients with the same config are not affected. Call it before the client is used. */
void registry_allow_insecure(struct registry *r, const char *domain);

struct resolved {
    /* what the reference names: index or manifest (as in Docker's RepoDigests) */
    struct digest target;
    struct digest manifest; /* the platform's manifest, in the store with its config */
    struct digest config;   /* its config */
};
/* Resolves ref for platform p: fetches index, manifest and config into the store (each verified).
 * An index without p is VARVE_ERROR_NOT_FOUND naming its platforms. With a digest whose documents
 * are in the store, no request is made. */
gboolean registry_resolve(struct registry *r, const struct reference *ref, const struct platform *p,
                          struct resolved *out, GError **err);
/* A source of layer blobs of ref's repository for image_unpack(): resumable, thread-safe. Owned by
 * the caller (registry_blob_source_free); records in the store where each blob came from, for
 * cross-repository mounts. */
struct blob_source *registry_blob_source(struct registry *r, const struct reference *ref);
void registry_blob_source_free(struct blob_source *b);

/* A source of blobs that were pulled or pushed before, from wherever that was. Owned by the caller
 * (registry_blob_source_free). */
struct blob_source *registry_origin_source(struct registry *r);

/* Pushes manifest (or an index and all of its manifests) with everything it needs to ref (tag or
 * digest): HEAD or mount first, then monolithic upload, resumed in chunks if it is interrupted or
 * too large, in parallel. A layer whose blob the store lost is fetched from its origin. Nothing is
 * sent if ref already names manifest. */
struct push_stats {
    guint64 bytes_sent;                           /* of blobs */
    guint blobs_sent, blobs_mounted, blobs_there; /* blobs */
};
gboolean registry_push(struct registry *r, const struct digest *manifest,
                       const struct reference *ref, gboolean by_digest, struct push_stats *stats,
                       GError **err);

/* Checks a login with host ("docker.io" and its other names, "example.org:5000") and stores it
 * where Docker would. */
gboolean registry_login(struct registry *r, const char *host, const char *username,
                        const char *secret, GError **err);
/* Removes the login; *found (may be NULL) says whether there was one. */
gboolean registry_logout(struct registry *r, const char *host, gboolean *found, GError **err);

typedef struct registry registry;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(registry, registry_free)

#endif
