/* The variables of a run's program: "NAME=VALUE" each, in order, each name once. */
#ifndef VARVE_RUN_ENV_H
#define VARVE_RUN_ENV_H

#include <glib.h>

/* The caller's own value of a variable, for a name without a value; NULL: unset. For example
 * g_getenv(). */
typedef const char *(*run_env_lookup)(const char *name);

/* Sets or replaces a variable, in place. name ends after len bytes. */
void run_env_set(GPtrArray *env, const char *name, gsize len, const char *value);
gboolean run_env_has(GPtrArray *env, const char *name);
/* "NAME=VALUE", or "NAME": the value of lookup (may be NULL), if set. VARVE_ERROR_USAGE, starting
 * with where, if it is neither. */
gboolean run_env_add(GPtrArray *env, const char *text, run_env_lookup lookup, const char *where,
                     GError **err);
/* Docker's format: a variable per line, "#" starts a comment line, values are literal; path is for
 * errors. */
gboolean run_env_add_lines(GPtrArray *env, GBytes *lines, run_env_lookup lookup, const char *path,
                           GError **err);
/* The file at path, which may be a pipe; at most 1 MiB. */
gboolean run_env_add_file(GPtrArray *env, const char *path, run_env_lookup lookup, GError **err);

#endif
