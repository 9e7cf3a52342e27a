/* Options of docker run that are simple here: --add-host, --ulimit, --dns and --restart. */
#include "cli/run.h"
#include "cli/spec_values.h"

#include "base/error.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define MAX_RESOLV_CONF (1 << 20)

static gboolean set_hosts(struct run *r, GError **err)
{
    for (char **h = r->o->add_hosts; h && *h; h++)
        if (!host_option(*h, r->hosts, r->owned, err))
            return FALSE;
    for (char **u = r->o->ulimits; u && *u; u++)
        if (!ulimit_option(*u, r->ulimits, r->owned, err))
            return FALSE;
    return TRUE;
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

/* What the host's file says beside its servers, where no option says it. */
static void add_host_lines(const struct run *r, GString *out)
{
    fd_auto int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC);
    g_autoptr(GBytes) bytes = fd < 0 ? NULL : fs_read_fd(fd, RESOLV_CONF, MAX_RESOLV_CONF, NULL);
    if (!bytes)
        return;
    g_autofree char *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        gboolean search = g_str_has_prefix(*line, "search") || g_str_has_prefix(*line, "domain");
        gboolean options = g_str_has_prefix(*line, "options");
        if ((search && !r->o->dns_search) || (options && !r->o->dns_options))
            g_string_append_printf(out, "%s\n", *line);
    }
}

static gboolean add_words(GString *out, const char *flag, const char *keyword, char **words,
                          GError **err)
{
    for (char **w = words; w && *w; w++)
        if (!is_word(*w))
            return error_set(err, VARVE_ERROR_USAGE, "%s \"%s\": not a word", flag, *w);
    g_autofree char *all = words ? g_strjoinv(" ", words) : NULL;
    if (all && !g_str_equal(all, "."))
        g_string_append_printf(out, "%s %s\n", keyword, all);
    return TRUE;
}

/* The program's own /etc/resolv.conf. */
static gboolean set_dns(struct run *r, GError **err)
{
    const struct run_options *o = r->o;
    if (!o->dns && !o->dns_search && !o->dns_options)
        return TRUE;
    if (!o->dns) {
        error_set(err, VARVE_ERROR_USAGE, "--dns-search and --dns-option need --dns");
        error_add_next(err, "name the server as well: --dns ADDRESS");
        return FALSE;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    for (char **server = o->dns; *server; server++) {
        if (!is_address(*server))
            return error_set(err, VARVE_ERROR_USAGE, "--dns %s: not the address of a server",
                             *server);
        g_string_append_printf(text, "nameserver %s\n", *server);
    }
    add_host_lines(r, text);
    if (!add_words(text, "--dns-search", "search", o->dns_search, err) ||
        !add_words(text, "--dns-option", "options", o->dns_options, err))
        return FALSE;
    r->resolv = (struct sandbox_file){.len = text->len, .mode = 0644};
    r->resolv.bytes = g_string_free(g_steal_pointer(&text), FALSE);
    g_ptr_array_add(r->owned, (gpointer)r->resolv.bytes);
    struct sandbox_mount m = {.dest = RESOLV_CONF, .file = &r->resolv, .fd = -1};
    g_array_append_val(r->mounts, m);
    return TRUE;
}

/* Nothing stays behind that could start a program again. */
static gboolean check_restart(const struct run *r, GError **err)
{
    const char *policy = r->o->restart;
    if (!policy || g_str_equal(policy, "no"))
        return TRUE;
    error_set(
        err, VARVE_ERROR_UNSUPPORTED,
        "--restart %s: only no is supported; no daemon stays behind that could start it again",
        policy);
    error_as_usage(err);
    error_add_next(err, "let systemd do it: a unit with ExecStart=varve run … and Restart=always");
    return FALSE;
}

gboolean run_set_extras(struct run *r, GError **err)
{
    return check_restart(r, err) && set_hosts(r, err) && set_dns(r, err);
}
