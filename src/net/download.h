/* Getting one file over http or https, for ADD and for contexts that are URLs: into a file, with a
 * condition that turns an unchanged one into an answer without a body. Thread-safe. */
#ifndef VARVE_NET_DOWNLOAD_H
#define VARVE_NET_DOWNLOAD_H

#include "base/event.h"
#include "net/http.h"

#define DOWNLOAD_MAX_BYTES (G_GUINT64_CONSTANT(64) << 30) /* of one file */

/* What to get and how; all but client and url may be NULL or 0. Borrowed. */
struct download_options {
    struct http_client *client;
    const char *url;                      /* may hold user and password */
    const char *auth;                     /* value of an Authorization header, in place of these */
    const char *etag;                     /* condition: as the server gave it before */
    const char *last_modified;            /* another one */
    const struct http_patience *patience; /* NULL: 4 tries */
    guint64 max_bytes;                    /* 0: DOWNLOAD_MAX_BYTES */
    struct event_sink *events;            /* gets transfer events */
    struct cancel *cancel;
};

/* What the server said of the file. */
struct download_info {
    gboolean unchanged;   /* 304: it is what the condition named; nothing else here is set */
    struct digest digest; /* of the bytes that came */
    guint64 size;         /* their number */
    char *etag;           /* as sent, or NULL */
    char *last_modified;  /* as sent, or NULL: also when the file is so young that its date proves
                             nothing (RFC 9110 section 8.8.2.2) */
    gint64 mtime_s;       /* its date, seconds since the epoch; 0 when there is none */
};
void download_info_clear(struct download_info *i);

/* Writes the body to fd, an empty file, which is emptied before each try. Errors name the URL
 * without any password in it: 401 and 403 are VARVE_ERROR_DENIED, 404 and 410
 * VARVE_ERROR_NOT_FOUND, other 4xx VARVE_ERROR_FAILED, what may pass and the network
 * VARVE_ERROR_OUTSIDE. */
gboolean download(const struct download_options *o, int fd, struct download_info *out,
                  GError **err);

#endif
