/* Which proxy leads to a host. */
#ifndef VARVE_NET_PROXY_H
#define VARVE_NET_PROXY_H

#include "net/url.h"

/* URLs as libcurl understands them, "http://user:password@host:3128"; all may be NULL. Strings are
 * the struct's own. */
struct http_proxies {
    char *http;  /* for http URLs */
    char *https; /* for https URLs */
    char *all;   /* for those that have none of their own */
    char *none;  /* hosts that need none: "localhost,.example.org", "*" */
};
void http_proxies_clear(struct http_proxies *p);
/* The proxy for u, or "": none. Loopback hosts have none; who asks minds p->none. p may be NULL. */
const char *http_proxy_for(const struct http_proxies *p, const struct url *u);
/* "host:port" of a proxy, which may be malformed, for messages: without scheme, user, password. */
char *http_proxy_shown(const char *proxy);

#endif
