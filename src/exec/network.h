/* Networks of sandboxes. A sandbox whose mode is "default" gets its own network namespace, without
 * the host's loopback, abstract sockets and link-local addresses (metadata services of clouds);
 * pasta (package passt, pasta.h) forwards outgoing traffic, and incoming traffic on published
 * ports.
 *
 * pasta takes tens of milliseconds to start and most steps use no network. So a namespace starts
 * with only its loopback, and the sandbox's system call filter tells varve about the first socket()
 * outside the family AF_UNIX (listener.h): the call waits until pasta has configured the interface.
 * A program never sees a network that is not ready.
 *
 * A namespace in which no such call was answered is as good as new once its processes are gone
 * (with their abstract sockets) and is given to another sandbox: making one takes the kernel half a
 * millisecond, entering one microseconds. A used one is discarded with its pasta, so that no
 * connection, listener or open port outlives its step. When the first sandbox of a pool uses its
 * network, another one is prepared in the background for the next.
 *
 * Where pasta is missing, or refuses before any program ran, the host's network is used, and
 * netpool_note() says why: once a build. A refusal that comes later leaves the program with its
 * loopback alone, and a note: a program could bring it about to get out. One that hangs is given up
 * after PASTA_PATIENCE seconds (pasta.h), and counts as one that refuses; those after it are not
 * waited for.
 *
 * Order: netpool_new(); for each sandbox network_take(), network_poll() and network_handle() while
 * it runs, network_release() when all its processes are gone; netpool_free(). A pool may be used by
 * several threads, a network by one. */
#ifndef VARVE_EXEC_NETWORK_H
#define VARVE_EXEC_NETWORK_H

#include <glib.h>
#include <poll.h>

#include "base/cancel.h"

/* What "default" is (varve.conf). */
enum netpool_rule {
    NETPOOL_PREFER,  /* private if pasta works, else the host's with a note */
    NETPOOL_PRIVATE, /* private, else an error */
    NETPOOL_HOST,    /* the host's */
};
/* Published ports: count ports from outside on the host are those from inside in the sandbox. */
struct network_port {
    const char *address;            /* of the host, a literal one; NULL: all */
    guint16 outside, inside, count; /* the first port on each side, and how many */
    gboolean udp;                   /* else TCP */
};
/* The address at which a sandbox with an entry for "host-gateway" finds the host's loopback. */
#define NETWORK_GATEWAY "192.0.0.1"

struct netpool;
struct netpool *netpool_new(enum netpool_rule rule);
/* Ends what still runs. NULL is fine. */
void netpool_free(struct netpool *p);
/* A line for the user that says why sandboxes had the host's network or none instead of their own;
 * NULL if there is nothing to report. */
char *netpool_note(struct netpool *p);

struct network;
struct sandbox_spec;
/* *out: the network for spec, NULL: the host's. Published ports, and a sandbox without a filter
 * (insecure), need pasta before the program runs: then this waits for it. FALSE with OUTSIDE if it
 * must be private and cannot be, or ports cannot be published. */
gboolean network_take(const struct sandbox_spec *spec, struct cancel *c, struct network **out,
                      GError **err);
/* The namespace, to be entered; the network's. */
int network_ns(const struct network *n);
/* Whether the sandbox's filter must report sockets to network_listen(). */
gboolean network_listens(const struct network *n);
/* The host's resolv.conf, adapted for the inside; owned by the pool. */
const char *network_resolv(const struct network *n);
/* Takes the listener of the sandbox's filter. */
void network_listen(struct network *n, int listener);
/* Sets what to wait for; with n NULL nothing. */
void network_poll(const struct network *n, struct pollfd fds[2]);
/* When network_handle() must be called even if nothing is readable: monotonic microseconds; 0:
 * never. */
gint64 network_due(const struct network *n);
/* Does what can be done without waiting; fds as after poll(), also after a timeout. */
void network_handle(struct network *n, const struct pollfd fds[2]);
/* All processes are gone. Frees n, which may be NULL, or keeps it for another sandbox. */
void network_release(struct network *n);

#endif
