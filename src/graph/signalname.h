/* Names and numbers of Linux signals as STOPSIGNAL takes them. */
#ifndef VARVE_GRAPH_SIGNALNAME_H
#define VARVE_GRAPH_SIGNALNAME_H

#include <glib.h>

/* TRUE for "9", "KILL", "sigkill", "SIGRTMIN+3". */
gboolean signalname_valid(const char *text);

#endif
