/* The proxies that Docker's config.json gives to builds and containers ("proxies"). */
#ifndef VARVE_REGISTRY_PROXIES_H
#define VARVE_REGISTRY_PROXIES_H

#include <glib.h>

/* "HTTP_PROXY=…" and "http_proxy=…" for each that is set, NULL-terminated: those of the entry for
 * the engine that $DOCKER_HOST names, else of "default". Empty when there are none. The caller
 * frees the list. NULL when the file cannot be read or is not JSON. */
char **proxies_load(GError **err);

#endif
