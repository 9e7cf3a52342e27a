/* Fetching documents and blobs over one route into the store. Internal to registry/. */
#ifndef VARVE_REGISTRY_FETCH_H
#define VARVE_REGISTRY_FETCH_H

#include "image/unpack.h"
#include "registry/client.h"

#define MAX_DOCUMENT (4 * 1024 * 1024)
/* The types of documents that are understood. */
#define FETCH_ACCEPT                                                                               \
    MEDIA_OCI_INDEX ", " MEDIA_DOCKER_LIST ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_MANIFEST

/* A manifest or index, verified and in the store. */
struct document {
    struct digest digest;
    struct manifest *manifest;
};
void document_clear(struct document *d);

/* Asks for the current digest of name (tag or digest). *known is FALSE if the answer does not
 * contain it. Not found, denied and so on are left for a GET to report: then *known is FALSE, too.
 */
gboolean fetch_digest(const struct errand *e, const char *name, struct digest *out, gboolean *known,
                      GError **err);
/* Fetches name; its digest must be expected (may be NULL). */
gboolean fetch_document(const struct errand *e, const char *name, const struct digest *expected,
                        struct document *out, GError **err);
/* Reads one from the store; FALSE without error when it is not there or cannot be read. */
gboolean stored_document(struct store *s, const struct digest *d, struct document *out);
/* The same for callers that must have it: VARVE_ERROR_NOT_FOUND when the store has none. */
gboolean stored_document_read(struct store *s, const struct digest *d, struct document *out,
                              GError **err);
/* Fetches a blob that the store lacks: resumed, verified, and its origin recorded. One thread or
 * process fetches it, others wait for it. tap (may be NULL) sees the bytes as they arrive.
 */
gboolean fetch_blob(const struct errand *e, const struct descriptor *d, struct blob_tap *tap,
                    GError **err);

/* Gets a blob that the store lacks from where it was seen before (registry/origin.h). */
gboolean fetch_from_origins(struct registry *r, const struct descriptor *d, struct blob_tap *tap,
                            GError **err);

typedef struct document document;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(document, document_clear)

#endif
