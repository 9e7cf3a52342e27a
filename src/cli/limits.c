#include "cli/limits.h"

#include "base/error.h"
#include "cli/arguments.h"

/* The option of a resource's own. */
static gboolean add_limit(struct resources *r, const char *key, const char *value, GError **err)
{
    g_autofree char *text = g_strconcat(key, "=", value, NULL);
    if (!value || resources_add(r, text, err))
        return TRUE;
    g_prefix_error(err, "--");
    return FALSE;
}

/* "1.5" is a quota of 150000 µs in the usual period. */
static gboolean add_cpus(const struct limit_options *l, struct resources *r, GError **err)
{
    char *end;
    double n = l->cpus ? g_ascii_strtod(l->cpus, &end) : 0;
    if (!l->cpus)
        return TRUE;
    if (l->cpu_quota || l->cpu_period)
        return error_set(err, VARVE_ERROR_USAGE,
                         "--cpus sets what --cpu-quota and --cpu-period do: give one or the other");
    if (end == l->cpus || *end || !((n >= 0.01 && n <= 8192) || n == 0))
        return error_set(err, VARVE_ERROR_USAGE,
                         "--cpus: %s is not a number of CPUs, like 0.5 or 2", l->cpus);
    r->cpu_quota = (gint64)(n * 100000 + 0.5);
    return TRUE;
}

static gboolean add_resources(const struct limit_options *l, struct resources *r, GError **err)
{
    for (char **text = l->resources; text && *text; text++)
        if (!resources_add(r, *text, err)) {
            g_prefix_error(err, "--resource: ");
            return FALSE;
        }
    if (resources_check(r, err))
        return TRUE;
    g_prefix_error(err, l->memory_swap || l->memory ? "--" : "--resource: ");
    return FALSE;
}

gboolean limit_options(const struct limit_options *l, struct resources *r, GError **err)
{
    if (size_option("--memory", l->memory, &r->memory, err) &&
        add_limit(r, "memory-swap", l->memory_swap, err) && add_cpus(l, r, err) &&
        add_limit(r, "cpu-shares", l->cpu_shares, err) &&
        add_limit(r, "cpu-period", l->cpu_period, err) &&
        add_limit(r, "cpu-quota", l->cpu_quota, err) &&
        add_limit(r, "cpuset-cpus", l->cpuset_cpus, err) &&
        add_limit(r, "cpuset-mems", l->cpuset_mems, err) && add_resources(l, r, err))
        return TRUE;
    error_as_usage(err);
    return FALSE;
}
