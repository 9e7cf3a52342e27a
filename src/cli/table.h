/* varve's own commands. Of the commands only those that are about others see it: completion and
 * debug. */
#ifndef VARVE_CLI_TABLE_H
#define VARVE_CLI_TABLE_H

#include "cli/command.h"

extern const struct command commands[]; /* ends with a NULL name */

#endif
