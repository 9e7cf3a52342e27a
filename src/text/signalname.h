/* Names and numbers of Linux signals. */
#ifndef VARVE_TEXT_SIGNALNAME_H
#define VARVE_TEXT_SIGNALNAME_H

#include <glib.h>

/* "SIGTERM", "term", "15", "SIGRTMIN+3"; 0 when unknown. */
int signal_number(const char *text);
/* What STOPSIGNAL takes: TRUE for "9", "KILL", "sigkill", "SIGRTMIN+3". */
gboolean signalname_valid(const char *text);
/* The name, without SIG, that text may have been meant for; NULL when there is none. */
const char *signalname_nearest(const char *text);

#endif
