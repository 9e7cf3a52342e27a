#include "net/proxy.h"

void http_proxies_clear(struct http_proxies *p)
{
    g_free(p->http);
    g_free(p->https);
    g_free(p->all);
    g_free(p->none);
    *p = (struct http_proxies){0};
}

const char *http_proxy_for(const struct http_proxies *p, const struct url *u)
{
    if (!p || url_host_is_loopback(u->host))
        return "";
    const char *own = u->tls ? p->https : p->http;
    return own ? own : p->all ? p->all : "";
}
