/* Trying again: after 408, 429, 5xx, connections that break and transfers that stall, with waits
 * that double (a quarter more or less, so that many clients do not come back at once) and mind
 * Retry-After. */
#ifndef VARVE_NET_RETRY_H
#define VARVE_NET_RETRY_H

#include "base/cancel.h"
#include "net/response.h"

/* How patient to be; 0 is the default. */
struct http_patience {
    guint tries;             /* of one request; 5 */
    guint unreachable_tries; /* at most as many where no connection comes about; 3 */
    guint first_delay_ms;    /* before the second try, doubling with every further one; 400 */
    guint max_wait_s;        /* longest waiting in all; 60 */
};

/* One request with its tries. Begin with run alone set. */
struct http_effort {
    /* One try: TRUE when an answer came, whatever its status. Otherwise a->temporary says whether
     * another one may help, and a->retry_after_s when. */
    gboolean (*run)(struct http_effort *self, struct http_response *a, GError **err);
    guint64 there;    /* kept by run: bytes of the whole that are there. 64 KiB more than after the
                         try before are progress: the tries are counted anew */
    guint tries;      /* made, since the last progress */
    gint64 waited_ms; /* between tries, in all */
    guint64 before;   /* there, after the try before */
};
/* Runs it until an answer comes that is not temporary, or patience (may be NULL) ends: TRUE with
 * the last answer, which may be a temporary one; FALSE when the last try brought none, or c is
 * triggered. */
gboolean http_effort_run(struct http_effort *e, const struct http_patience *p, struct cancel *c,
                         struct http_response *a, GError **err);

#endif
