/* What somebody who types `docker` commands by habit gets: the varve command that does the same, or
 * where there is none, what to do instead. */
#ifndef VARVE_CLI_DOCKER_H
#define VARVE_CLI_DOCKER_H

#include "cli/command.h"

/* argv (argv[0] is what varve has no command for) with Docker's words replaced by varve's, where
 * both mean the same: "image ls -q" becomes "images -q". NULL-terminated; free the array only: its
 * words are argv's, or live for ever. NULL when table has no such
 * command. */
char **docker_translate(const struct command *table, char **argv);
/* "image", "system": the next word says what to do with it. */
gboolean docker_is_noun(const char *word);
/* What to do instead of argv, a sentence that ends with a command of varve; NULL when these are no
 * words of Docker's. */
const char *docker_advice(char **argv);
/* The same of an option ("--gpus=all", "-H") of varve's command that varve does not have there;
 * command NULL: it stands before the command. */
const char *docker_option_advice(const char *command, const char *word);
/* word in varve's spelling ("--net=host" is "--network=host"); it lives for ever. NULL: the same.
 */
const char *docker_option_alias(const char *command, const char *word);

#endif
