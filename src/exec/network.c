#include "exec/network.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/netns.h"
#include "exec/pasta.h"
#include "exec/resolv.h"
#include "exec/sandbox.h"
#include "exec/tapfilter.h"

/* What gives more information about a pasta that does not work. */
#define TRY_PASTA "try it by hand: pasta --config-net true"
#define MAX_KERNEL_STRUCT 4096 /* of a notification: the kernel says how long its own is */

enum state {
    NETWORK_QUIET,    /* loopback alone */
    NETWORK_STARTING, /* pasta was started */
    NETWORK_READY,
    NETWORK_REFUSED, /* pasta will not */
};
enum { FROM_LISTENER, FROM_PASTA };

struct network {
    struct netpool *pool;
    int ns;
    int listener; /* of the sandbox's filter, or -1 */
    enum state state;
    struct pasta pasta;
    GError *why;                      /* NETWORK_REFUSED: what pasta said */
    gboolean hung;                    /* NETWORK_REFUSED: it said nothing */
    gboolean used;                    /* its processes may have left something in it */
    gboolean gateway;                 /* NETWORK_GATEWAY is wanted */
    gboolean listens;                 /* the sandbox has a filter */
    const struct network_port *ports; /* borrowed from the spec */
    guint n_ports;
    GArray *waiting; /* struct seccomp_notif: calls that wait for pasta */
};

struct netpool {
    enum netpool_rule rule;
    GMutex lock;        /* over all that follows */
    gboolean looked;    /* program or trouble is set */
    gboolean hung;      /* one got no answer in time: further ones are not waited for */
    gboolean lent;      /* a program ran, or runs, in one of its namespaces */
    char *program;      /* pasta's path */
    GError *trouble;    /* why the host's network is used instead */
    const char *remedy; /* what can be done about that */
    GError *refusal;    /* why one had loopback alone */
    GPtrArray *idle;    /* struct network, as good as new */
    char *resolv;       /* the text for sandboxes */
    gboolean forwarded; /* it names PASTA_RESOLVER */
};

struct netpool *netpool_new(enum netpool_rule rule)
{
    struct netpool *p = g_new0(struct netpool, 1);
    p->rule = rule;
    p->remedy = TRY_PASTA;
    g_mutex_init(&p->lock);
    p->idle = g_ptr_array_new();
    return p;
}

static void network_free(struct network *n)
{
    pasta_stop(&n->pasta);
    fd_cleanup(&n->listener);
    fd_cleanup(&n->ns);
    g_array_unref(n->waiting);
    g_clear_error(&n->why);
    g_free(n);
}

void netpool_free(struct netpool *p)
{
    if (!p)
        return;
    for (guint i = 0; i < p->idle->len; i++)
        network_free(g_ptr_array_index(p->idle, i));
    g_ptr_array_unref(p->idle);
    g_mutex_clear(&p->lock);
    g_free(p->program);
    g_clear_error(&p->trouble);
    g_clear_error(&p->refusal);
    g_free(p->resolv);
    g_free(p);
}

char *netpool_note(struct netpool *p)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    if (p->trouble && p->rule == NETPOOL_PREFER)
        return g_strdup_printf(
            "%s: programs had the host's network, where they reach services on its 127.0.0.1 and "
            "link-local addresses (%s; or set network=host in varve.conf to accept this)",
            p->trouble->message, p->remedy);
    return p->refusal
               ? g_strdup_printf("%s: programs had only a loopback interface (" TRY_PASTA
                                 "; network=host in varve.conf uses the host's network instead)",
                                 p->refusal->message)
               : NULL;
}

static gboolean must_be_private(const struct netpool *p, const GError *why, GError **err)
{
    error_set(err, VARVE_ERROR_OUTSIDE, "cannot give the program a network of its own: %s",
              why->message);
    error_copy_next(err, why);
    error_add_next(err,
                   "%s; set network=host in varve.conf to accept the host's network, or use "
                   "--network none",
                   p->remedy);
    return FALSE;
}

/* Looks for pasta once. NULL when there is trouble. The lock is held. */
static const char *find_program(struct netpool *p)
{
    g_autoptr(GError) why = NULL;
    if (!p->looked && !(p->program = pasta_find(&p->remedy, &why)) && !p->trouble)
        p->trouble = g_steal_pointer(&why);
    p->looked = TRUE;
    return p->trouble ? NULL : p->program;
}

static struct network *network_new(struct netpool *p, GError **err)
{
    int ns = netns_new(err);
    if (ns < 0)
        return NULL;
    struct network *n = g_new0(struct network, 1);
    *n = (struct network){.pool = p, .ns = ns, .listener = -1};
    pasta_init(&n->pasta);
    n->waiting = g_array_new(FALSE, TRUE, sizeof(struct seccomp_notif));
    return n;
}

/* An idle one whose pasta can be used, or that has none; without special requirements one with
 * pasta is best. The lock is held. */
static struct network *take_idle(struct netpool *p, gboolean plain)
{
    guint best = p->idle->len;
    for (guint i = 0; i < p->idle->len; i++) {
        const struct network *n = g_ptr_array_index(p->idle, i);
        if (n->state == NETWORK_QUIET ? best == p->idle->len : plain)
            best = i;
    }
    return best < p->idle->len ? g_ptr_array_steal_index_fast(p->idle, best) : NULL;
}

/* After one that hung, all would: each step that waited for its own would take as long. */
static gboolean has_hung(struct netpool *p)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    return p->hung;
}

static gboolean start_pasta(struct network *n, GError **err)
{
    struct pasta_how how = {.program = n->pool->program,
                            .ns = n->ns,
                            .gateway = n->gateway,
                            .resolver = n->pool->forwarded,
                            .ports = n->ports,
                            .n_ports = n->n_ports};
    n->state = NETWORK_STARTING;
    return pasta_start(&n->pasta, &how, err);
}

/* Another one, for the next sandbox. Failure does not matter. */
static void prepare_another(struct netpool *p)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    struct network *n = NULL;
    for (guint i = 0; i < p->idle->len; i++)
        if (((struct network *)g_ptr_array_index(p->idle, i))->state != NETWORK_QUIET)
            return;
    n = p->trouble || p->hung ? NULL : network_new(p, NULL);
    if (n && start_pasta(n, NULL))
        g_ptr_array_add(p->idle, n);
    else if (n)
        network_free(n);
}

/* Ports that cannot be published do not concern other sandboxes, and a failure that a program may
 * have caused must not open the host's network to others. */
static void refuse(struct network *n, GError *why)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&n->pool->lock);
    n->state = NETWORK_REFUSED;
    n->why = why;
    n->pool->hung |= n->hung;
    if (!n->n_ports && !n->pool->lent && !n->pool->trouble)
        n->pool->trouble = g_error_copy(why);
    if (n->pool->lent && !n->pool->refusal)
        n->pool->refusal = g_error_copy(why);
}

static void begin_pasta(struct network *n)
{
    GError *why = NULL;
    if (n->state == NETWORK_STARTING && has_hung(n->pool))
        n->pasta.give_up = 0;
    if (n->state != NETWORK_QUIET)
        return;
    n->hung = has_hung(n->pool);
    if (n->hung)
        error_set(&why, VARVE_ERROR_OUTSIDE, "pasta did not get ready for a program before");
    if (n->hung || !start_pasta(n, &why))
        refuse(n, why);
}

/* pasta may have written something, or its time is over. */
static void settle(struct network *n)
{
    GError *why = NULL;
    enum pasta_state pasta = pasta_look(&n->pasta, &why);
    if (pasta == PASTA_STARTING)
        return;
    g_autoptr(GArray) closed = netns_closed(!n->gateway);
    if (pasta == PASTA_READY && tapfilter_attach(n->pasta.pidfd, closed, &why) &&
        netns_block(n->ns, closed, &why)) {
        n->state = NETWORK_READY;
        return;
    }
    n->hung = pasta == PASTA_HUNG;
    refuse(n, why);
}

static gboolean wait_ready(struct network *n, struct cancel *c, GError **err)
{
    begin_pasta(n);
    while (n->state == NETWORK_STARTING) {
        struct pollfd fds[] = {pasta_poll(&n->pasta), {.fd = cancel_fd(c), .events = POLLIN}};
        gint64 left = n->pasta.give_up - g_get_monotonic_time();
        poll(fds, 2, (int)MAX(left / 1000 + 1, 0));
        if (!cancel_check(c, err))
            return FALSE;
        settle(n);
    }
    return TRUE;
}

static gboolean wants_gateway(const struct sandbox_spec *spec)
{
    for (guint i = 0; i < spec->n_hosts; i++)
        if (g_str_equal(spec->hosts[i].ip, "host-gateway"))
            return TRUE;
    return FALSE;
}

/* No network for spec because of why (hung: pasta did not get ready): TRUE when the host's does. */
static gboolean without(const struct sandbox_spec *spec, const GError *why, gboolean hung,
                        GError **err)
{
    const struct netpool *p = spec->nets;
    if (p->rule == NETPOOL_PRIVATE || (!spec->n_ports && p->lent))
        return must_be_private(p, why, err);
    if (!spec->n_ports)
        return TRUE;
    error_set(err, VARVE_ERROR_OUTSIDE, "cannot publish ports: %s", why->message);
    error_copy_next(err, why);
    if (!hung && p->program)
        error_add_next(err, "choose other ports of this host: free ones, and from 1024 on for an "
                            "ordinary user");
    else
        error_add_next(err,
                       "%s; or leave out -p and use --network host: then every port of the "
                       "program is this host's",
                       p->remedy);
    return FALSE;
}

/* Without a filter nothing reports when the network is needed; a process that joins the sandbox
 * later has no such filter. */
static gboolean at_once(const struct sandbox_spec *spec)
{
    return spec->insecure || spec->n_ports || spec->net_at_once;
}

static struct network *find_or_make(const struct sandbox_spec *spec, GError **err)
{
    struct netpool *p = spec->nets;
    gboolean gateway = wants_gateway(spec);
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    if (!find_program(p))
        return NULL;
    if (!p->resolv)
        p->resolv = resolv_private(&p->forwarded);
    struct network *n = take_idle(p, !gateway && !spec->n_ports);
    if (!n)
        n = network_new(p, err);
    if (!n)
        return NULL;
    n->gateway = gateway;
    n->listens = !at_once(spec);
    n->ports = spec->ports;
    n->n_ports = spec->n_ports;
    return n;
}

static struct network *lend(struct network *n)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&n->pool->lock);
    n->pool->lent = TRUE;
    return n;
}

gboolean network_take(const struct sandbox_spec *spec, struct cancel *c, struct network **out,
                      GError **err)
{
    *out = NULL;
    if (spec->network != NET_DEFAULT || !spec->nets || spec->nets->rule == NETPOOL_HOST)
        return TRUE;
    GError *why = NULL;
    struct network *n = find_or_make(spec, &why);
    if (!n && why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    if (!n)
        return without(spec, spec->nets->trouble, FALSE, err);
    n->used |= at_once(spec);
    gboolean ok = !at_once(spec) || wait_ready(n, c, err);
    if (ok && n->state != NETWORK_REFUSED) {
        *out = lend(n);
        return TRUE;
    }
    ok = ok && without(spec, n->why, n->hung, err);
    network_free(n);
    return ok;
}

int network_ns(const struct network *n)
{
    return n->ns;
}

gboolean network_listens(const struct network *n)
{
    return n->listens;
}

const char *network_resolv(const struct network *n)
{
    return n->pool->resolv;
}

void network_listen(struct network *n, int listener)
{
    fd_cleanup(&n->listener);
    n->listener = listener;
}

static void let_go_on(int listener, const struct seccomp_notif *call)
{
    struct seccomp_notif_resp r = {.id = call->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r); /* ENOENT: the caller is gone */
}

static void answer_all(struct network *n)
{
    for (guint i = 0; i < n->waiting->len; i++)
        let_go_on(n->listener, &g_array_index(n->waiting, struct seccomp_notif, i));
    g_array_set_size(n->waiting, 0);
}

/* The next call that waits; FALSE when there is none (its caller died meanwhile). */
static gboolean receive(int listener, struct seccomp_notif *out)
{
    union {
        struct seccomp_notif call;
        char room[MAX_KERNEL_STRUCT];
    } u;
    memset(&u, 0, sizeof u);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &u) < 0)
        return FALSE;
    *out = u.call;
    return TRUE;
}

static void hear(struct network *n)
{
    struct seccomp_notif call;
    if (!receive(n->listener, &call))
        return;
    gboolean first = !n->used;
    n->used = TRUE;
    begin_pasta(n);
    g_array_append_val(n->waiting, call);
    if (first)
        prepare_another(n->pool);
}

void network_poll(const struct network *n, struct pollfd fds[2])
{
    fds[FROM_LISTENER] = (struct pollfd){.fd = n ? n->listener : -1, .events = POLLIN};
    fds[FROM_PASTA] =
        n && n->state == NETWORK_STARTING ? pasta_poll(&n->pasta) : (struct pollfd){.fd = -1};
}

gint64 network_due(const struct network *n)
{
    return n && n->state == NETWORK_STARTING ? n->pasta.give_up : 0;
}

void network_handle(struct network *n, const struct pollfd fds[2])
{
    if (!n)
        return;
    if (fds[FROM_LISTENER].revents & POLLIN)
        hear(n);
    else if (fds[FROM_LISTENER].revents)
        fd_cleanup(&n->listener); /* no process is left to make calls */
    gboolean due = n->state == NETWORK_STARTING && g_get_monotonic_time() >= n->pasta.give_up;
    if ((fds[FROM_PASTA].revents && n->state == NETWORK_STARTING) || due)
        settle(n);
    if (n->state != NETWORK_STARTING)
        answer_all(n);
}

void network_release(struct network *n)
{
    if (!n)
        return;
    struct netpool *p = n->pool;
    fd_cleanup(&n->listener);
    if (n->used || n->state == NETWORK_REFUSED) {
        network_free(n);
        return;
    }
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    g_array_set_size(n->waiting, 0);
    n->ports = NULL;
    n->n_ports = 0;
    g_ptr_array_add(p->idle, n);
}
