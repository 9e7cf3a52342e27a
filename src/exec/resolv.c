#include "exec/resolv.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "base/fs.h"
#include "exec/netns.h"
#include "exec/pasta.h"
#include "exec/sandbox.h"

#define UPSTREAM "/run/systemd/resolve/resolv.conf"

/* The address of a line "nameserver ADDRESS", newly allocated, or NULL. */
static char *nameserver_of(const char *line)
{
    g_auto(GStrv) words = g_strsplit_set(line, " \t\r", -1);
    guint i = 0;
    while (words[i] && !*words[i])
        i++;
    if (!words[i] || !g_str_equal(words[i], "nameserver"))
        return NULL;
    for (i++; words[i]; i++)
        if (*words[i])
            return g_strdup(words[i]);
    return NULL;
}

static gboolean is_own(const char *address, const char *const *own)
{
    return own && g_strv_contains(own, address);
}

/* Whether a sandbox reaches a resolver at this address. */
static gboolean reachable(const char *address, const char *const *own)
{
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, address, &four) == 1) {
        guint32 a = ntohl(four.s_addr);
        return a >> 24 != 127 && a >> 24 != 0 && a >> 16 != 0xA9FE && !is_own(address, own);
    }
    g_autofree char *plain = g_strndup(address, strcspn(address, "%"));
    if (inet_pton(AF_INET6, plain, &six) == 1)
        return !IN6_IS_ADDR_LOOPBACK(&six) && !IN6_IS_ADDR_UNSPECIFIED(&six) &&
               !IN6_IS_ADDR_LINKLOCAL(&six) && !is_own(plain, own);
    return TRUE; /* invalid: the program's library handles it as on the host */
}

static gboolean is_stub(const char *address)
{
    return g_str_equal(address, "127.0.0.53") || g_str_equal(address, "127.0.0.54");
}

/* pasta forwards to the first resolver alone, so one line stands for all that are replaced. */
char *resolv_translate(const char *text, const char *upstream, const char *const *own,
                       gboolean *forward)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GString) out = g_string_new(NULL);
    *forward = FALSE;
    for (guint i = 0; lines[i]; i++) {
        g_autofree char *address = nameserver_of(lines[i]);
        if (!address || reachable(address, own)) {
            g_string_append_printf(out, "%s%s", lines[i], lines[i + 1] ? "\n" : "");
            continue;
        }
        if (upstream && is_stub(address))
            return resolv_translate(upstream, NULL, own, forward);
        if (!*forward)
            g_string_append(out, "nameserver " PASTA_RESOLVER "\n");
        *forward = TRUE;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static char **own_addresses(void)
{
    g_autoptr(GArray) ranges = netns_own();
    char **list = g_new0(char *, ranges->len + 1);
    for (guint i = 0; i < ranges->len; i++) {
        const struct netns_range *r = &g_array_index(ranges, struct netns_range, i);
        list[i] = g_malloc(INET6_ADDRSTRLEN);
        inet_ntop(r->family, r->address, list[i], INET6_ADDRSTRLEN);
    }
    return list;
}

static char *read_text(const char *path)
{
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, RESOLV_MAX, NULL);
    return bytes ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)) : NULL;
}

char *resolv_private(gboolean *forward)
{
    g_autofree char *text = read_text(RESOLV_CONF), *upstream = read_text(UPSTREAM);
    g_auto(GStrv) own = own_addresses();
    return resolv_translate(text ? text : "", upstream, (const char *const *)own, forward);
}
