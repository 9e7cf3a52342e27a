/* The environment of commands: the store, the configuration, the terminal. */
#ifndef VARVE_CLI_OUTSIDE_H
#define VARVE_CLI_OUTSIDE_H

#include "build/config.h"
#include "store/store.h"

/* The store of the command line (root_path()), as session_open_store() opens it. */
struct store *open_store(GError **err);
/* What the user configured: build_config_load() with this process's environment. */
gboolean configured(struct build_config *c, GError **err);
/* Whether stdout can take an archive: VARVE_ERROR_USAGE for a terminal. */
gboolean stdout_takes_archive(GError **err);

#endif
