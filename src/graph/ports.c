#include "graph/ports.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <string.h>

/* A sign is one of a number, as Docker reads them. */
static gboolean parse_port(const char *text, guint64 *port)
{
    return g_ascii_string_to_unsigned(text + (*text == '+'), 10, 0, G_MAXUINT16, port, NULL);
}

static gboolean parse_range(const char *text, guint64 *from, guint64 *to)
{
    const char *dash = strchr(text, '-');
    g_autofree char *first = g_strndup(text, dash ? (gsize)(dash - text) : strlen(text));
    if (!parse_port(first, from))
        return FALSE;
    *to = *from;
    return !dash || (parse_port(dash + 1, to) && *to >= *from);
}

static gboolean valid_ip(const char *ip)
{
    unsigned char buf[16];
    gsize n = strlen(ip);
    g_autofree char *plain =
        *ip == '[' && n > 1 && ip[n - 1] == ']' ? g_strndup(ip + 1, n - 2) : g_strdup(ip);
    return inet_pton(AF_INET, plain, buf) == 1 || inet_pton(AF_INET6, plain, buf) == 1;
}

/* Splits "[ip:][host:]port" from the right; the first two may be NULL. */
static void split_parts(char *text, char **ip, char **host, char **port)
{
    char *colon = strrchr(text, ':');
    *ip = *host = NULL;
    *port = colon ? colon + 1 : text;
    if (!colon)
        return;
    *colon = '\0';
    char *before = strrchr(text, ':');
    *host = before ? before + 1 : text;
    if (before) {
        *before = '\0';
        *ip = text;
    }
}

static gboolean add_ports(const char *text, GPtrArray *list, GError **err)
{
    g_autofree char *copy = g_strdup(text);
    char *ip, *host, *port;
    split_parts(copy, &ip, &host, &port);
    char *slash = strchr(port, '/');
    g_autofree char *proto = slash && slash[1] ? g_ascii_strdown(slash + 1, -1) : g_strdup("tcp");
    if (slash)
        *slash = '\0';
    static const char *const protos[] = {"tcp", "udp", "sctp", NULL};
    guint64 from = 0, to = 0, host_from = 0, host_to = 0;
    if (!*port)
        return error_set(err, VARVE_ERROR_INVALID, "no port specified: %s", text);
    if (!g_strv_contains(protos, proto))
        return error_set(err, VARVE_ERROR_INVALID,
                         "invalid proto: %s in \"%s\"; known are tcp, udp and sctp", proto, text);
    if (ip && *ip && !valid_ip(ip))
        return error_set(err, VARVE_ERROR_INVALID, "invalid IP address: %s", ip);
    if (!parse_range(port, &from, &to))
        return error_set(err, VARVE_ERROR_INVALID,
                         "invalid containerPort: %s; ports go from 0 to 65535", port);
    if (host && *host && !parse_range(host, &host_from, &host_to))
        return error_set(err, VARVE_ERROR_INVALID, "invalid hostPort: %s", host);
    if (host && *host && to != from && to - from != host_to - host_from)
        return error_set(err, VARVE_ERROR_INVALID,
                         "invalid ranges specified for container and host ports: %s and %s", port,
                         host);
    for (guint64 p = from; p <= to; p++)
        g_ptr_array_add(list, g_strdup_printf("%u/%s", (guint)p, proto));
    return TRUE;
}

gboolean ports_parse(const char *text, GPtrArray *list, GError **err)
{
    if (add_ports(text, list, err))
        return TRUE;
    error_add_next(err,
                   "write PORT, FROM-TO or either with /udp, for example EXPOSE 8080 or 53/udp");
    return FALSE;
}
