#include "exec/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

static const struct {
    int family;
    guint8 bits;
    const char *address;
} always[] = {
    {AF_INET, 8, "0.0.0.0"}, /* this machine, and its loopback */
    {AF_INET, 8, "127.0.0.0"},
    {AF_INET, 16, "169.254.0.0"},     /* link-local: RFC 3927 */
    {AF_INET, 32, "100.100.100.200"}, /* metadata at Alibaba */
    {AF_INET, 32, "192.0.0.192"},     /* metadata at Oracle */
    {AF_INET, 4, "224.0.0.0"},        /* groups: pasta would send to those of this machine */
    {AF_INET, 32, "255.255.255.255"},
    {AF_INET6, 80, "::"},             /* loopback, and every IPv4 address in two ways */
    {AF_INET6, 10, "fe80::"},         /* link-local: RFC 4291 */
    {AF_INET6, 8, "ff00::"},          /* groups */
    {AF_INET6, 128, "fd00:ec2::254"}, /* metadata at Amazon */
    {AF_INET6, 128, "fd20:ce::254"},  /* metadata at Google */
};

struct request { /* RTM_NEWRULE */
    struct nlmsghdr head;
    struct fib_rule_hdr rule;
    struct rtattr priority_head;
    guint32 priority;
    struct rtattr dst_head;
    guint8 dst[16];
};

struct job {
    int ns;
    const GArray *ranges;
    int error; /* out: errno, 0 when all is well */
};

static gboolean raise_loopback(void)
{
    struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    fd_auto int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
}

static gpointer netns_thread(gpointer data)
{
    struct job *j = data;
    if (unshare(CLONE_NEWNET) == 0 && raise_loopback()) {
        fd_auto int ns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        j->ns = ns < 0 ? -1 : fcntl(ns, F_DUPFD_CLOEXEC, 10);
    }
    j->error = j->ns < 0 ? errno : 0;
    return NULL;
}

int netns_new(GError **err)
{
    struct job j = {.ns = -1};
    g_thread_join(g_thread_new("netns", netns_thread, &j));
    if (j.ns < 0)
        error_set_errno(err, j.error, "making a network namespace");
    return j.ns;
}

static gboolean contains(const struct netns_range *r, const struct netns_range *other)
{
    guint whole = r->bits / 8, rest = r->bits % 8;
    return r->family == other->family && r->bits <= other->bits &&
           memcmp(r->address, other->address, whole) == 0 &&
           (!rest || (r->address[whole] ^ other->address[whole]) >> (8 - rest) == 0);
}

/* Unless it lies in one that is there: the kernel takes no rule twice. */
static void add_range(GArray *ranges, const struct netns_range *r)
{
    for (guint i = 0; i < ranges->len; i++)
        if (contains(&g_array_index(ranges, struct netns_range, i), r))
            return;
    g_array_append_val(ranges, *r);
}

static gboolean range_of(const struct ifaddrs *a, struct netns_range *r)
{
    *r = (struct netns_range){.family = a->ifa_addr ? a->ifa_addr->sa_family : AF_UNSPEC};
    if (!(a->ifa_flags & IFF_UP) || (r->family != AF_INET && r->family != AF_INET6))
        return FALSE;
    r->bits = r->family == AF_INET ? 32 : 128;
    if (r->family == AF_INET)
        memcpy(r->address, &((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr, 4);
    else
        memcpy(r->address, &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr,
               16);
    return TRUE;
}

GArray *netns_own(void)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(struct netns_range));
    struct ifaddrs *all = NULL;
    struct netns_range r;
    if (getifaddrs(&all) < 0)
        return ranges;
    for (const struct ifaddrs *a = all; a; a = a->ifa_next)
        if (range_of(a, &r))
            add_range(ranges, &r);
    freeifaddrs(all);
    return ranges;
}

GArray *netns_closed(gboolean own)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(struct netns_range));
    for (guint i = 0; i < G_N_ELEMENTS(always); i++) {
        struct netns_range r = {.family = always[i].family, .bits = always[i].bits};
        inet_pton(r.family, always[i].address, r.address);
        add_range(ranges, &r);
    }
    g_autoptr(GArray) mine = own ? netns_own() : NULL;
    for (guint i = 0; mine && i < mine->len; i++)
        add_range(ranges, &g_array_index(mine, struct netns_range, i));
    return ranges;
}

/* Sends r and reads the kernel's answer: errno, 0 when it is done. */
static int ask_kernel(int netlink, const struct request *r)
{
    struct {
        struct nlmsghdr head;
        struct nlmsgerr error;
        char rest[256];
    } answer;
    if (send(netlink, r, r->head.nlmsg_len, 0) < 0 ||
        recv(netlink, &answer, sizeof answer, 0) < (ssize_t)sizeof answer.head)
        return errno ? errno : EIO;
    return answer.head.nlmsg_type == NLMSG_ERROR ? -answer.error.error : EIO;
}

static int block(int netlink, const struct netns_range *range)
{
    gsize size = range->family == AF_INET ? 4 : 16;
    struct request r = {
        .head = {.nlmsg_len = G_STRUCT_OFFSET(struct request, dst) + size,
                 .nlmsg_type = RTM_NEWRULE,
                 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL},
        .rule = {.family = (guint8)range->family,
                 .dst_len = range->bits,
                 .action = FR_ACT_UNREACHABLE},
        .priority_head = {sizeof(struct rtattr) + sizeof(guint32), FRA_PRIORITY},
        .priority = 1, /* after the table of the namespace's own addresses, before all others */
        .dst_head = {(unsigned short)(sizeof(struct rtattr) + size), FRA_DST},
    };
    memcpy(r.dst, range->address, size);
    return ask_kernel(netlink, &r);
}

/* A kernel without IPv6 has no rules for it. */
static gboolean has_ipv6(void)
{
    fd_auto int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return fd >= 0 || errno != EAFNOSUPPORT;
}

/* Programs of one sandbox may meet in a group, which goes by routes too. */
static gboolean is_group(const struct netns_range *r)
{
    return r->address[0] >= (r->family == AF_INET ? 0xe0 : 0xff);
}

static gpointer block_all(gpointer data)
{
    struct job *j = data;
    fd_auto int netlink = -1;
    if (setns(j->ns, CLONE_NEWNET) == 0)
        netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    j->error = netlink < 0 ? errno : 0;
    gboolean ipv6 = has_ipv6();
    for (guint i = 0; !j->error && i < j->ranges->len; i++) {
        const struct netns_range *r = &g_array_index(j->ranges, struct netns_range, i);
        if ((ipv6 || r->family == AF_INET) && !is_group(r))
            j->error = block(netlink, r);
    }
    return NULL;
}

gboolean netns_block(int ns, const GArray *ranges, GError **err)
{
    struct job j = {.ns = ns, .ranges = ranges};
    g_thread_join(g_thread_new("netns", block_all, &j));
    return !j.error || error_set_errno(err, j.error,
                                       "closing the sandbox's network to this machine's addresses");
}
