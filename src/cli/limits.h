/* Limits on the command line of both build and run: separate options, as in Docker, and --resource,
 * as in buildx. */
#ifndef VARVE_CLI_LIMITS_H
#define VARVE_CLI_LIMITS_H

#include "cli/command.h"
#include "exec/resources.h"

/* A part of a command's options. */
struct limit_options {
    char *memory, *memory_swap, *cpus, *cpu_shares, *cpu_period, *cpu_quota, *cpuset_cpus,
        *cpuset_mems; /* as written; NULL: not given */
    char **resources; /* "NAME=VALUE" each; NULL: none */
};

/* The rows for it; base is its offset in the command's options. */
/* clang-format off */
#define LIMIT_ROW(base, name, letter, field, arg, help)                                            \
    {name, letter, OPTION_STRING, (base) + G_STRUCT_OFFSET(struct limit_options, field), arg, help}
#define LIMIT_ROWS(base)                                                                           \
    LIMIT_ROW(base, "memory", 'm', memory, "BYTES", "memory limit"),                            \
    LIMIT_ROW(base, "memory-swap", 0, memory_swap, "BYTES", "limit of memory and swap together; -1: none"), \
    LIMIT_ROW(base, "cpus", 0, cpus, "N", "number of CPUs, like 1.5"),                             \
    LIMIT_ROW(base, "cpu-shares", 'c', cpu_shares, "WEIGHT", "relative CPU weight (1024)"),        \
    LIMIT_ROW(base, "cpu-period", 0, cpu_period, "US", "CPU period in microseconds (100000)"),     \
    LIMIT_ROW(base, "cpu-quota", 0, cpu_quota, "US", "CPU microseconds in each period"),           \
    LIMIT_ROW(base, "cpuset-cpus", 0, cpuset_cpus, "LIST", "CPUs to use, like 0-3,7"),             \
    LIMIT_ROW(base, "cpuset-mems", 0, cpuset_mems, "LIST", "memory nodes to use"),                 \
    {"resource", 0, OPTION_LIST, (base) + G_STRUCT_OFFSET(struct limit_options, resources),        \
     "KEY=VALUE", "the same limits as buildx writes them: cpu-quota=50000 (repeatable)"}
/* clang-format on */

/* Parses what was given into r. VARVE_ERROR_USAGE. */
gboolean limit_options(const struct limit_options *l, struct resources *r, GError **err);

#endif
