/* Published ports: the arguments of -p as values, and the ports of this host they use. */
#ifndef VARVE_RUN_PORT_H
#define VARVE_RUN_PORT_H

#include "exec/network.h"

struct run_ports {
    GArray *list;     /* struct network_port; outside 0: any, until run_ports_find() */
    GPtrArray *owned; /* char*: addresses in list */
};
void run_ports_init(struct run_ports *p);
void run_ports_clear(struct run_ports *p);

/* "[[ADDRESS:]HOST:]PORT[/udp]", where HOST and PORT may be ranges of equal length; without HOST,
 * or with 0, any free port. No I/O. VARVE_ERROR_USAGE, also beyond 1024 ports. */
gboolean run_ports_add(struct run_ports *ports, const char *text, GError **err);
/* All ports that an image exposes ("80/tcp" → …), each on any free port; NULL: none. */
gboolean run_ports_add_exposed(struct run_ports *ports, GTree *exposed, GError **err);

/* This port was chosen for one without a number. */
typedef void (*run_port_found_fn)(gpointer ctx, const struct network_port *port);
/* Chooses free ports for those without a number; found may be NULL. */
gboolean run_ports_find(struct run_ports *ports, run_port_found_fn found, gpointer ctx,
                        GError **err);
/* As docker ps writes them: "0.0.0.0:8080->80/tcp, 127.0.0.1:9000-9001->90-91/udp". */
char *run_ports_text(const struct run_ports *ports);
/* Whether this host's ports can be had now. VARVE_ERROR_OUTSIDE. */
gboolean run_ports_check_free(const struct run_ports *ports, GError **err);
/* Whether they are possible with the host's network: VARVE_ERROR_UNSUPPORTED for one that would
 * have another number outside. */
gboolean run_ports_check_host(const struct run_ports *ports, GError **err);

#endif
