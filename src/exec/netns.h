/* Network namespaces by descriptor. Both functions work in a thread of their own, which alone
 * enters the namespace. Internal to this room. */
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
/* Addresses that belong to this machine or its network alone: its loopback, link-local ones,
 * groups, those at which clouds hand out a machine's credentials, and with own netns_own(). pasta
 * would take what a sandbox sends to them for its own host's. */
GArray *netns_closed(gboolean own);
/* Makes ranges unreachable, but for groups, so that programs are told at once. Rules, not routes:
 * they come before every route that is copied from the host, and after the namespace's own
 * addresses. A program that chooses the interface gets past them (tapfilter.h). To be called when
 * the interface is configured: its gateway may itself be link-local. */
gboolean netns_block(int ns, const GArray *ranges, GError **err);

#endif
