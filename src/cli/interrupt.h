/* SIGINT, SIGTERM and SIGHUP as a cancellation flag. */
#ifndef VARVE_CLI_INTERRUPT_H
#define VARVE_CLI_INTERRUPT_H

#include "base/cancel.h"

/* Starts watching (once per process) and returns the flag; never freed. A second signal ends the
 * process immediately, with its sandboxes. */
struct cancel *interrupt_watch(void);

#endif
