/* Names of signals. */
#ifndef VARVE_TEXT_SIGNALNAME_H
#define VARVE_TEXT_SIGNALNAME_H

/* "SIGTERM", "term", "15", "SIGRTMIN+3"; 0 when unknown. */
int signal_number(const char *text);

#endif
