/* Variables of `varve bake` from files. */
#ifndef VARVE_CLI_BAKE_ENV_H
#define VARVE_CLI_BAKE_ENV_H

#include <glib.h>

/* Adds what files (paths of .env files, NULL-terminated; may be NULL) say to environment (char * →
 * char *, owned), which beats them; later files beat earlier ones. Errors name file and line. */
gboolean bake_read_env_files(GHashTable *environment, char **files, GError **err);

#endif
