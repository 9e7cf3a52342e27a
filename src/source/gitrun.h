/* Running the git program with a controlled environment. Internal to source/git*.c. */
#ifndef VARVE_SOURCE_GITRUN_H
#define VARVE_SOURCE_GITRUN_H

#include "source/git.h"

struct gitrun {
    const struct git_remote *remote; /* credentials, certificates; its URL is the remote "varve" */
    const char *dir;                 /* working directory */
    gboolean local;                  /* uses our own files: only the file protocol is allowed */
    guint seconds;                   /* time limit; 0: an hour */
};
/* Runs "git argv…" (without "git"; NULL-terminated) and returns what it printed (at most 4 MiB);
 * NULL if it failed, with its error output in the message. No retries. */
char *gitrun(const struct gitrun *g, const char *const *argv, GError **err);

#endif
