/* Candidates for the next word of varve's command line, for the shells' completion. */
#ifndef VARVE_CLI_COMPLETE_H
#define VARVE_CLI_COMPLETE_H

#include "cli/command.h"

/* table: varve's commands. words: the words after "varve", up to the one being typed (the last one,
 * "" if not started); ends with NULL. Prints candidates that start with it, one per line: the whole
 * word, then a tab and a description. ":files" and ":dirs" alone on a line: the shell completes
 * paths (after the =, if the word is --option=). What cannot be determined is silently left out. */
void complete_print(const struct command *table, char **words);

#endif
