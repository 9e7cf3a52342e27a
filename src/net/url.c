#include "net/url.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

#define MAX_URL 16384

void url_free(struct url *u)
{
    if (!u)
        return;
    g_free(u->host);
    g_free(u->target);
    g_free(u);
}

struct url *url_copy(const struct url *u)
{
    struct url *copy = g_new0(struct url, 1);
    *copy = *u;
    copy->host = g_strdup(u->host);
    copy->target = g_strdup(u->target);
    return copy;
}

static gboolean clean_text(const char *s)
{
    for (const char *p = s; *p; p++)
        if ((guchar)*p <= ' ' || *p == 0x7f || *p == '\\' || *p == '"' || *p == '<' || *p == '>')
            return FALSE;
    return strlen(s) <= MAX_URL;
}

/* An address in its brackets, of n bytes. */
static gboolean parse_ipv6(const char *p, gsize n, struct in6_addr *out)
{
    if (n < 4 || p[0] != '[' || p[n - 1] != ']')
        return FALSE;
    g_autofree char *inner = g_strndup(p + 1, n - 2);
    return inet_pton(AF_INET6, inner, out) == 1;
}

/* Whether readers of old take host for a number: "127.1", "0x7f.1" and "2130706433" are 127.0.0.1
 * to libcurl. Addresses are only what inet_pton() takes for one. */
static gboolean is_odd_number(const char *host)
{
    struct in_addr ignored;
    gsize n = strlen(host);
    g_autofree char *name = g_strndup(host, n && host[n - 1] == '.' ? n - 1 : n);
    const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
    gboolean hex = g_ascii_strncasecmp(last, "0x", 2) == 0;
    gboolean number = hex || (*last && last[strspn(last, "0123456789")] == '\0');
    return number && inet_pton(AF_INET, host, &ignored) != 1;
}

static gboolean valid_host(const char *p, gsize n)
{
    if (n == 0 || n > 255)
        return FALSE;
    struct in6_addr ignored;
    if (*p == '[')
        return parse_ipv6(p, n, &ignored);
    for (gsize i = 0; i < n; i++)
        if (!g_ascii_isalnum(p[i]) && p[i] != '-' && p[i] != '_' &&
            (p[i] != '.' || i == 0 || p[i - 1] == '.'))
            return FALSE;
    return TRUE;
}

/* "host[:port]" of n bytes. */
static gboolean parse_authority(struct url *u, const char *p, gsize n)
{
    const char *close = *p == '[' ? memchr(p, ']', n) : NULL;
    const char *from = close ? close : p;
    const char *colon = memchr(from, ':', n - (from - p));
    gsize host_len = colon ? (gsize)(colon - p) : n;
    g_autofree char *given = g_strndup(p, host_len);
    g_autofree char *host = g_str_is_ascii(given) ? g_strdup(given) : g_hostname_to_ascii(given);
    u->port = u->tls ? 443 : 80;
    if (!host || !valid_host(host, strlen(host)) || is_odd_number(host))
        return FALSE;
    if (colon) {
        guint64 port;
        g_autofree char *digits = g_strndup(colon + 1, n - host_len - 1);
        if (!g_ascii_string_to_unsigned(digits, 10, 1, 65535, &port, NULL))
            return FALSE;
        u->port = port;
    }
    u->host = g_ascii_strdown(host, -1);
    return TRUE;
}

static struct url *bad(const char *text, const char *why, GError **err)
{
    g_autofree char *shown = g_strescape(text, NULL);
    error_set(err, VARVE_ERROR_INVALID, "malformed URL \"%.200s\": %s", shown, why);
    return NULL;
}

struct url *url_parse(const char *text, GError **err)
{
    g_autoptr(url) u = g_new0(struct url, 1);
    if (!clean_text(text))
        return bad(
            text, "it contains blanks, control characters or backslashes, or is longer than 16 KiB",
            err);
    u->tls = g_ascii_strncasecmp(text, "https://", 8) == 0;
    if (!u->tls && g_ascii_strncasecmp(text, "http://", 7) != 0)
        return bad(text, "it starts with neither https:// nor http://", err);
    const char *authority = text + (u->tls ? 8 : 7);
    gsize n = strcspn(authority, "/?#");
    if (!parse_authority(u, authority, n))
        return bad(text, "its host is malformed", err);
    const char *rest = authority + n;
    g_autofree char *target = g_strndup(rest, strcspn(rest, "#"));
    u->target = g_strconcat(*target == '/' ? "" : "/", target, NULL);
    return g_steal_pointer(&u);
}

/* Removes "." and ".." segments (RFC 3986, 5.2.4); path begins with '/'. */
static char *remove_dots(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path + 1, "/", -1);
    g_autoptr(GPtrArray) out = g_ptr_array_new();
    gboolean dir = FALSE;
    for (char **p = parts; *p; p++) {
        gboolean dots = strcmp(*p, ".") == 0 || strcmp(*p, "..") == 0;
        dir = dots && !p[1];
        if (!dots)
            g_ptr_array_add(out, *p);
        else if ((*p)[1] && out->len > 0)
            g_ptr_array_set_size(out, out->len - 1);
    }
    gboolean slash = dir && out->len > 0;
    g_ptr_array_add(out, NULL);
    g_autofree char *joined = g_strjoinv("/", (char **)out->pdata);
    return g_strconcat("/", joined, slash ? "/" : "", NULL);
}

static char *resolve_target(const char *base, const char *location)
{
    g_autofree char *base_path = g_strndup(base, strcspn(base, "?"));
    gsize path_len = strcspn(location, "?#");
    g_autofree char *path = g_strndup(location, path_len);
    g_autofree char *query = g_strndup(location + path_len, strcspn(location + path_len, "#"));
    if (!*path)
        return g_strconcat(base_path, query, NULL);
    g_autofree char *dir =
        *path == '/' ? g_strdup("") : g_strndup(base_path, strrchr(base_path, '/') + 1 - base_path);
    g_autofree char *joined = g_strconcat(dir, path, NULL);
    g_autofree char *clean = remove_dots(joined);
    return g_strconcat(clean, query, NULL);
}

struct url *url_resolve(const struct url *base, const char *location, GError **err)
{
    gsize scheme =
        strspn(location, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
    if (scheme > 0 && location[scheme] == ':')
        return url_parse(location, err);
    if (g_str_has_prefix(location, "//")) {
        g_autofree char *whole = g_strconcat(base->tls ? "https:" : "http:", location, NULL);
        return url_parse(whole, err);
    }
    if (!clean_text(location))
        return bad(
            location,
            "it contains blanks, control characters or backslashes, or is longer than 16 KiB", err);
    struct url *u = url_copy(base);
    g_free(u->target);
    u->target = resolve_target(base->target, location);
    return u;
}

char *url_authority(const struct url *u)
{
    if (u->port == (u->tls ? 443u : 80u))
        return g_strdup(u->host);
    return g_strdup_printf("%s:%u", u->host, u->port);
}

char *url_text(const struct url *u)
{
    g_autofree char *authority = url_authority(u);
    return g_strconcat(u->tls ? "https://" : "http://", authority, u->target, NULL);
}

gboolean url_same_origin(const struct url *a, const struct url *b)
{
    return a->tls == b->tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* 0.0.0.0/8 is where nobody listens but this machine. */
static gboolean ipv4_is_loopback(guint8 first)
{
    return first == 127 || first == 0;
}

static gboolean ipv6_is_loopback(const struct in6_addr *a)
{
    if (IN6_IS_ADDR_V4MAPPED(a))
        return ipv4_is_loopback(a->s6_addr[12]);
    return IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a);
}

gboolean url_host_is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (*host == '[')
        return parse_ipv6(host, strcspn(host, "]") + 1, &v6) && ipv6_is_loopback(&v6);
    g_autofree char *name = g_ascii_strdown(host, strcspn(host, ":"));
    if (g_str_has_suffix(name, "."))
        name[strlen(name) - 1] = '\0';
    if (inet_pton(AF_INET, name, &v4) == 1)
        return ipv4_is_loopback(ntohl(v4.s_addr) >> 24);
    return strcmp(name, "localhost") == 0 || g_str_has_suffix(name, ".localhost");
}

/* Where the authority of text begins and how long it is; NULL when there is none. */
static const char *authority_of(const char *text, gsize *len)
{
    const char *p = strstr(text, "://");
    if (!p)
        return NULL;
    *len = strcspn(p + 3, "/?#");
    return p + 3;
}

/* The last "@" of text's authority; NULL when there is none. */
static const char *userinfo_end(const char *text)
{
    gsize len;
    const char *start = authority_of(text, &len);
    return start ? memrchr(start, '@', len) : NULL;
}

char *url_shown(const char *text)
{
    gsize len;
    const char *start = authority_of(text, &len), *at = userinfo_end(text);
    return at ? g_strdup_printf("%.*s%s", (int)(start - text), text, at + 1) : g_strdup(text);
}

char *url_host_of(const char *text)
{
    gsize len;
    g_autofree char *plain = url_shown(text);
    const char *start = authority_of(plain, &len);
    return start ? g_strndup(start, len) : g_strdup("");
}

char *url_userinfo(const char *text)
{
    gsize len;
    const char *start = authority_of(text, &len), *at = userinfo_end(text);
    return at ? g_uri_unescape_segment(start, at, NULL) : NULL;
}

void url_add_query(struct url *u, const char *name, const char *value)
{
    g_autofree char *n = g_uri_escape_string(name, NULL, FALSE);
    g_autofree char *v = g_uri_escape_string(value, NULL, FALSE);
    char *target = g_strconcat(u->target, strchr(u->target, '?') ? "&" : "?", n, "=", v, NULL);
    g_free(u->target);
    u->target = target;
}
