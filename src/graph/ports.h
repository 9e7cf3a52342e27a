/* The arguments of EXPOSE: "80", "443/udp", "8000-8003/tcp", and the forms for publishing,
 * "host:port" and "ip:host:port", of which only the container's port is used. */
#ifndef VARVE_GRAPH_PORTS_H
#define VARVE_GRAPH_PORTS_H

#include <glib.h>

/* Appends "80/tcp" and so on (char*, newly allocated) to list, one for each port of a range.
 * VARVE_ERROR_INVALID, with the text in the message, when malformed. */
gboolean ports_parse(const char *text, GPtrArray *list, GError **err);

#endif
