/* Which packets pasta's interface lets through: the filter judges them on a socket here. */
#include "exec/netns.h"
#include "exec/tapfilter.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <glib.h>
#include <linux/if_ether.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct frame {
    guint8 bytes[80];
};

/* A packet of the protocol next to an address. */
static struct frame frame_to(const char *address, guint8 next)
{
    struct frame f = {{0}};
    gboolean six = strchr(address, ':') != NULL;
    guint16 protocol = htons(six ? ETH_P_IPV6 : ETH_P_IP);
    memcpy(f.bytes + 12, &protocol, 2);
    f.bytes[14] = six ? 0x60 : 0x45;
    f.bytes[six ? 20 : 23] = next;
    g_assert_cmpint(inet_pton(six ? AF_INET6 : AF_INET, address, f.bytes + (six ? 38 : 30)), ==, 1);
    return f;
}

static gboolean passes(const int *pair, const struct frame *f, gsize len)
{
    struct frame got;
    if (send(pair[0], f, len, MSG_DONTWAIT) < 0)
        g_assert_cmpint(errno, ==, EPERM);
    gssize n = recv(pair[1], &got, sizeof got, MSG_DONTWAIT);
    g_assert_true(n < 0 || (gsize)n == len);
    return n >= 0;
}

static const struct {
    const char *address;
    guint8 next;
    gboolean passes;
} cases[] = {
    {"127.0.0.1", 17, FALSE},
    {"127.255.0.1", 6, FALSE},
    {"0.0.0.0", 17, FALSE},
    {"0.1.2.3", 6, FALSE},
    {"169.254.169.254", 6, FALSE},
    {"169.254.0.1", 1, FALSE},
    {"100.100.100.200", 6, FALSE},
    {"100.100.100.201", 6, TRUE},
    {"192.0.0.192", 6, FALSE},
    {"192.0.0.1", 6, TRUE},
    {"192.0.0.53", 17, TRUE},
    {"126.255.255.255", 6, TRUE},
    {"128.0.0.1", 6, TRUE},
    {"169.253.255.255", 6, TRUE},
    {"1.0.0.0", 6, TRUE},
    {"8.8.8.8", 17, TRUE},
    {"255.255.255.255", 17, FALSE},
    {"223.255.255.255", 17, TRUE},
    {"224.0.0.251", 17, FALSE},
    {"239.255.255.250", 17, FALSE},
    {"240.0.0.1", 6, TRUE},
    {"::1", 6, FALSE},
    {"::", 17, FALSE},
    {"::127.0.0.1", 6, FALSE},
    {"::ffff:127.0.0.1", 6, FALSE},
    {"::ffff:169.254.169.254", 17, FALSE},
    {"::1:0:0:0", 6, TRUE},
    {"fe80::a9fe:a9fe", 6, FALSE},
    {"febf::1", 17, FALSE},
    {"fe80::1", 58, TRUE},
    {"fec0::1", 6, TRUE},
    {"fe7f::1", 6, TRUE},
    {"fd00:ec2::254", 6, FALSE},
    {"fd00:ec2::254", 58, FALSE},
    {"fd00:ec2::253", 6, TRUE},
    {"fd20:ce::254", 6, FALSE},
    {"ff02::1:ff00:1", 58, TRUE},
    {"ff02::fb", 17, FALSE},
    {"ff0e::1", 17, FALSE},
    {"feff::1", 17, TRUE},
    {"2001:db8::1", 6, TRUE},
};

static void test_cases(void)
{
    g_autoptr(GArray) ranges = netns_closed(FALSE);
    g_autoptr(GArray) prog = tapfilter_program(ranges);
    struct sock_fprog fprog = {(unsigned short)prog->len, (struct sock_filter *)prog->data};
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), ==, 0);
    g_assert_cmpint(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof fprog), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct frame f = frame_to(cases[i].address, cases[i].next);
        if (passes(pair, &f, sizeof f) != cases[i].passes)
            g_error("%s, protocol %u: wrong", cases[i].address, cases[i].next);
    }
    /* Neither protocol: ARP is pasta's to answer. */
    struct frame arp = {{0}};
    arp.bytes[12] = 8, arp.bytes[13] = 6;
    g_assert_true(passes(pair, &arp, sizeof arp));
    close(pair[0]);
    close(pair[1]);
}

/* Those of every machine, and n of its own: fd00:: to fd00::(n - 1). */
static GArray *closed_of(guint n)
{
    GArray *ranges = netns_closed(FALSE);
    for (guint i = 0; i < n; i++) {
        struct netns_range r = {AF_INET6, 128, {0xfd, [14] = (guint8)(i >> 8), (guint8)i}};
        g_array_append_val(ranges, r);
    }
    return ranges;
}

/* Of a machine with as many addresses as there is room for. */
static void test_many(void)
{
    g_autoptr(GArray) ranges = closed_of(150);
    g_assert_cmpuint(ranges->len, ==, TAPFILTER_MAX);
    g_autoptr(GArray) prog = tapfilter_program(ranges);
    g_assert_cmpuint(prog->len, <=, BPF_MAXINSNS);
    struct sock_fprog fprog = {(unsigned short)prog->len, (struct sock_filter *)prog->data};
    int pair[2];
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), ==, 0);
    g_assert_cmpint(setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &fprog, sizeof fprog), ==, 0);
    struct frame last = frame_to("fd00::95", 6), beyond = frame_to("fd00::96", 6);
    struct frame four = frame_to("8.8.8.8", 6);
    g_assert_false(passes(pair, &last, sizeof last));
    g_assert_true(passes(pair, &beyond, sizeof beyond));
    g_assert_true(passes(pair, &four, sizeof four));
    close(pair[0]);
    close(pair[1]);
}

/* None is left open: with more there is no network at all. */
static void test_too_many(void)
{
    g_autoptr(GArray) ranges = closed_of(151);
    GError *err = NULL;
    g_assert_false(tapfilter_attach(-1, ranges, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    g_assert_nonnull(strstr(err->message, "so many addresses"));
    g_error_free(err);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/exec/tapfilter/cases", test_cases);
    g_test_add_func("/exec/tapfilter/many", test_many);
    g_test_add_func("/exec/tapfilter/too-many", test_too_many);
    return g_test_run();
}
