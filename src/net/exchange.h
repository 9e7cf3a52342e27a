/* One request and its answer over libcurl, without redirects. Internal to net/. */
#ifndef VARVE_NET_EXCHANGE_H
#define VARVE_NET_EXCHANGE_H

#include "net/curl.h"
#include "net/http.h"

/* One connection cache, used by one thread at a time. */
struct slot {
    CURL *easy;   /* with its connection */
    CURLM *multi; /* that drives it */
};
/* One hop of a request. */
struct hop {
    const struct http_request *rq; /* what is asked for */
    const struct url *url;         /* of this hop */
    const struct trust *trust;     /* of its host */
    const char *proxy;             /* to go through, or "" */
    const char *no_proxy;          /* hosts that are reached without it all the same, or NULL */
    guint stall_s;                 /* HTTP_NO_STALL: never */
};
/* Adds to a. Errors and flags as http_exchange(). The slot is used up: reset its easy handle. */
gboolean exchange_run(const struct curl_api *curl, struct slot *s, const struct hop *hop,
                      struct http_response *a, GError **err);

#endif
