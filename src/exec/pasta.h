/* pasta: the program (package passt) that connects a network namespace with the outside through
 * ordinary sockets of the host, without privileges or firewall rules. It is found in the host's
 * PATH and has an empty environment, and none of its arguments come from an image. It runs below
 * the keeper (keeper.h) and so ends with varve, however that ends.
 *
 * It gets the namespace as descriptor 0, reports that it is ready by writing its "process id file",
 * a pipe at descriptor 1, and writes errors to descriptor 2. (Newer versions close all others
 * first.) If it is not ready in PASTA_PATIENCE seconds it is ended: the host's program may be a
 * script, or hang. It is process 1 of a pid namespace, so everything it started ends with it.
 * Internal to this room. */
#ifndef VARVE_EXEC_PASTA_H
#define VARVE_EXEC_PASTA_H

#include <glib.h>
#include <poll.h>

struct network_port;

struct pasta {
    int pidfd;  /* of the process, -1: none */
    int ready;  /* readable when the interface is configured, at end of file if it failed; -1: the
                   end was read, but the process still exists */
    int errors; /* its error messages */
    gint64 give_up; /* monotonic microseconds */
};
#define PASTA_PATIENCE 15
enum pasta_state {
    PASTA_STARTING,
    PASTA_READY,
    PASTA_REFUSED, /* it ended with an error */
    PASTA_HUNG,    /* it was not ready in time and was ended */
};
/* Queries to this address are answered by the host's first resolver. */
#define PASTA_RESOLVER "192.0.0.53"

/* Its path, newly allocated. NULL with NOT_FOUND: it is not there, or has no way to work: no
 * /dev/net/tun, or one that this user cannot open; *remedy is what can be done about it. */
char *pasta_find(const char **remedy, GError **err);

struct pasta_how {
    const char *program;              /* pasta_find() */
    int ns;                           /* network namespace that it serves, borrowed */
    gboolean gateway;                 /* NETWORK_GATEWAY is the host's loopback */
    gboolean resolver;                /* PASTA_RESOLVER is the host's resolver */
    const struct network_port *ports; /* n_ports that are published, borrowed */
    guint n_ports;
};
void pasta_init(struct pasta *p);
/* Returns at once. */
gboolean pasta_start(struct pasta *p, const struct pasta_how *how, GError **err);
/* What to wait for while it is starting, until p->give_up at the latest. */
struct pollfd pasta_poll(const struct pasta *p);
/* Its state, without waiting; not to be called again once it is no longer starting. REFUSED and
 * HUNG set OUTSIDE. */
enum pasta_state pasta_look(struct pasta *p, GError **err);
/* Ends it with everything it started, and waits for that; a no-op if it was never started. */
void pasta_stop(struct pasta *p);

#endif
