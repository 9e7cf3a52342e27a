/* http and https URLs (RFC 3986), read strictly: what is accepted means the same to every reader,
 * so a check made here holds for the connection libcurl makes. User names, control characters,
 * blanks, backslashes and odd hosts (127.1 and 0x7f000001 among them) are refused; hosts of other
 * letters than ASCII's become their names in the DNS (RFC 5891). */
#ifndef VARVE_NET_URL_H
#define VARVE_NET_URL_H

#include <glib.h>

struct url {
    gboolean tls; /* https */
    char *host;   /* lower case; IPv6 addresses in their brackets */
    guint port;   /* 80 and 443 filled in */
    char *target; /* path and query, beginning with '/' */
};

/* VARVE_ERROR_INVALID when malformed or of another scheme; at most 16 KiB. The fragment is dropped.
 */
struct url *url_parse(const char *text, GError **err);
/* As a Location header means it, relative to base: absolute, "//host/…", "/path", "path" or
 * "?query". */
struct url *url_resolve(const struct url *base, const char *location, GError **err);
struct url *url_copy(const struct url *u);
void url_free(struct url *u);
/* The whole text. */
char *url_text(const struct url *u);
/* "host" or "host:port" (ports that the scheme implies are left out). */
char *url_authority(const struct url *u);
/* Same scheme, host and port: what may see the same Authorization header. */
gboolean url_same_origin(const struct url *a, const struct url *b);
/* localhost, *.localhost, 127.0.0.0/8, ::1 and what leads there too (0.0.0.0, ::,
 * ::ffff:127.0.0.1), with or without a port behind. */
gboolean url_host_is_loopback(const char *host);
/* What people are shown of text, which need be no URL: without user and password. */
char *url_shown(const char *text);
/* Host (with port, if any) of text; "" where nothing looks like a URL. */
char *url_host_of(const char *text);
/* "user:password" of text, with percent-encoding undone; NULL when there is none. */
char *url_userinfo(const char *text);
/* Adds "name=value", percent-encoded, to the target's query. */
void url_add_query(struct url *u, const char *name, const char *value);

typedef struct url url;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(url, url_free)

#endif
