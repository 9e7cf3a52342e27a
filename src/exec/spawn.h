/* Makes processes that share this one's memory until they execute a program, as after vfork(): the
 * calling thread waits for that, and entry makes only system calls. Internal to this room. */
#ifndef VARVE_EXEC_SPAWN_H
#define VARVE_EXEC_SPAWN_H

#include <glib.h>

/* entry(data) in a new process with the namespaces flags (CLONE_NEW…), all its signals blocked. Its
 * pidfd, close-on-exec, or -1 with errno. cgroup, unless it is NULL or the number -1: the directory
 * of a cgroup of version 2 to create the process in, which costs far less than moving it there
 * (that waits for all CPUs); if that is not possible, the process is created in varve's own cgroup
 * and *cgroup becomes -1. */
int spawn(int (*entry)(void *), void *data, int flags, int *cgroup);
/* The same, with its new pid namespace (flags has CLONE_NEWPID) within that of the process keeper,
 * a pidfd. */
int spawn_within(int keeper, int (*entry)(void *), void *data, int flags, int *cgroup);
/* Sets the error for an errno of these two; FALSE. */
gboolean spawn_failed(int error, GError **err);
/* Waits until a child is gone; its wait status. *cpu_us (or NULL): its CPU time and that of those
 * that it waited for. */
int spawn_wait(int pidfd, gint64 *cpu_us);

#endif
