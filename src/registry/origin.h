/* Where blobs were seen: repositories that had a blob when it was pulled or pushed. Kept in the
 * store (store/note.h), one small file per blob with lines "host repository", newest first, at most
 * eight. Only hints: a stale one costs a request, a lost one comes back when the image is pulled
 * again (layers that are not here cannot be had until then). They outlive the blob while an image
 * names it, so that a layer whose blob was pruned can be mounted or fetched again. */
#ifndef VARVE_REGISTRY_ORIGIN_H
#define VARVE_REGISTRY_ORIGIN_H

#include "base/digest.h"
#include "store/store.h"

struct origin {
    char *host;       /* as routes name it ("docker.io") */
    char *repository; /* there: "library/node" */
};
/* struct origin*, newest first; never NULL. */
GPtrArray *origin_list(struct store *s, const struct digest *blob);
/* Failure is not an error for the caller. */
void origin_add(struct store *s, const struct digest *blob, const char *host,
                const char *repository);

#endif
