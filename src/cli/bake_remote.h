/* The words of `varve bake` that name a definition elsewhere: [URL [URL]] [TARGET…]. */
#ifndef VARVE_CLI_BAKE_REMOTE_H
#define VARVE_CLI_BAKE_REMOTE_H

#include "bake/bake.h"
#include "store/store.h"

/* What the words name. */
struct bake_place {
    struct store *store;        /* holds the definition; NULL: it is here */
    struct bake_remote *remote; /* likewise */
    const char *cmd_context;    /* the second URL, borrowed; NULL: none */
    char **targets;             /* the other words, borrowed */
    GHashTable *secrets; /* the logins as secrets of builds, whose contexts may be in the same
                          * repository: id → GBytes *; NULL: the definition is here */
};
/* words: the arguments, NULL-terminated. Fetches a remote definition, with the logins of
 * BUILDX_BAKE_GIT_AUTH_TOKEN, BUILDX_BAKE_GIT_AUTH_HEADER and BUILDX_BAKE_GIT_SSH (environment:
 * char * → char *), and notes when it is one file, so that -f (files, may be NULL) means nothing.
 */
gboolean bake_place_open(struct bake_place *p, char **words, char **files, GHashTable *environment,
                         GError **err);
void bake_place_close(struct bake_place *p);

#endif
