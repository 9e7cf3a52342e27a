/* Signatures of requests: AWS Signature Version 4 and Azure Storage's SharedKey.
 *
 * Not libcurl's CURLOPT_AWS_SIGV4: which fields it signs, whether it sorts the query and what it
 * takes for the Host differs between its versions, and the body's digest is known here anyway. */
#ifndef VARVE_CACHE_SIGN_H
#define VARVE_CACHE_SIGN_H

#include "base/digest.h"
#include "net/http.h"

struct aws_login {
    const char *id, *secret; /* the key's */
    const char *session;     /* or NULL */
    const char *region;      /* "us-east-1" */
};
/* Adds the fields that authorize rq to url at time now (seconds since the epoch) to out (char*):
 * x-amz-*, and Authorization. url's target is percent-encoded and its query sorted. Those of
 * rq->fields that begin with "x-amz-" are signed, too. payload: of the body; NULL: it is empty. */
void sign_aws(const struct aws_login *login, const struct http_request *rq, const struct url *url,
              const struct digest *payload, gint64 now, GPtrArray *out);

struct azure_login {
    const char *account; /* its name */
    const guchar *key;   /* decoded */
    gsize key_len;       /* bytes of it */
};
/* The same: x-ms-date, x-ms-version and Authorization. Fields of rq that begin with "x-ms-" are
 * signed. */
void sign_azure(const struct azure_login *login, const struct http_request *rq,
                const struct url *url, gint64 now, GPtrArray *out);

/* Percent-encodes all but unreserved characters (RFC 3986) and, with slashes, '/'. */
char *sign_escape(const char *text, gboolean slashes);

#endif
