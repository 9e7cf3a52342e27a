/* Blocks ranges of addresses (netns.h) at the interface that pasta makes in a sandbox's network:
 * packets to them are dropped before pasta reads them.
 *
 * Routes and rules are not enough. Any program may choose the interface itself (SO_BINDTODEVICE:
 * the kernel then treats every address as one on the link) and, with CAP_NET_RAW, which sandboxes
 * have as in Docker, write whole packets and frames; pasta (at least that of Debian 12) opens the
 * connection that the packet asks for on the host, even to the host's own 127.0.0.1. A filter at
 * the device sees all packets that reach pasta. Internal to this room. */
#ifndef VARVE_EXEC_TAPFILTER_H
#define VARVE_EXEC_TAPFILTER_H

#include <glib.h>
#include <linux/filter.h>

#define TAPFILTER_MAX 162 /* ranges: what the kernel has room for (net.core.optmem_max) */

/* The filter for ranges (struct netns_range), as classic BPF for a packet with its Ethernet header:
 * struct sock_filter. */
GArray *tapfilter_program(const GArray *ranges);
/* Gives it to the interface of pasta, a pidfd. FALSE with OUTSIDE when that cannot be, or when
 * there are more than TAPFILTER_MAX ranges. */
gboolean tapfilter_attach(int pasta, const GArray *ranges, GError **err);

#endif
