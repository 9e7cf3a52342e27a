/* Sending one blob (distribution-spec 1.1, "Pushing blobs"): one PUT, or PATCHes if that was
 * interrupted or too large. Internal to registry/. */
#ifndef VARVE_REGISTRY_UPLOAD_H
#define VARVE_REGISTRY_UPLOAD_H

#include "registry/client.h"

/* Sends blob d (size bytes, in the store) to e's repository. location: of an upload already started
 * (consumed), or NULL. */
gboolean upload_blob(const struct errand *e, const struct digest *d, guint64 size,
                     struct url *location, GError **err);
/* Whether e's repository has the blob (digest: "sha256:…"). */
gboolean blob_is_there(const struct errand *e, const char *digest, gboolean *there, GError **err);
/* Sends blob d to e's repository unless it is there or can be mounted from another; a blob that the
 * store lost is fetched from its origin. Adds to stats. */
gboolean push_blob(const struct errand *e, const struct descriptor *d, struct push_stats *stats,
                   GError **err);
/* Where a's Location leads; VARVE_ERROR_INVALID when there is none, or it leads where no
 * redirect may. */
struct url *upload_location(const struct errand *e, const struct http_response *a, GError **err);

#endif
