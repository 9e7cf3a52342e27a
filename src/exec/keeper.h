/* A process that ends with varve: process 1 of a pid namespace that contains those of the
 * sandboxes. However varve dies, the kernel closes its end of a pipe, the keeper exits, and with
 * process 1 of a namespace all processes in it and in nested ones end (pid_namespaces(7)). A parent
 * death signal is not enough: programs that change their user (su, gosu) lose it. Internal to this
 * room. */
#ifndef VARVE_EXEC_KEEPER_H
#define VARVE_EXEC_KEEPER_H

#include <glib.h>

/* The keeper's pidfd; started at first use, ended when varve exits. The caller must not close it;
 * -1 on error. */
int keeper_pidfd(GError **err);

#endif
