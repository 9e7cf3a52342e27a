#include "cli/spec_values.h"

#include "base/error.h"
#include "exec/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* An address, of which brackets are dropped, or the word for the host's own. */
static gboolean take_address(char *ip)
{
    guint8 addr[16];
    gsize len = strlen(ip);
    if (len > 2 && ip[0] == '[' && ip[len - 1] == ']') {
        memmove(ip, ip + 1, len);
        ip[len - 2] = '\0';
    }
    return g_str_equal(ip, "host-gateway") || inet_pton(AF_INET, ip, addr) == 1 ||
           inet_pton(AF_INET6, ip, addr) == 1;
}

static const char *own(GPtrArray *owned, const char *text)
{
    char *copy = g_strdup(text);
    g_ptr_array_add(owned, copy);
    return copy;
}

gboolean host_option(const char *text, GArray *hosts, GPtrArray *owned, GError **err)
{
    gsize n = strcspn(text, strchr(text, '=') ? "=" : ":");
    g_autofree char *host = g_strndup(text, n);
    g_auto(GStrv) ips = g_strsplit(text[n] ? text + n + 1 : "", ",", -1);
    gboolean ok = *host && !host[strcspn(host, ": \t")] && *ips;
    for (char **ip = ips; ok && *ip; ip++) {
        ok = take_address(*ip);
        struct host_ip h = {own(owned, host), own(owned, *ip)};
        g_array_append_val(hosts, h);
    }
    if (ok)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "--add-host %s: must be HOST:ADDRESS", text);
    error_add_next(err, "for example --add-host db:192.0.2.7");
    return FALSE;
}

static gboolean parse_limit(const char *text, gint64 *out)
{
    if (g_str_equal(text, "unlimited") || g_str_equal(text, "-1")) {
        *out = -1;
        return TRUE;
    }
    char *end;
    errno = 0;
    *out = g_ascii_strtoll(text, &end, 10);
    return *text && !*end && errno == 0 && *out >= 0;
}

gboolean ulimit_option(const char *text, GArray *ulimits, GPtrArray *owned, GError **err)
{
    const char *eq = strchr(text, '=');
    struct ulimit u = {0};
    gboolean ok = eq && eq > text;
    if (ok) {
        g_auto(GStrv) parts = g_strsplit(eq + 1, ":", 2);
        ok = parts[0] && parse_limit(parts[0], &u.soft) &&
             parse_limit(parts[1] ? parts[1] : parts[0], &u.hard);
    }
    if (!ok) {
        error_set(err, VARVE_ERROR_USAGE, "--ulimit %s: must be NAME=SOFT[:HARD]", text);
        error_add_next(err, "for example --ulimit nofile=1024:4096");
        return FALSE;
    }
    /* -1 is no limit at all. */
    if (u.hard >= 0 && (u.soft < 0 || u.soft > u.hard)) {
        error_set(err, VARVE_ERROR_USAGE, "--ulimit %s: the soft limit is above the hard one",
                  text);
        error_add_next(err, "write NAME=SOFT:HARD, the smaller one first");
        return FALSE;
    }
    g_autofree char *name = g_strndup(text, eq - text);
    if (!sandbox_knows_limit(name, err)) {
        g_prefix_error(err, "--ulimit %s: ", text);
        error_as_usage(err);
        return FALSE;
    }
    u.name = own(owned, name);
    g_array_append_val(ulimits, u);
    return TRUE;
}
