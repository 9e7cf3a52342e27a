/* Where the store of this command is. One for a process, so it belongs to the command line alone:
 * whatever builds is given a root or an open store. */
#ifndef VARVE_CLI_ROOT_H
#define VARVE_CLI_ROOT_H

#include <glib.h>

/* --root: dir, as seen from where the process is now. */
void root_choose(const char *dir);
/* --root, else VARVE_ROOT, else the user's default, as an absolute path. The first call decides:
 * before a user namespace is entered, in which every user is uid 0, and before the working
 * directory changes. */
const char *root_path(void);

#endif
