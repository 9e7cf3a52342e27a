/* pasta: the program (package passt) that connects a network namespace with the outside by ordinary
 * sockets of the host, without privileges and without firewall rules. It is the host's, found in
 * the host's PATH, has an empty environment, and nothing that an image says is among its arguments.
 * It lives within the keeper (keeper.h) and so ends with varve, however that ends.
 *
 * It gets the namespace as descriptor 0, says that it is ready by writing its "process id file",
 * which is a pipe at descriptor 1, and complains at descriptor 2. (Newer versions close all others
 * first.) One that does not get ready in PASTA_PATIENCE seconds is given up: the program is the
 * host's, and may be a script, or hang. It is process 1 of a pid namespace, so that all it started
 * ends with it. Internal to this room. */
#ifndef VARVE_EXEC_PASTA_H
#define VARVE_EXEC_PASTA_H

#include <glib.h>
#include <poll.h>

struct network_port;

struct pasta {
    int pidfd;  /* of the process; -1: it does not run */
    int ready;  /* readable when the interface is configured, or at an end when it failed; -1: the
                   end was read, and it has yet to be gone */
    int errors; /* what it complains of */
    gint64 give_up; /* monotonic microseconds */
};
#define PASTA_PATIENCE 15
enum pasta_state {
    PASTA_STARTING,
    PASTA_READY,
    PASTA_REFUSED, /* it ended, and said why */
    PASTA_HUNG,    /* it did not get ready in time, and is gone */
};
/* Where queries to this address go, the host's first resolver answers. */
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
/* What is to be waited for while it is starting, until p->give_up at the latest. */
struct pollfd pasta_poll(const struct pasta *p);
/* How far it is, without waiting; once it is starting no more, it is not to be asked again. REFUSED
 * and HUNG come with OUTSIDE. */
enum pasta_state pasta_look(struct pasta *p, GError **err);
/* Ends it with all that it started, and waits for that; also when it was never started. */
void pasta_stop(struct pasta *p);

#endif
