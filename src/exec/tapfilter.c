#include "exec/tapfilter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/netns.h"
#include "exec/signal.h"

/* Where things lie in a packet. */
enum { AT_PROTOCOL = 12, AT_DEST4 = 30, AT_NEXT6 = 20, AT_DEST6 = 38 };

#define PASS 0xffffffff /* all of it; 0: none */
#define TUN "/dev/net/tun"

static void tapfilter_emit(GArray *prog, guint16 code, guint8 jt, guint8 jf, guint32 k)
{
    struct sock_filter f = {code, jt, jf, k};
    g_array_append_val(prog, f);
}

/* The first bits of 32; 32 and more are all. */
static guint32 mask_of(int bits)
{
    return bits >= 32 ? G_MAXUINT32 : ~(G_MAXUINT32 >> bits);
}

/* Neighbours ask for each other's hardware addresses by ICMPv6 at link-local and group addresses.
 */
static void emit_drop(GArray *prog, gboolean neighbours)
{
    if (neighbours) {
        tapfilter_emit(prog, BPF_LD | BPF_B | BPF_ABS, 0, 0, AT_NEXT6);
        tapfilter_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, IPPROTO_ICMPV6);
        tapfilter_emit(prog, BPF_RET | BPF_K, 0, 0, PASS);
    }
    tapfilter_emit(prog, BPF_RET | BPF_K, 0, 0, 0);
}

/* Drops a packet to the range; others continue after it. The address lies in the filter's memory:
 * an access to the packet becomes many instructions, and a socket's filter may have few
 * (net.core.optmem_max). */
static void emit_range(GArray *prog, const struct netns_range *r)
{
    guint32 words[4];
    guint jumps[4], n = 0;
    memcpy(words, r->address, sizeof words);
    for (int left = r->bits; left > 0; left -= 32, n++) {
        tapfilter_emit(prog, BPF_LD | BPF_W | BPF_MEM, 0, 0, n);
        if (left < 32)
            tapfilter_emit(prog, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask_of(left));
        jumps[n] = prog->len;
        tapfilter_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, ntohl(words[n]) & mask_of(left));
    }
    emit_drop(prog, r->family == AF_INET6 && r->bits <= 10); /* fe80::/10, ff00::/8 */
    for (guint i = 0; i < n; i++)
        g_array_index(prog, struct sock_filter, jumps[i]).jf = prog->len - jumps[i] - 1;
}

/* All ranges of a family, if the packet is of its protocol. A jump on a condition reaches 255
 * instructions. */
static void emit_family(GArray *prog, const GArray *ranges, int family, guint32 protocol)
{
    tapfilter_emit(prog, BPF_LD | BPF_H | BPF_ABS, 0, 0, AT_PROTOCOL);
    tapfilter_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, protocol);
    guint jump = prog->len;
    tapfilter_emit(prog, BPF_JMP | BPF_JA, 0, 0, 0);
    for (guint i = 0; i < (family == AF_INET ? 1 : 4); i++) {
        tapfilter_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0,
                       (family == AF_INET ? AT_DEST4 : AT_DEST6) + 4 * i);
        tapfilter_emit(prog, BPF_ST, 0, 0, i);
    }
    for (guint i = 0; i < ranges->len; i++) {
        const struct netns_range *r = &g_array_index(ranges, struct netns_range, i);
        if (r->family == family)
            emit_range(prog, r);
    }
    g_array_index(prog, struct sock_filter, jump).k = prog->len - jump - 1;
}

GArray *tapfilter_program(const GArray *ranges)
{
    GArray *prog = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
    emit_family(prog, ranges, AF_INET, ETH_P_IP);
    emit_family(prog, ranges, AF_INET6, ETH_P_IPV6);
    tapfilter_emit(prog, BPF_RET | BPF_K, 0, 0, PASS);
    return prog;
}

/* The number of pasta's descriptor of its interface, or -1. */
static int find_tun(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *fd = g_build_filename(path, name, NULL);
        g_autofree char *target = g_file_read_link(fd, NULL);
        if (target && g_str_has_suffix(target, TUN))
            return atoi(name);
    }
    return -1;
}

gboolean tapfilter_attach(int pasta, const GArray *ranges, GError **err)
{
    if (ranges->len > TAPFILTER_MAX)
        return error_set(err, VARVE_ERROR_OUTSIDE,
                         "this machine has so many addresses that a sandbox's network cannot be "
                         "closed to all of them (%u, the kernel's filter has room for %d)",
                         ranges->len, TAPFILTER_MAX);
    g_autoptr(GArray) prog = tapfilter_program(ranges);
    struct sock_fprog fprog = {(unsigned short)prog->len, (struct sock_filter *)prog->data};
    int number = find_tun(signal_pid(pasta));
    if (number < 0)
        return error_set(err, VARVE_ERROR_OUTSIDE, "pasta has no interface open");
    fd_auto int tun = syscall(SYS_pidfd_getfd, pasta, number, 0);
    return (tun >= 0 && ioctl(tun, TUNATTACHFILTER, &fprog) == 0) ||
           error_set_errno(err, errno,
                           "closing the interface of pasta's to this machine's addresses");
}
