/* Closes the interface that pasta makes in a sandbox's network to ranges of addresses (netns.h): a
 * packet to one of them is dropped before pasta reads it.
 *
 * Routes and rules are not enough. Any program may choose the interface itself (SO_BINDTODEVICE:
 * the kernel then takes every address for one on the link), and with CAP_NET_RAW, which sandboxes
 * have as in Docker, write whole packets and frames; pasta (that of Debian 12 at least) opens on
 * the host the connection that the packet asks for, to the host's own 127.0.0.1 too. A filter at
 * the device sees all that comes that way. Internal to this room. */
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
