/* The path of this command's store. There is one per process, so only the command line uses it:
 * builds get a root or an open store. */
#ifndef VARVE_CLI_ROOT_H
#define VARVE_CLI_ROOT_H

#include <glib.h>

/* --root: dir, relative to the current directory. */
void root_choose(const char *dir);
/* --root, else VARVE_ROOT, else the user's default, as an absolute path. The first call decides:
 * before a user namespace is entered, in which every user is uid 0, and before the working
 * directory changes. */
const char *root_path(void);

#endif
