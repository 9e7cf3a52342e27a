#include "net/proxy.h"

#include "text/fit.h"

#include <string.h>

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

char *http_proxy_shown(const char *proxy)
{
    const char *scheme = strstr(proxy, "://"), *at = strrchr(proxy, '@');
    const char *host = at ? at + 1 : scheme ? scheme + 3 : proxy;
    g_autofree char *bare = g_strndup(host, strcspn(host, "/?#"));
    return text_one_line(bare, 100);
}
