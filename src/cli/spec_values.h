/* Values of options that build and run share, for a sandbox. */
#ifndef VARVE_CLI_SPEC_VALUES_H
#define VARVE_CLI_SPEC_VALUES_H

#include "graph/op.h"

/* "host:ip" or "host=ip" (with commas between addresses) appended to hosts, of struct host_ip;
 * owned keeps the strings. VARVE_ERROR_USAGE. */
gboolean host_option(const char *text, GArray *hosts, GPtrArray *owned, GError **err);
/* "nofile=1024:2048" appended to ulimits, of struct ulimit; likewise. */
gboolean ulimit_option(const char *text, GArray *ulimits, GPtrArray *owned, GError **err);

#endif
