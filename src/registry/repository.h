/* One repository of a registry at its own host, for documents that are no images (caches,
 * referrers). Errors are as in registry.h. Thread-safe. */
#ifndef VARVE_REGISTRY_REPOSITORY_H
#define VARVE_REGISTRY_REPOSITORY_H

#include "registry/registry.h"

struct repository;
/* ref's repository; r is borrowed. purpose is what is done, for messages ("read the cache x"). With
 * writing, tokens are asked for that allow it. Without I/O. */
struct repository *repository_new(struct registry *r, const struct reference *ref,
                                  const char *purpose, gboolean writing, GError **err);
void repository_free(struct repository *p);              /* NULL is fine */
const char *repository_host(const struct repository *p); /* as origins name it */
const char *repository_path(const struct repository *p);

/* A document of at most 4 MiB, which also becomes a blob of the store. */
struct repository_document {
    GBytes *bytes; /* NULL: there is none of this name */
    struct digest digest;
};
/* The document name (tag or "sha256:…"; then the store is looked into first). */
gboolean repository_get(struct repository *p, const char *name, struct repository_document *out,
                        GError **err);
/* The same, always asked of the registry and not kept: of documents that change all the time. */
gboolean repository_peek(struct repository *p, const char *name, struct repository_document *out,
                         GError **err);
/* Puts bytes under name. *subject (may be NULL): the registry lists it as a referrer of its subject
 * (OCI-Subject). */
gboolean repository_put(struct repository *p, const char *name, const char *media_type,
                        GBytes *bytes, gboolean *subject, GError **err);
/* Removes a manifest with all its tags. *removed FALSE: the registry does not do that. */
gboolean repository_delete(struct repository *p, const struct digest *d, gboolean *removed,
                           GError **err);
/* Tags that begin with prefix, sorted (char*); at most max. None when there is no repository. */
GPtrArray *repository_tags(struct repository *p, const char *prefix, guint max, GError **err);
/* The index of what refers to d; NULL without error: this registry has no referrers API. */
GBytes *repository_referrers(struct repository *p, const struct digest *d, GError **err);

gboolean repository_has_blob(struct repository *p, const struct digest *d, gboolean *there,
                             GError **err);
/* Into the store; tap may be NULL. */
gboolean repository_fetch_blob(struct repository *p, const struct descriptor *d,
                               struct blob_tap *tap, GError **err);
/* From the store, unless it is there or another repository of the host can lend it. stats gets what
 * was done. */
gboolean repository_push_blob(struct repository *p, const struct descriptor *d,
                              struct push_stats *stats, GError **err);

typedef struct repository repository;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(repository, repository_free)

#endif
