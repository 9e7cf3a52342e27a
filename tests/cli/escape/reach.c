/* reach PORT ADDRESS…: sends "WAY-ADDRESS" to a port of each address by each way around the routes
 * of its network that a program has: by choosing the interface, and by headers and frames of its
 * own making. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static char dev[IFNAMSIZ];
static int ifindex;
static unsigned short port;
static struct in_addr own4;
static struct in6_addr own6;
static char name[100];

static socklen_t address(struct sockaddr_storage *a, const char *text, unsigned short to_port)
{
    struct sockaddr_in *four = (void *)a;
    struct sockaddr_in6 *six = (void *)a;
    memset(a, 0, sizeof *a);
    four->sin_port = htons(to_port); /* both have it in the same place */
    a->ss_family = inet_pton(AF_INET, text, &four->sin_addr) == 1 ? AF_INET : AF_INET6;
    if (a->ss_family == AF_INET6)
        inet_pton(AF_INET6, text, &six->sin6_addr);
    return a->ss_family == AF_INET ? sizeof *four : sizeof *six;
}

static int is_six(const char *text)
{
    return strchr(text, ':') != NULL;
}

static void done(int fd, long ret)
{
    printf("%s: %s\n", name, ret < 0 ? strerror(errno) : "sent");
    if (fd >= 0)
        close(fd);
}

static void by_device(const char *to, int type)
{
    struct sockaddr_storage a;
    struct timeval wait = {1, 0};
    socklen_t len = address(&a, to, port);
    snprintf(name, sizeof name, "device-%s-%s", type == SOCK_STREAM ? "tcp" : "udp", to);
    int fd = socket(a.ss_family, type, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    long ret = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, strlen(dev) + 1);
    if (ret == 0)
        ret = connect(fd, (void *)&a, len);
    done(fd, ret < 0 ? ret : send(fd, name, strlen(name), MSG_NOSIGNAL));
}

/* IP_UNICAST_IF or IPV6_UNICAST_IF. */
static void by_index(const char *to)
{
    struct sockaddr_storage a;
    unsigned index = htonl((unsigned)ifindex);
    socklen_t len = address(&a, to, port);
    snprintf(name, sizeof name, "index-%s", to);
    int fd = socket(a.ss_family, SOCK_DGRAM, 0);
    long ret = setsockopt(fd, is_six(to) ? IPPROTO_IPV6 : IPPROTO_IP, is_six(to) ? 76 : 50, &index,
                          sizeof index);
    done(fd, ret < 0 ? ret : sendto(fd, name, strlen(name), 0, (void *)&a, len));
}

static void by_packet_info(const char *to)
{
    struct sockaddr_storage a;
    union {
        struct cmsghdr head;
        char room[64];
    } c = {0};
    struct iovec iov = {name, 0};
    struct msghdr m = {.msg_name = &a, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c};
    struct in_pktinfo four = {.ipi_ifindex = ifindex};
    struct in6_pktinfo six = {.ipi6_ifindex = (unsigned)ifindex};
    size_t size = is_six(to) ? sizeof six : sizeof four;
    m.msg_namelen = address(&a, to, port);
    snprintf(name, sizeof name, "info-%s", to);
    iov.iov_len = strlen(name);
    c.head.cmsg_level = is_six(to) ? IPPROTO_IPV6 : IPPROTO_IP;
    c.head.cmsg_type = is_six(to) ? IPV6_PKTINFO : IP_PKTINFO;
    c.head.cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(&c.head), is_six(to) ? (void *)&six : (void *)&four, size);
    m.msg_controllen = CMSG_SPACE(size);
    int fd = socket(a.ss_family, SOCK_DGRAM, 0);
    done(fd, sendmsg(fd, &m, 0));
}

static unsigned short sum(const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    unsigned long s = 0;
    for (size_t i = 0; i + 1 < n; i += 2)
        s += (unsigned long)(b[i] << 8 | b[i + 1]);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return htons((unsigned short)~s);
}

/* A datagram with its header; the name is its text. */
static size_t packet(unsigned char *out, const char *to)
{
    size_t text = strlen(name), head = is_six(to) ? 40 : 20;
    struct udphdr u = {
        .source = htons(4000), .dest = htons(port), .len = htons((unsigned short)(8 + text))};
    struct sockaddr_storage a;
    address(&a, to, port);
    memcpy(out + head, &u, 8);
    memcpy(out + head + 8, name, text);
    if (!is_six(to)) {
        struct iphdr h = {.version = 4,
                          .ihl = 5,
                          .ttl = 64,
                          .protocol = IPPROTO_UDP,
                          .tot_len = htons((unsigned short)(28 + text)),
                          .saddr = own4.s_addr,
                          .daddr = ((struct sockaddr_in *)&a)->sin_addr.s_addr};
        h.check = sum(&h, sizeof h);
        memcpy(out, &h, sizeof h);
        return head + 8 + text;
    }
    struct ip6_hdr h = {.ip6_src = own6, .ip6_dst = ((struct sockaddr_in6 *)&a)->sin6_addr};
    unsigned char pseudo[400] = {0};
    h.ip6_flow = htonl(6 << 28);
    h.ip6_plen = u.len;
    h.ip6_nxt = IPPROTO_UDP;
    h.ip6_hlim = 64;
    memcpy(pseudo, &h.ip6_src, 32);
    memcpy(pseudo + 34, &u.len, 2);
    pseudo[39] = IPPROTO_UDP;
    memcpy(pseudo + 40, out + head, 8 + text);
    u.check = sum(pseudo, 48 + text + (text & 1));
    memcpy(out, &h, sizeof h);
    memcpy(out + head, &u, 8);
    return head + 8 + text;
}

static void by_frame(const char *to)
{
    unsigned char bytes[400];
    struct sockaddr_ll a = {.sll_family = AF_PACKET,
                            .sll_protocol = htons(is_six(to) ? ETH_P_IPV6 : ETH_P_IP),
                            .sll_ifindex = ifindex,
                            .sll_halen = 6,
                            .sll_addr = {255, 255, 255, 255, 255, 255}};
    snprintf(name, sizeof name, "frame-%s", to);
    int fd = socket(AF_PACKET, SOCK_DGRAM, 0);
    done(fd, sendto(fd, bytes, packet(bytes, to), 0, (void *)&a, sizeof a));
}

/* The kernel finds the way to another address than the header's. */
static void by_header(const char *to)
{
    unsigned char bytes[400];
    struct sockaddr_storage a;
    socklen_t len = address(&a, is_six(to) ? "2001:db8::1" : "198.51.100.1", 0);
    snprintf(name, sizeof name, "header-%s", to);
    int fd = socket(a.ss_family, SOCK_RAW, IPPROTO_RAW);
    done(fd, sendto(fd, bytes, packet(bytes, to), 0, (void *)&a, len));
}

/* Of the interface that leads outside; a first socket waits for it. */
static int find_interface(void)
{
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    struct if_nameindex *list = if_nameindex();
    for (struct if_nameindex *i = list; i && i->if_index; i++)
        if (strcmp(i->if_name, "lo") != 0) {
            strcpy(dev, i->if_name);
            ifindex = (int)i->if_index;
        }
    struct ifreq r = {0};
    strcpy(r.ifr_name, dev);
    if (ioctl(any, SIOCGIFADDR, &r) == 0)
        own4 = ((struct sockaddr_in *)&r.ifr_addr)->sin_addr;
    inet_pton(AF_INET6, "fe80::1", &own6);
    close(any);
    return ifindex;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc < 3 || !find_interface())
        return 2;
    port = (unsigned short)atoi(argv[1]);
    for (int i = 2; i < argc; i++) {
        by_device(argv[i], SOCK_STREAM);
        by_device(argv[i], SOCK_DGRAM);
        by_index(argv[i]);
        by_packet_info(argv[i]);
        by_frame(argv[i]);
        by_header(argv[i]);
    }
    sleep(1); /* what was sent is on its way: pasta ends with this program */
    return 0;
}
