/* What an HTTP server answered (RFC 9110), read from hostile bytes: its status, its header fields
 * and the body, as far as that was kept. */
#ifndef VARVE_NET_RESPONSE_H
#define VARVE_NET_RESPONSE_H

#include "net/url.h"

#define HTTP_UNKNOWN G_MAXUINT64

struct http_response {
    int status;             /* of the last answer; 0 while none came */
    struct url *url;        /* where it came from, after redirects */
    GPtrArray *fields;      /* "name" NUL "value" (char*), in the order they came */
    char *content_type;     /* lower case, without parameters, or NULL */
    guint64 content_length; /* or HTTP_UNKNOWN */
    guint64 range_start;    /* first byte of a 206's Content-Range, or HTTP_UNKNOWN */
    gint64 retry_after_s;   /* seconds that Retry-After asks for; -1 when absent */
    GByteArray *body;       /* what no sink took; followed by a NUL that is not counted */
    gboolean truncated;     /* body holds only the beginning (errors' bodies) */
    gsize header_bytes;     /* read so far, for the limit */
    /* After a failure without an answer: */
    gboolean temporary;    /* trying again may help */
    gboolean unreachable;  /* no connection came about */
    gboolean untrusted;    /* its certificate, or one of ours, was not accepted */
    gboolean other_scheme; /* it may speak https instead of http, or the reverse */
};

void http_response_init(struct http_response *a);
void http_response_clear(struct http_response *a);
/* Forgets everything but the allocation, for another try or hop. */
void http_response_reset(struct http_response *a);
/* Takes one header line as it came. A status line forgets what came before it. FALSE when the
 * headers exceed 128 KiB in all. */
gboolean http_response_header(struct http_response *a, const char *line, gsize len);
/* The value of the last field of this name; NULL when there is none. */
const char *http_response_field(const struct http_response *a, const char *name);
/* The values of all fields of this name, one a call: *at begins as 0. NULL at the end. */
const char *http_response_next_field(const struct http_response *a, const char *name, guint *at);

/* An HTTP date (section 5.6.7, the preferred form) in seconds since the epoch; -1 when malformed
 * (NULL included). */
gint64 http_date(const char *text);
/* Retry-After: seconds or an HTTP date, relative to now (seconds since the epoch). -1 when
 * malformed; at most a day. */
gint64 http_retry_after(const char *value, gint64 now);
/* Whether the same request may fare better later: 408, 429, 5xx but 501. */
gboolean http_status_is_temporary(int status);
/* "429 (too many requests)". */
char *http_status_text(int status);

typedef struct http_response http_response;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(http_response, http_response_clear)

#endif
