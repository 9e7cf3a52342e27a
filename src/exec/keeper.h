/* The process that ends with varve: process 1 of a pid namespace in which the sandboxes' own lie.
 * However varve dies, the kernel then closes its end of a pipe, the keeper leaves, and with process
 * 1 of a namespace end all processes in it and in those below it (pid_namespaces(7)). A parent
 * death signal would not do: programs that change their user (su, gosu) lose it. Internal to this
 * room. */
#ifndef VARVE_EXEC_KEEPER_H
#define VARVE_EXEC_KEEPER_H

#include <glib.h>

/* The keeper's pidfd; started at first use, ended when varve exits. Not the caller's to close; -1
 * on error. */
int keeper_pidfd(GError **err);

#endif
