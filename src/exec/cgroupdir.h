/* A cgroup made by varve: varve-PID-N, locked while its maker lives, so that the next varve
 * recognizes and removes what a killed one left. Internal to this room.
 */
#ifndef VARVE_EXEC_CGROUPDIR_H
#define VARVE_EXEC_CGROUPDIR_H

#include <glib.h>

struct cgroupdir {
    char *path;    /* owned */
    int fd;        /* the directory, locked; -1: none */
    gint64 cpu_us; /* how much of its CPU time was already reported */
};

/* Where the unified hierarchy (version 2) is mounted, alone or next to version 1; NULL: nowhere. */
const char *cgroupdir_unified(void);
/* The directory of the cgroup of version 2 that process pid (0: varve itself) is in, as varve sees
 * it; NULL if there is none or it is outside varve's cgroup namespace. */
char *cgroupdir_of(int pid);
/* A name that no other cgroup of a running varve has. */
char *cgroupdir_name(void);

/* Opens and locks the existing cgroup at path; takes path in every case. */
gboolean cgroupdir_open(struct cgroupdir *d, char *path, GError **err);
/* Kills what is left in it and waits up to two seconds; whether it is empty then. Version 1 can do
 * neither. */
gboolean cgroupdir_kill(const struct cgroupdir *d);
/* CPU time since the last call, in µs, and the peak memory use, in bytes; what the cgroup does not
 * report is not changed. */
void cgroupdir_usage(struct cgroupdir *d, gint64 *cpu_us, guint64 *peak);
/* Whether the kernel killed one of its processes because memory reached the limit, in either
 * version. */
gboolean cgroupdir_ran_out(const struct cgroupdir *d);
/* Removes the cgroup, with those that an insecure program made below it, and clears d. */
void cgroupdir_remove(struct cgroupdir *d);

/* Removes the cgroups of ended varves from the directory parent; once per process. */
void cgroupdir_sweep(const char *parent);

#endif
