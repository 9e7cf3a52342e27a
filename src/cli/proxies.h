/* The proxies in Docker's configuration for builds and runs. */
#ifndef VARVE_CLI_PROXIES_H
#define VARVE_CLI_PROXIES_H

#include <glib.h>

/* The proxies of Docker's config.json, as proxies_load(); with a note if that cannot be read. */
char **configured_proxies(void);

#endif
