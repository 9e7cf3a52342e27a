/* Packs what init needs to start the program (launch.h). Internal to this room. */
#ifndef VARVE_EXEC_CONFIG_H
#define VARVE_EXEC_CONFIG_H

#include "exec/identity.h"
#include "exec/launch.h"
#include "exec/sandbox.h"

/* Docker's default capabilities. */
#define CONFIG_DEFAULT_CAPS G_GUINT64_CONSTANT(0xa80425fb)

struct config_input {
    const struct sandbox_spec *spec;
    const struct identity *id;                                /* whom it runs as */
    guint32 flags;                                            /* LAUNCH_… */
    const char *const *candidates, *const *argv, *const *env; /* paths to try as the program, in
                                                                 order; NULL-terminated lists */
    const char *cwd;                                          /* working directory, absolute */
    const GArray *limits;                                     /* of struct launch_limit */
};
/* A struct launch_config; NULL on error. */
GByteArray *config_pack(const struct config_input *in, GError **err);
/* These bytes as a memfd, number >= 10, close-on-exec; -1 on error. */
int config_memfd(const GByteArray *config, GError **err);
/* The spec's ulimits as numbers; names gets their names for messages. NULL for an unknown name. */
GArray *config_limits(const struct sandbox_spec *spec, char ***names, GError **err);
/* spec->env with the defaults for PATH and HOME, as Docker's builder sets them. */
char **config_env(const char *const *env, const char *home);
/* The paths where program may be, by env's PATH (env may be NULL) or the default one. */
char **config_candidates(const char *program, const char *const *env);
/* The embedded init as a sealed memfd that can be executed, number >= 10, close-on-exec; -1 on
 * error. Each process gets its own: a sandbox can change its own /proc/self/exe (owner, times),
 * which must not affect another. */
int config_init_memfd(GError **err);
/* Another program in the same way. */
int config_program_memfd(const char *name, GBytes *program, GError **err);

#endif
