/* The proxies that Docker's config.json gives to builds and containers ("proxies"). */
#ifndef VARVE_REGISTRY_PROXIES_H
#define VARVE_REGISTRY_PROXIES_H

#include <glib.h>

/* Of file, Docker's config.json: "HTTP_PROXY=…" and "http_proxy=…" for each that is set,
 * NULL-terminated: those of the entry for the engine at host (as DOCKER_HOST; NULL: the usual
 * place), else of "default". Empty when there are none, or no file. NULL when it cannot be read or
 * is not JSON. */
char **proxies_load(const char *file, const char *host, GError **err);

#endif
