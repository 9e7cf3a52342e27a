/* Network namespaces by descriptor. Both functions work in a thread of their own, which alone
 * enters the namespace. Internal to this room. */
#ifndef VARVE_EXEC_NETNS_H
#define VARVE_EXEC_NETNS_H

#include <glib.h>

/* A new one with its loopback up; close-on-exec, number >= 10. -1 on error. */
int netns_new(GError **err);
/* Addresses that belong to this machine or its network alone: its loopback, link-local ones, and
 * those at which clouds hand out a machine's credentials. pasta would take what a sandbox sends to
 * them for its own host's. */
struct netns_range {
    int family;
    guint8 bits; /* of the prefix */
    const char *address;
};
extern const struct netns_range netns_closed[];
extern const guint netns_n_closed;
/* Makes them unreachable, so that programs are told at once. Rules, not routes: they come before
 * every route that is copied from the host, and after the namespace's own addresses. A program that
 * chooses the interface gets past them (tapfilter.h). To be called when the interface is
 * configured: its gateway may itself be link-local. */
gboolean netns_block(int ns, GError **err);

#endif
