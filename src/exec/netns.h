/* Network namespaces by descriptor. The functions use a separate thread, which alone enters the
 * namespace. Internal to this room. */
#ifndef VARVE_EXEC_NETNS_H
#define VARVE_EXEC_NETNS_H

#include <glib.h>

/* A new one with its loopback up; close-on-exec, number >= 10. -1 on error. */
int netns_new(GError **err);
struct netns_range {
    int family;         /* AF_INET or AF_INET6 */
    guint8 bits;        /* of the prefix */
    guint8 address[16]; /* network order; of AF_INET the first four */
};
/* The host's own addresses, each once: of interfaces that are up. */
GArray *netns_own(void);
/* Addresses of this machine or its network only: loopback, link-local ones, multicast groups, those
 * where clouds serve a machine's credentials, and with own also netns_own(). pasta would forward
 * what a sandbox sends to them as the host's own traffic. */
GArray *netns_closed(gboolean own);
/* Makes ranges other than groups unreachable, so that programs get an immediate error. It uses
 * rules, not routes: they precede every route copied from the host and follow the namespace's own
 * addresses. A program that chooses the interface bypasses them (tapfilter.h). Call it once the
 * interface is configured: its gateway may itself be link-local. */
gboolean netns_block(int ns, const GArray *ranges, GError **err);

#endif
