/* Names and numbers of Linux signals as STOPSIGNAL takes them. */
#ifndef VARVE_GRAPH_SIGNALNAME_H
#define VARVE_GRAPH_SIGNALNAME_H

#include <glib.h>

/* TRUE for "9", "KILL", "sigkill", "SIGRTMIN+3". */
gboolean signalname_valid(const char *text);
/* The name, without SIG, that text may have been meant for; NULL when there is none. */
const char *signalname_nearest(const char *text);

#endif
