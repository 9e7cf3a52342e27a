/* Signals to the first process of a sandbox. Internal to this room. */
#ifndef VARVE_EXEC_SIGNAL_H
#define VARVE_EXEC_SIGNAL_H

#include <glib.h>

/* The pid of a pidfd, as this process sees it; 0 if it is gone. */
int signal_pid(int pidfd);
/* As sandbox_signal(). */
gboolean signal_send(int pidfd, int sig);

#endif
