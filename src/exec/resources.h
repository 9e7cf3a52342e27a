/* Limits of a step's cgroup, as buildx's --resource takes them. They affect how a step runs, not
 * what it makes, so they are in no key. */
#ifndef VARVE_EXEC_RESOURCES_H
#define VARVE_EXEC_RESOURCES_H

#include <glib.h>

/* All zero: no limits. */
struct resources {
    guint64 memory;     /* bytes, 0: no limit */
    gint64 memory_swap; /* bytes of memory and swap together; 0: not set, -1: no limit */
    gint64 cpu_shares;  /* relative weight, 2 to 262144, 1024 is the default; 0: not set */
    gint64 cpu_period;  /* µs, 1000 to 1000000; 0: 100000 */
    gint64 cpu_quota;   /* µs of CPU time in each period, from 1000; 0 and -1: no limit */
    char *cpuset_cpus, *cpuset_mems; /* CPUs and memory nodes, "0-3,7"; NULL: all; owned */
};

/* One "KEY=VALUE": memory, memory-swap, cpu-shares, cpu-period, cpu-quota, cpuset-cpus or
 * cpuset-mems; the last of several is used. INVALID. */
gboolean resources_add(struct resources *r, const char *text, GError **err);
/* Whether they are consistent, once all are known. INVALID. */
gboolean resources_check(const struct resources *r, GError **err);
/* Whether there is any limit. */
gboolean resources_any(const struct resources *r);
void resources_clear(struct resources *r);

#endif
