/* varve's own commands. Of the commands only completion and debug, which are about others, use it.
 */
#ifndef VARVE_CLI_TABLE_H
#define VARVE_CLI_TABLE_H

#include "cli/command.h"

extern const struct command commands[]; /* ends with a NULL name */

#endif
