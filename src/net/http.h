/* Getting one file over http or https (RFC 9110), for ADD and for contexts that are URLs: with
 * redirects, retries, and a condition that turns an unchanged file into an answer without a body.
 * Thread-safe. */
#ifndef VARVE_NET_HTTP_H
#define VARVE_NET_HTTP_H

#include "base/cancel.h"
#include "base/digest.h"
#include "base/event.h"

#define HTTP_MAX_BYTES (G_GUINT64_CONSTANT(64) << 30) /* of one file */

/* How to get files; all may be NULL or 0. Borrowed. */
struct http_options {
    const char *ca_file, *ca_path; /* certificates to trust: a bundle, a folder of hashed ones */
    GBytes *ca_bundle;             /* PEM text to trust instead of both */
    const char *auth;              /* value of an Authorization header for the URL's own host: no
                                      redirect takes it elsewhere */
    guint tries;                   /* 0: 4 */
    guint first_delay_ms;          /* before the second try, then doubling; 0: 400 */
    guint stall_s;                 /* slower than 1 KiB/s for so long is dead; 0: 30 */
    guint64 max_bytes;             /* 0: HTTP_MAX_BYTES */
    struct event_sink *events;     /* gets transfer events */
    struct cancel *cancel;
};

/* What a server said of a file. */
struct http_file_info {
    gboolean unchanged;   /* 304: it is what the condition named; nothing else here is set */
    struct digest digest; /* of the bytes that came */
    guint64 size;         /* their number */
    char *etag;           /* as sent, or NULL */
    char *last_modified;  /* as sent, or NULL: also when the file is so young that its date proves
                             nothing (RFC 9110 section 8.8.2.2) */
    gint64 mtime_s;       /* its date, seconds since the epoch; 0 when there is none */
};
void http_file_info_clear(struct http_file_info *i);

/* Writes the body at url to fd, an empty file, which is truncated before each retry. With etag or
 * last_modified (or both; else NULL) the request is conditional: unchanged files are not sent.
 * Errors name the URL without any password in it: 401 and 403 are VARVE_ERROR_DENIED, 404 and 410
 * VARVE_ERROR_NOT_FOUND, other 4xx VARVE_ERROR_FAILED, 408, 429, 5xx and the network
 * VARVE_ERROR_OUTSIDE (after the retries; Retry-After is minded). */
gboolean http_get(const struct http_options *o, const char *url, const char *etag,
                  const char *last_modified, int fd, struct http_file_info *out, GError **err);

/* The URL without user and password, for people; newly allocated. */
char *http_shown(const char *url);
/* Host (with port, if any) of a URL; newly allocated, "" when there is none. */
char *http_host(const char *url);
/* An HTTP date (RFC 9110 section 5.6.7, the preferred form) in seconds since the epoch; 0 when it
 * is malformed. */
gint64 http_date(const char *text);

#endif
