/* Running the git program with an environment of our own. Internal to source/git*.c. */
#ifndef VARVE_SOURCE_GITRUN_H
#define VARVE_SOURCE_GITRUN_H

#include "source/git.h"

struct gitrun {
    const struct git_remote *remote; /* credentials, certificates; its URL is the remote "varve" */
    const char *dir;                 /* working directory */
    gboolean local;                  /* speaks to files of ours: the file protocol, nothing else */
    guint seconds;                   /* it may take; 0: an hour */
};
/* Runs "git argv…" (without "git"; NULL-terminated) and returns what it printed (at most 4 MiB),
 * newly allocated; NULL when it failed, with what it complained of in the message. No retries. */
char *gitrun(const struct gitrun *g, const char *const *argv, GError **err);

#endif
