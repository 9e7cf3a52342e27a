#include "run/resolv.h"

#include "base/error.h"
#include "base/fs.h"
#include "exec/sandbox.h"

#include <arpa/inet.h>
#include <fcntl.h>

#define MAX_RESOLV_CONF (1 << 20)

gboolean run_dns_is_set(const struct run_dns *dns)
{
    return dns->servers || dns->search || dns->options;
}

static gboolean is_address(const char *text)
{
    guint8 addr[16];
    return inet_pton(AF_INET, text, addr) == 1 || inet_pton(AF_INET6, text, addr) == 1;
}

/* A word of resolv.conf: nothing that would begin another line. */
static gboolean is_word(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!g_ascii_isgraph(*c))
            return FALSE;
    return *text != '\0';
}

/* What the host's file says beside its servers, where no choice says it. */
static void add_host_lines(const struct run_dns *dns, const char *host, GString *out)
{
    g_auto(GStrv) lines = g_strsplit(host, "\n", -1);
    for (char **line = lines; *line; line++) {
        gboolean search = g_str_has_prefix(*line, "search") || g_str_has_prefix(*line, "domain");
        gboolean options = g_str_has_prefix(*line, "options");
        if ((search && !dns->search) || (options && !dns->options))
            g_string_append_printf(out, "%s\n", *line);
    }
}

static gboolean add_words(GString *out, const char *flag, const char *keyword, char **words,
                          GError **err)
{
    for (char **w = words; w && *w; w++)
        if (!is_word(*w))
            return error_set(err, VARVE_ERROR_USAGE, "%s \"%s\": must be one word", flag, *w);
    g_autofree char *all = words ? g_strjoinv(" ", words) : NULL;
    if (all && !g_str_equal(all, "."))
        g_string_append_printf(out, "%s %s\n", keyword, all);
    return TRUE;
}

static gboolean add_servers(GString *out, char **servers, GError **err)
{
    for (char **server = servers; *server; server++) {
        if (!is_address(*server))
            return error_set(err, VARVE_ERROR_USAGE, "--dns %s: not the address of a server",
                             *server);
        g_string_append_printf(out, "nameserver %s\n", *server);
    }
    return TRUE;
}

char *run_dns_text(const struct run_dns *dns, const char *host, GError **err)
{
    if (!dns->servers) {
        error_set(err, VARVE_ERROR_USAGE, "--dns-search and --dns-option need --dns");
        error_add_next(err, "name the server as well: --dns ADDRESS");
        return NULL;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    if (!add_servers(text, dns->servers, err))
        return NULL;
    add_host_lines(dns, host, text);
    if (!add_words(text, "--dns-search", "search", dns->search, err) ||
        !add_words(text, "--dns-option", "options", dns->options, err))
        return NULL;
    return g_string_free(g_steal_pointer(&text), FALSE);
}

char *run_dns_text_here(const struct run_dns *dns, GError **err)
{
    fd_auto int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC);
    g_autoptr(GBytes) bytes = fd < 0 ? NULL : fs_read_fd(fd, RESOLV_CONF, MAX_RESOLV_CONF, NULL);
    g_autofree char *host =
        bytes ? g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes)) : g_strdup("");
    return run_dns_text(dns, host, err);
}

void run_dns_clear(struct run_dns *dns)
{
    g_strfreev(dns->servers);
    g_strfreev(dns->search);
    g_strfreev(dns->options);
    *dns = (struct run_dns){0};
}
