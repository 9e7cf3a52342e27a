/* Azure block blobs (the Blob service's REST API): Put Blob for small ones; else blocks, several at
 * once, and Put Block List. Used with accounts of one's own (azblob) and with the signed URLs of
 * GitHub's cache (gha). */
#ifndef VARVE_CACHE_BLOCKBLOB_H
#define VARVE_CACHE_BLOCKBLOB_H

#include "cache/service.h"

/* Where to. */
struct blockblob {
    struct service *service;
    struct url *url;       /* of the blob, with its signature if it has one */
    gboolean unsigned_url; /* as in struct service_call */
    guint parallel;        /* blocks at once */
    int refused; /* the status of a refusal that ended it, for a caller who can get a new URL; 0 */
};
gboolean blockblob_put_bytes(struct blockblob *b, GBytes *bytes, GError **err);
gboolean blockblob_put_file(struct blockblob *b, struct service_upload *u, GError **err);

#endif
