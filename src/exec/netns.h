/* Network namespaces by descriptor. Both functions work in a thread of their own, which alone
 * enters the namespace. Internal to this room. */
#ifndef VARVE_EXEC_NETNS_H
#define VARVE_EXEC_NETNS_H

#include <glib.h>

/* A new one with its loopback up; close-on-exec, number >= 10. -1 on error. */
int netns_new(GError **err);
/* Makes addresses unreachable that belong to the machine or its network alone: link-local ones,
 * among them those at which clouds hand out a machine's credentials. Rules, not routes: they come
 * before every route that is copied from the host. To be called when the interface is configured:
 * its gateway may itself be link-local. */
gboolean netns_block(int ns, GError **err);

#endif
