/* A cgroup that varve made: varve-PID-N, held by a lock as long as its maker lives, so that what a
 * killed varve leaves behind is known for that and removed by the next one. Internal to this room.
 */
#ifndef VARVE_EXEC_CGROUPDIR_H
#define VARVE_EXEC_CGROUPDIR_H

#include <glib.h>

struct cgroupdir {
    char *path;    /* owned */
    int fd;        /* the directory, locked; -1: none */
    gint64 cpu_us; /* what of its CPU time has been told */
};

/* Where the unified hierarchy (version 2) is mounted: alone, or beside version 1; NULL: nowhere. */
const char *cgroupdir_unified(void);
/* The directory of the cgroup of version 2 that process pid (0: varve itself) is in, as varve sees
 * it; NULL where there is none, or it lies outside of varve's cgroup namespace. */
char *cgroupdir_of(int pid);
/* A name that no other cgroup of a living varve has; the caller's. */
char *cgroupdir_name(void);

/* Opens and locks the cgroup at path, which exists and is taken in every case. */
gboolean cgroupdir_open(struct cgroupdir *d, char *path, GError **err);
/* Kills what is left in it, and waits until it is gone (two seconds at most): whether it is.
 * Version 1 has neither. */
gboolean cgroupdir_kill(const struct cgroupdir *d);
/* CPU time since the last call, in µs, and the most memory ever in use, in bytes; what the cgroup
 * does not tell stays as it is. */
void cgroupdir_usage(struct cgroupdir *d, gint64 *cpu_us, guint64 *peak);
/* Whether the kernel killed a process of it because memory reached the limit, in either version. */
gboolean cgroupdir_ran_out(const struct cgroupdir *d);
/* Removes the cgroup, with those that an insecure program made below it, and clears d. */
void cgroupdir_remove(struct cgroupdir *d);

/* Removes the cgroups of varves that are no more from the directory parent; once a process. */
void cgroupdir_sweep(const char *parent);

#endif
