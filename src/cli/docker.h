/* Help for users of `docker` commands: the varve command that does the same, or if there is none,
 * what to do instead. */
#ifndef VARVE_CLI_DOCKER_H
#define VARVE_CLI_DOCKER_H

#include "cli/command.h"

/* argv (argv[0] is not a command of varve) with Docker's words replaced by varve's equivalents:
 * "image ls -q" becomes "images -q". NULL-terminated; free only the array: its words are argv's, or
 * static. NULL if table has no such command. */
char **docker_translate(const struct command *table, char **argv);
/* "image", "system": words followed by an action. */
gboolean docker_is_noun(const char *word);
/* What to do instead of argv, a sentence that names a command of varve; NULL if these are not
 * Docker's words. */
const char *docker_advice(char **argv);
/* The same for an option ("--gpus=all", "-H") that varve's command does not have; command NULL:
 * before the command. */
const char *docker_option_advice(const char *command, const char *word);
/* word in varve's spelling ("--net=host" is "--network=host"); static. NULL: the same.
 */
const char *docker_option_alias(const char *command, const char *word);

#endif
