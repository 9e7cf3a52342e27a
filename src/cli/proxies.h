/* The proxies that Docker's configuration gives to what is built and run. */
#ifndef VARVE_CLI_PROXIES_H
#define VARVE_CLI_PROXIES_H

#include <glib.h>

/* The proxies of Docker's config.json, as proxies_load(); with a note where that cannot be read. */
char **configured_proxies(void);

#endif
