/* What may stand next on varve's command line, for the shells' completion. */
#ifndef VARVE_CLI_COMPLETE_H
#define VARVE_CLI_COMPLETE_H

#include "cli/command.h"

/* table: varve's commands. words: what follows "varve", up to the word that is being written (the
 * last one, "" when it has not begun); ends with NULL. Prints candidates that begin as it does, a
 * line each: the whole word, and behind a tab what it is about. ":files" and ":dirs" alone on a
 * line: the shell completes paths (of what is behind the =, where the word is --option=). What
 * cannot be found out is left out, in silence. */
void complete_print(const struct command *table, char **words);

#endif
