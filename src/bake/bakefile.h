/* Which files make a bake definition, and their bytes. */
#ifndef VARVE_BAKE_BAKEFILE_H
#define VARVE_BAKE_BAKEFILE_H

#include "bake/remote.h"

enum bakefile_kind {
    BAKEFILE_HCL,
    BAKEFILE_JSON,
    BAKEFILE_COMPOSE,
    BAKEFILE_UNKNOWN, /* its name does not tell: to be tried */
};

struct bakefile {
    char *name; /* as the user knows it; "-" for stdin */
    enum bakefile_kind kind;
    GBytes *bytes; /* the whole file */
};

/* Reads files (NULL-terminated; NULL: those of BUILDX_BAKE_FILE, else all of the usual names that
 * are there), in the order in which they count. environment: char * → char *; in_fd is what "-" is
 * read from. remote (or NULL): where they are, but for those of cwd://, which come last; one that
 * is a single file is read whatever files says.  * struct bakefile *, at least one. NULL with *err:
 * VARVE_ERROR_NOT_FOUND, or what reading said. */
GPtrArray *bakefiles_read(char **files, GHashTable *environment, int in_fd,
                          const struct bake_remote *remote, GError **err);

#endif
