/* What commands are given from outside: the store, the configuration, the terminal. */
#ifndef VARVE_CLI_OUTSIDE_H
#define VARVE_CLI_OUTSIDE_H

#include "exec/network.h"
#include "registry/registry.h"
#include "store/store.h"

/* The store of the command line (root_path()), as session_open_store() opens it. */
struct store *open_store(GError **err);
/* What the user configured; *network (may be NULL): what programs have by default. The caller frees
 * it. */
struct registry_config *configured_registry(enum netpool_rule *network, GError **err);
/* Whether stdout can take an archive: VARVE_ERROR_USAGE for a terminal. */
gboolean stdout_takes_archive(GError **err);

#endif
