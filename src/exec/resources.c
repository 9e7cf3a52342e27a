#include "exec/resources.h"

#include <string.h>

#include "base/error.h"
#include "base/suggest.h"
#include "text/bytesize.h"

enum kind { MEMORY, SWAP, NUMBER, SET };

/* Numbers below min but 0 (and -1 where none is the lowest) are errors, as in Docker. */
static const struct key {
    const char *name;
    enum kind kind;
    gsize offset;
    gint64 lowest, min, max;
} keys[] = {
    {"memory", MEMORY, G_STRUCT_OFFSET(struct resources, memory), 0, 0, 0},
    {"memory-swap", SWAP, G_STRUCT_OFFSET(struct resources, memory_swap), 0, 0, 0},
    {"cpu-shares", NUMBER, G_STRUCT_OFFSET(struct resources, cpu_shares), 0, 2, 262144},
    {"cpu-period", NUMBER, G_STRUCT_OFFSET(struct resources, cpu_period), 0, 1000, 1000000},
    {"cpu-quota", NUMBER, G_STRUCT_OFFSET(struct resources, cpu_quota), -1, 1000, G_MAXINT64},
    {"cpuset-cpus", SET, G_STRUCT_OFFSET(struct resources, cpuset_cpus), 0, 0, 0},
    {"cpuset-mems", SET, G_STRUCT_OFFSET(struct resources, cpuset_mems), 0, 0, 0},
};

static gboolean add_number(const struct key *k, const char *value, gint64 *n, GError **err)
{
    gint64 number;
    if (!g_ascii_string_to_signed(value, 10, k->lowest, k->max, &number, NULL) ||
        (number > 0 && number < k->min))
        return error_set(err, VARVE_ERROR_INVALID,
                         "%s is not a number from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, value,
                         k->min, k->max);
    *n = number;
    return TRUE;
}

static gboolean add_swap(const char *value, gint64 *swap, GError **err)
{
    guint64 bytes;
    if (g_str_equal(value, "-1")) {
        *swap = -1;
        return TRUE;
    }
    if (!bytesize_parse(value, &bytes, err)) /* at most G_MAXINT64 */
        return FALSE;
    *swap = (gint64)bytes;
    return TRUE;
}

/* "0-3,7": numbers and ranges. Which of them there are, the kernel knows. */
static gboolean is_set(const char *value)
{
    return g_regex_match_simple("^[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*$", value,
                                G_REGEX_DOLLAR_ENDONLY, 0);
}

static gboolean add_set(const char *value, char **set, GError **err)
{
    if (!is_set(value))
        return error_set(err, VARVE_ERROR_INVALID,
                         "\"%s\" is not a list of numbers and ranges, like 0-3,7", value);
    g_free(*set);
    *set = g_strdup(value);
    return TRUE;
}

static gboolean add_value(const struct key *k, const char *value, gpointer field, GError **err)
{
    switch (k->kind) {
    case MEMORY:
        return bytesize_parse(value, field, err);
    case SWAP:
        return add_swap(value, field, err);
    case NUMBER:
        return add_number(k, value, field, err);
    case SET:
        return add_set(value, field, err);
    }
    g_assert_not_reached();
}

static gboolean unknown_key(const char *name, GError **err)
{
    const char *names[G_N_ELEMENTS(keys) + 1] = {NULL};
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        names[i] = keys[i].name;
    g_autofree char *all = g_strjoinv(", ", (char **)names);
    const char *near = suggest_nearest(name, names, G_N_ELEMENTS(keys));
    error_set(err, VARVE_ERROR_INVALID, "unknown resource \"%s\"; known are %s", name, all);
    if (near)
        error_add_next(err, "did you mean %s?", near);
    return FALSE;
}

gboolean resources_add(struct resources *r, const char *text, GError **err)
{
    const char *equals = strchr(text, '=');
    if (!equals)
        return error_set(err, VARVE_ERROR_INVALID,
                         "\"%s\" is not KEY=VALUE: write memory=2g, cpu-quota=50000 and the like",
                         text);
    g_autofree char *name = g_strndup(text, (gsize)(equals - text));
    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(name, keys[i].name)) {
            gpointer field = (char *)r + keys[i].offset;
            if (add_value(&keys[i], equals + 1, field, err))
                return TRUE;
            g_prefix_error(err, "%s: ", name);
            return FALSE;
        }
    return unknown_key(name, err);
}

/* Docker's: below it the kernel kills a program before it has begun. */
#define MIN_MEMORY (6 << 20)

gboolean resources_check(const struct resources *r, GError **err)
{
    if (r->memory && r->memory < MIN_MEMORY) {
        error_set(err, VARVE_ERROR_INVALID,
                  "memory below 6m is too little for any program to start");
        error_add_next(err, "write a number of bytes or one with a unit, like 64m or 1g");
        return FALSE;
    }
    if (r->memory_swap > 0 && !r->memory)
        return error_set(err, VARVE_ERROR_INVALID,
                         "memory-swap, the sum of memory and swap, needs memory as well");
    if (r->memory_swap > 0 && (guint64)r->memory_swap < r->memory)
        return error_set(
            err, VARVE_ERROR_INVALID,
            "memory-swap is the sum of memory and swap, and cannot be smaller than memory");
    return TRUE;
}

gboolean resources_any(const struct resources *r)
{
    return r->memory || r->memory_swap || r->cpu_shares || r->cpu_period || r->cpu_quota ||
           r->cpuset_cpus || r->cpuset_mems;
}

void resources_clear(struct resources *r)
{
    g_free(r->cpuset_cpus);
    g_free(r->cpuset_mems);
    *r = (struct resources){0};
}
