#include "run/port.h"

#include "base/error.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PORTS 1024

void run_ports_init(struct run_ports *p)
{
    p->list = g_array_new(FALSE, TRUE, sizeof(struct network_port));
    p->owned = g_ptr_array_new_with_free_func(g_free);
}

void run_ports_clear(struct run_ports *p)
{
    if (p->list)
        g_array_unref(p->list);
    if (p->owned)
        g_ptr_array_unref(p->owned);
    *p = (struct run_ports){0};
}

static gboolean bad_port(const char *text, const char *why, GError **err)
{
    error_set(err, VARVE_ERROR_USAGE, "-p %s: %s", text, why);
    error_add_next(err, "write [ADDRESS:]HOST:PORT[/udp], for example -p 8080:80");
    return FALSE;
}

/* "80" or "8000-8010". */
static gboolean parse_ports(const char *text, guint16 *first, guint16 *count)
{
    char *end;
    if (!g_ascii_isdigit(*text))
        return FALSE;
    guint64 a = g_ascii_strtoull(text, &end, 10), b = a;
    if (*end == '-' && g_ascii_isdigit(end[1]))
        b = g_ascii_strtoull(end + 1, &end, 10);
    if (*end || a < 1 || b < a || b > 65535)
        return FALSE;
    *first = (guint16)a;
    *count = (guint16)(b - a + 1);
    return TRUE;
}

/* The text as it comes apart; all are NULL or newly allocated. */
struct port_words {
    char *address, *outside, *inside, *protocol;
};

static void port_words_clear(struct port_words *w)
{
    g_free(w->address);
    g_free(w->outside);
    g_free(w->inside);
    g_free(w->protocol);
}

/* From the right, because an IPv6 address has colons of its own. */
static void take_apart(const char *text, struct port_words *w)
{
    g_autofree char *rest = g_strdup(text);
    char *slash = strrchr(rest, '/'), *colon;
    w->protocol = g_strdup(slash ? slash + 1 : "tcp");
    if (slash)
        *slash = '\0';
    colon = strrchr(rest, ':');
    w->inside = g_strdup(colon ? colon + 1 : rest);
    if (!colon)
        return;
    *colon = '\0';
    colon = strrchr(rest, ':');
    w->outside = g_strdup(colon ? colon + 1 : rest);
    if (!colon)
        return;
    *colon = '\0';
    gsize len = strlen(rest);
    gboolean brackets = *rest == '[' && rest[len - 1] == ']';
    w->address = brackets ? g_strndup(rest + 1, len - 2) : g_strdup(rest);
}

static gboolean is_address(const char *text)
{
    struct in6_addr any;
    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

/* How many there will be once each that may be any is found. */
static guint count_found(const struct run_ports *ports)
{
    guint n = 0;
    for (guint i = 0; i < ports->list->len; i++) {
        const struct network_port *p = &g_array_index(ports->list, struct network_port, i);
        n += p->outside ? 1 : p->count;
    }
    return n;
}

static gboolean keep_port(struct run_ports *ports, const struct network_port *p, const char *text,
                          GError **err)
{
    if (count_found(ports) + (p->outside ? 1 : p->count) > MAX_PORTS)
        return bad_port(text, "too many ports are published", err);
    g_array_append_val(ports->list, *p);
    return TRUE;
}

static gboolean set_address(struct run_ports *ports, struct network_port *p, struct port_words *w)
{
    if (!w->address || !*w->address)
        return !w->address;
    if (!is_address(w->address))
        return FALSE;
    p->address = w->address;
    g_ptr_array_add(ports->owned, g_steal_pointer(&w->address));
    return TRUE;
}

static gboolean take_words(struct run_ports *ports, const char *text, struct port_words *w,
                           GError **err)
{
    struct network_port p = {.udp = g_ascii_strcasecmp(w->protocol, "udp") == 0};
    guint16 outsides = 0;
    if (!p.udp && g_ascii_strcasecmp(w->protocol, "tcp") != 0)
        return bad_port(text, "only tcp and udp ports can be published", err);
    if (!set_address(ports, &p, w))
        return bad_port(text, "the address is not an IP address (names are not looked up)", err);
    if (!parse_ports(w->inside, &p.inside, &p.count))
        return bad_port(text, "the program's port is not a number from 1 to 65535", err);
    if (!w->outside || !*w->outside || g_str_equal(w->outside, "0"))
        return keep_port(ports, &p, text, err);
    if (!parse_ports(w->outside, &p.outside, &outsides))
        return bad_port(text, "this host's port is not a number from 1 to 65535", err);
    if (outsides != p.count)
        return bad_port(text, "the two ranges differ in length", err);
    return keep_port(ports, &p, text, err);
}

gboolean run_ports_add(struct run_ports *ports, const char *text, GError **err)
{
    struct port_words w = {0};
    take_apart(text, &w);
    gboolean ok = take_words(ports, text, &w, err);
    port_words_clear(&w);
    return ok;
}

/* Takes the host's port (0: any) for a moment; *got is its number. 0, or why it cannot be had. */
static int try_port(const struct network_port *p, guint16 port, guint16 *got)
{
    gboolean six = p->address && strchr(p->address, ':');
    struct sockaddr_in four_at = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 six_at = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr *at = six ? (struct sockaddr *)&six_at : (struct sockaddr *)&four_at;
    socklen_t len = six ? sizeof six_at : sizeof four_at;
    if (p->address)
        inet_pton(at->sa_family, p->address,
                  six ? (void *)&six_at.sin6_addr : (void *)&four_at.sin_addr);
    fd_auto int fd = socket(at->sa_family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    /* Ports of connections that ended a moment ago can be used; ports with a listener cannot. */
    if (fd >= 0 && !p->udp)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, at, len) < 0 || getsockname(fd, at, &len) < 0)
        return errno;
    *got = ntohs(six ? six_at.sin6_port : four_at.sin_port);
    return 0;
}

/* For a port that may be any: one for each of its count, where nothing listens now. */
static gboolean find_free(GArray *list, struct network_port p, run_port_found_fn found,
                          gpointer ctx, GError **err)
{
    guint count = p.count;
    p.count = 1;
    for (guint i = 0; i < count; i++, p.inside++) {
        int error = try_port(&p, 0, &p.outside);
        if (error)
            return error_set_errno(err, error, "looking for a free port of this host");
        if (found)
            found(ctx, &p);
        g_array_append_val(list, p);
    }
    return TRUE;
}

gboolean run_ports_find(struct run_ports *ports, run_port_found_fn found, gpointer ctx,
                        GError **err)
{
    GArray *given = ports->list;
    ports->list = g_array_new(FALSE, TRUE, sizeof(struct network_port));
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < given->len; i++) {
        const struct network_port *p = &g_array_index(given, struct network_port, i);
        if (p->outside)
            g_array_append_val(ports->list, *p);
        else
            ok = find_free(ports->list, *p, found, ctx, err);
    }
    g_array_unref(given);
    return ok;
}

/* Asked ahead: of all addresses pasta is content with those that it can have. */
static gboolean is_free(const struct network_port *p, GError **err)
{
    guint16 got;
    for (guint port = p->outside; port < (guint)p->outside + p->count; port++) {
        int error = try_port(p, (guint16)port, &got);
        if (error == EADDRINUSE) {
            error_set(err, VARVE_ERROR_OUTSIDE,
                      "cannot publish port %u/%s: another program uses "
                      "it",
                      port, p->udp ? "udp" : "tcp");
            error_add_next(err,
                           "choose another port, or stop that program: ss -l%cnp 'sport = :%u' "
                           "shows it",
                           p->udp ? 'u' : 't', port);
            return FALSE;
        }
        if (error == EADDRNOTAVAIL) {
            error_set(err, VARVE_ERROR_OUTSIDE,
                      "cannot publish a port at %s: this machine does "
                      "not have that address",
                      p->address);
            error_add_next(err, "ip address shows its addresses");
            return FALSE;
        }
    }
    return TRUE;
}

gboolean run_ports_check_free(const struct run_ports *ports, GError **err)
{
    for (guint i = 0; i < ports->list->len; i++)
        if (!is_free(&g_array_index(ports->list, struct network_port, i), err))
            return FALSE;
    return TRUE;
}

/* With the host's network a port is the host's own. */
static gboolean check_host_port(const struct network_port *p, GError **err)
{
    if (p->outside == p->inside)
        return TRUE;
    error_set(err, VARVE_ERROR_UNSUPPORTED,
              "-p %u:%u: the program uses the host's network, where port %u cannot appear as %u",
              p->outside, p->inside, p->inside, p->outside);
    error_add_next(err,
                   "leave out --network host; or have it listen on %u itself (often: -e PORT=%u)",
                   p->outside, p->outside);
    return FALSE;
}

gboolean run_ports_check_host(const struct run_ports *ports, GError **err)
{
    for (guint i = 0; i < ports->list->len; i++)
        if (!check_host_port(&g_array_index(ports->list, struct network_port, i), err))
            return FALSE;
    return TRUE;
}

/* What a walk over an image's ports needs. */
struct port_walk {
    struct run_ports *ports;
    GError **err;
    gboolean ok;
};

static gboolean add_exposed(gpointer port, gpointer value, gpointer walk)
{
    struct port_walk *w = walk;
    w->ok = run_ports_add(w->ports, port, w->err);
    return !w->ok;
}

gboolean run_ports_add_exposed(struct run_ports *ports, GTree *exposed, GError **err)
{
    struct port_walk w = {ports, err, TRUE};
    if (exposed)
        g_tree_foreach(exposed, add_exposed, &w);
    return w.ok;
}

/* "80" or "80-89". */
static void append_range(GString *out, guint first, guint count)
{
    g_string_append_printf(out, "%u", first);
    if (count > 1)
        g_string_append_printf(out, "-%u", first + count - 1);
}

char *run_ports_text(const struct run_ports *ports)
{
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < ports->list->len; i++) {
        const struct network_port *p = &g_array_index(ports->list, struct network_port, i);
        gboolean six = p->address && strchr(p->address, ':');
        g_string_append_printf(out, "%s%s%s%s:", i > 0 ? ", " : "", six ? "[" : "",
                               p->address ? p->address : "0.0.0.0", six ? "]" : "");
        append_range(out, p->outside, p->count);
        g_string_append(out, "->");
        append_range(out, p->inside, p->count);
        g_string_append(out, p->udp ? "/udp" : "/tcp");
    }
    return g_string_free(out, FALSE);
}
