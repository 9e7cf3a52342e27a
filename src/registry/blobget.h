/* A blob on its way from an HTTP server into the store: resumed, verified, told of as a transfer.
 * One thread or process fetches it, others wait for it. */
#ifndef VARVE_REGISTRY_BLOBGET_H
#define VARVE_REGISTRY_BLOBGET_H

#include "base/transfer.h"
#include "image/unpack.h"
#include "net/http.h"
#include "store/blob.h"

/* Fill in all but what is marked as internal; all borrowed. */
struct blob_get {
    struct http_sink sink;      /* internal: first, so that one is the other */
    struct store *store;        /* that lacks it */
    const struct descriptor *d; /* what is fetched */
    struct blob_tap *tap;       /* sees the bytes as they arrive; or NULL */
    struct event_sink *events;  /* or NULL */
    struct cancel *cancel;      /* or NULL */
    const char *name;           /* of the transfer */
    /* Asks a server for the bytes from blob_get_size() on, with &self->sink as the sink. */
    gboolean (*ask)(struct blob_get *self, struct http_response *a, GError **err);
    /* The error for an answer of another status than 200 and 206. FALSE. */
    gboolean (*refuse)(struct blob_get *self, const struct http_response *a, GError **err);
    struct blob_writer *writer; /* internal */
    struct transfer transfer;   /* internal */
};
/* Bytes that are there already. */
guint64 blob_get_size(const struct blob_get *g);
/* Wrong bytes, of which none are kept, are VARVE_ERROR_INVALID after a second try. */
gboolean blob_get_run(struct blob_get *g, GError **err);

#endif
