/* /etc/resolv.conf for a sandbox with its own network. It uses the host's resolvers, except those
 * that the sandbox cannot reach (on the host's loopback, at one of its own addresses, link-local):
 * systemd-resolved's stub is replaced by the resolvers it uses, others by an address that pasta
 * forwards to them. Internal to this room. */
#ifndef VARVE_EXEC_RESOLV_H
#define VARVE_EXEC_RESOLV_H

#include <glib.h>

#define RESOLV_MAX (1 << 20)

/* text: the host's file; upstream: systemd-resolved's list of resolvers, or NULL; own: the host's
 * addresses as text. Newly allocated; *forward: it names PASTA_RESOLVER. */
char *resolv_translate(const char *text, const char *upstream, const char *const *own,
                       gboolean *forward);
/* The same from the host's own files. An unreadable file is an empty one. */
char *resolv_private(gboolean *forward);

#endif
