/* -p and -P of varve run. */
#include "cli/run.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PORTS 1024

static gboolean bad(const char *text, const char *why, GError **err)
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
struct words {
    char *address, *outside, *inside, *protocol;
};

static void words_clear(struct words *w)
{
    g_free(w->address);
    g_free(w->outside);
    g_free(w->inside);
    g_free(w->protocol);
}

/* From the right, because an IPv6 address has colons of its own. */
static void take_apart(const char *text, struct words *w)
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
    /* What ended a moment ago is in nobody's way; what listens is, all the same. */
    if (fd >= 0 && !p->udp)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd < 0 || bind(fd, at, len) < 0 || getsockname(fd, at, &len) < 0)
        return errno;
    *got = ntohs(six ? six_at.sin6_port : four_at.sin_port);
    return 0;
}

/* A port of the host in which nothing listens now. */
static gboolean find_free(struct network_port *p, GError **err)
{
    gboolean six = p->address && strchr(p->address, ':');
    int error = try_port(p, 0, &p->outside);
    if (error)
        return error_set_errno(err, error, "looking for a free port of this host");
    report_note("port %u/%s is published at %s%s%s:%u", p->inside, p->udp ? "udp" : "tcp",
                six ? "[" : "", p->address ? p->address : "0.0.0.0", six ? "]" : "", p->outside);
    return TRUE;
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
                           "choose another, or end that program: ss -l%cnp 'sport = :%u' "
                           "shows it",
                           p->udp ? 'u' : 't', port);
            return FALSE;
        }
        if (error == EADDRNOTAVAIL) {
            error_set(err, VARVE_ERROR_OUTSIDE,
                      "cannot publish a port at %s: this machine does "
                      "not have that address",
                      p->address);
            error_add_next(err, "ip address shows those it has");
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean add_port(struct run *r, const struct network_port *p, const char *text,
                         GError **err)
{
    if (r->ports->len >= MAX_PORTS)
        return bad(text, "too many ports are published", err);
    g_array_append_val(r->ports, *p);
    return TRUE;
}

static gboolean set_address(struct run *r, struct network_port *p, struct words *w)
{
    if (!w->address || !*w->address)
        return !w->address;
    if (!is_address(w->address))
        return FALSE;
    p->address = w->address;
    g_ptr_array_add(r->owned, g_steal_pointer(&w->address));
    return TRUE;
}

static gboolean publish_words(struct run *r, const char *text, struct words *w, GError **err)
{
    struct network_port p = {.udp = g_ascii_strcasecmp(w->protocol, "udp") == 0};
    guint16 outsides = 0;
    if (!p.udp && g_ascii_strcasecmp(w->protocol, "tcp") != 0)
        return bad(text, "only tcp and udp ports can be published", err);
    if (!set_address(r, &p, w))
        return bad(text, "the address is none (names are not looked up)", err);
    if (!parse_ports(w->inside, &p.inside, &p.count))
        return bad(text, "the program's port is not a number from 1 to 65535", err);
    gboolean any = !w->outside || !*w->outside || g_str_equal(w->outside, "0");
    if (any) {
        guint16 count = p.count;
        p.count = 1;
        for (guint i = 0; i < count; i++, p.inside++)
            if (!find_free(&p, err) || !add_port(r, &p, text, err))
                return FALSE;
        return TRUE;
    }
    if (!parse_ports(w->outside, &p.outside, &outsides))
        return bad(text, "this host's port is not a number from 1 to 65535", err);
    if (outsides != p.count)
        return bad(text, "the two ranges are not equally long", err);
    return add_port(r, &p, text, err);
}

static gboolean publish(struct run *r, const char *text, GError **err)
{
    struct words w = {0};
    take_apart(text, &w);
    gboolean ok = publish_words(r, text, &w, err);
    words_clear(&w);
    return ok;
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

/* What publish_exposed() needs in a walk over the ports. */
struct walk {
    struct run *r;
    GError **err;
    gboolean ok;
};

static gboolean publish_one(gpointer port, gpointer value, gpointer walk)
{
    struct walk *w = walk;
    (void)value;
    w->ok = publish(w->r, port, w->err);
    return !w->ok;
}

/* -P: every EXPOSEd port, somewhere. */
static gboolean publish_exposed(struct run *r, GError **err)
{
    struct walk w = {r, err, TRUE};
    if (r->conf->ports)
        g_tree_foreach(r->conf->ports, publish_one, &w);
    return w.ok;
}

gboolean run_set_ports(struct run *r, GError **err)
{
    for (char **p = r->o->publish; p && *p; p++)
        if (!publish(r, *p, err))
            return FALSE;
    for (guint i = 0; r->network == NET_DEFAULT && i < r->ports->len; i++)
        if (!is_free(&g_array_index(r->ports, struct network_port, i), err))
            return FALSE;
    return TRUE;
}

gboolean run_set_exposed(struct run *r, GError **err)
{
    if (r->o->publish_all && !publish_exposed(r, err))
        return FALSE;
    if (r->network == NET_DEFAULT || !r->ports->len)
        return TRUE;
    for (guint i = 0; r->network == NET_HOST && i < r->ports->len; i++)
        if (!check_host_port(&g_array_index(r->ports, struct network_port, i), err))
            return FALSE;
    report_note("-p has no effect with --network %s", r->network == NET_HOST ? "host" : "none");
    g_array_set_size(r->ports, 0);
    return TRUE;
}
