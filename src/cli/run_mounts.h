/* What run's options mount; private to run_*.c. Errors begin with what: the option as it was given.
 */
#ifndef VARVE_CLI_RUN_MOUNTS_H
#define VARVE_CLI_RUN_MOUNTS_H

#include "cli/run.h"

/* A volume with this name, a host directory (source begins with / or .), or a fresh volume (NULL)
 * at dest, an absolute path. */
gboolean run_mount_at(struct run *r, const char *what, const char *source, const char *dest,
                      gboolean readonly, GError **err);
/* A tmpfs: m's options; its place is dest. */
gboolean run_mount_tmpfs(struct run *r, const char *what, struct sandbox_mount m, const char *dest,
                         GError **err);
/* run_mount.c: one --mount. */
gboolean run_mount_option(struct run *r, const char *text, GError **err);

#endif
