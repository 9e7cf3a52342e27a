/* Environments as lists of "NAME=value", as image configs have them. */
#ifndef VARVE_BASE_ENVLIST_H
#define VARVE_BASE_ENVLIST_H

#include <glib.h>

/* The PATH of an image that sets none. */
#define IMAGE_DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Value of a variable, or NULL; of several of one name (seen in foreign images) the first counts,
 * as in a process's own lookup. */
const char *envlist_get(const GPtrArray *env, const char *name);
/* Sets in place: the order of first appearance is kept. env owns its strings. */
void envlist_set(GPtrArray *env, const char *name, const char *value);

#endif
