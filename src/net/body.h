/* Where the bodies of HTTP messages come from and go to. */
#ifndef VARVE_NET_BODY_H
#define VARVE_NET_BODY_H

#include "net/response.h"
#include "base/transfer.h"

/* A body to send, of known length. It is read at offsets, so that another try can begin anew. */
struct http_source {
    guint64 len; /* bytes */
    /* Reads up to n bytes (n > 0, offset < len) from offset on; how many, or -1 with *err. 0: it is
     * shorter than it was. */
    gssize (*read)(struct http_source *self, guint64 offset, void *buffer, gsize n, GError **err);
    /* Called as bytes leave, with how many of this try have left; may be NULL. */
    void (*sent)(struct http_source *self, guint64 bytes);
};
/* A part of a file. */
struct http_file_source {
    struct http_source base; /* first, so that one is the other */
    int fd;                  /* borrowed */
    guint64 offset;          /* where the body starts in the file */
};
void http_file_source_init(struct http_file_source *s, int fd, guint64 offset, guint64 len);

/* Takes the body of a 200 or 206 in place of http_response.body. */
struct http_sink {
    /* Called before the data of each try: what an earlier one brought is still there. */
    gboolean (*begin)(struct http_sink *self, const struct http_response *a, GError **err);
    gboolean (*data)(struct http_sink *self, const void *bytes, gsize len, GError **err);
};
/* A whole body into a file, hashed on its way. */
struct http_file_sink {
    struct http_sink base;     /* first, so that one is the other */
    int fd;                    /* borrowed; emptied before each try */
    guint64 max;               /* longest body; more is VARVE_ERROR_INVALID */
    struct hasher *hasher;     /* of the bytes of this try; the sink's */
    guint64 size;              /* bytes that this try brought */
    struct transfer *transfer; /* borrowed; told of what arrives, and of how many; or NULL */
};
void http_file_sink_init(struct http_file_sink *s, int fd, guint64 max, struct transfer *transfer);
void http_file_sink_clear(struct http_file_sink *s);

#endif
