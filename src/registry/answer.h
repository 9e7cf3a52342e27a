/* What an HTTP server answered: the header fields that registries use, read from hostile bytes, and
 * the kept body. */
#ifndef VARVE_REGISTRY_ANSWER_H
#define VARVE_REGISTRY_ANSWER_H

#include "registry/challenge.h"
#include "registry/url.h"

#define ANSWER_UNKNOWN G_MAXUINT64

struct answer {
    int status;             /* of the last answer; 0 while none came */
    struct url *url;        /* where it came from, after redirects */
    char *content_type;     /* without parameters, or NULL */
    char *digest;           /* Docker-Content-Digest as sent, or NULL */
    char *location;         /* as sent, or NULL */
    char *range;            /* Range of an upload's state ("0-1023"), or NULL */
    guint64 content_length; /* or ANSWER_UNKNOWN */
    guint64 range_start;    /* first byte of a 206's Content-Range, or ANSWER_UNKNOWN */
    guint64 min_chunk;      /* OCI-Chunk-Min-Length; 0 when absent */
    gint64 retry_after_s;   /* seconds Retry-After asks for; -1 when absent */
    struct challenge challenge;
    GByteArray *body;      /* what was kept; followed by a NUL that is not counted */
    gsize header_bytes;    /* read so far, for the limit */
    gboolean truncated;    /* body holds only the beginning (errors' bodies) */
    gboolean other_scheme; /* after a failure: the other side may speak https instead of http, or
                              the reverse */
    gboolean unreachable;  /* after a failure: no connection came about */
    gboolean temporary;    /* after a failure: trying again may help */
};

void answer_init(struct answer *a);
void answer_clear(struct answer *a);
/* Forgets everything but the allocation, for another try or hop. */
void answer_reset(struct answer *a);
/* Takes one header line as it came. A status line forgets what came before it. FALSE when the
 * headers exceed 128 KiB in all. */
gboolean answer_header(struct answer *a, const char *line, gsize len);
/* Retry-After: seconds or an HTTP date, relative to now (seconds since the epoch). -1 when
 * malformed; at most a day. */
gint64 answer_parse_retry_after(const char *value, gint64 now);
/* "429 (too many requests)"; newly allocated. */
char *answer_status_text(const struct answer *a);
/* The reason in a registry's error body ({"errors":[{"code","message"}]}), made fit for one line;
 * newly allocated, NULL when there is none. */
char *answer_reason(const struct answer *a);
/* Makes text from outside fit for a message: one line, no control characters, at most max bytes.
 * Newly allocated. */
char *answer_clean(const char *text, gsize max);

typedef struct answer answer;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(answer, answer_clear)

#endif
