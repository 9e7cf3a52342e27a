/* A bake definition that is elsewhere: in a git repository, in an archive at a URL, or one file
 * there. Paths of its targets' contexts are inside it. */
#ifndef VARVE_BAKE_REMOTE_H
#define VARVE_BAKE_REMOTE_H

#include "source/remote.h"
#include "text/giturl.h"

#define BAKE_REMOTE_MAX_FILE                                                                       \
    (2 << 20) /* bytes of a file that is the whole definition, as Docker's */

struct bake_remote {
    char *url;          /* as given: what a context "." means */
    char *shown;        /* the same for people, without a password */
    char *dir;          /* of its files, in the store; NULL: it is one file */
    GBytes *file;       /* that file; else NULL */
    struct giturl *git; /* of a repository; else NULL */
    char *commit;       /* likewise */
};

/* Whether a word of the command line names a remote definition, not a target. */
gboolean bake_remote_is(const char *word);
/* Fetches it into o->store, which must stay open as long as the result. Errors name the URL without
 * a password. */
struct bake_remote *bake_remote_fetch(const struct remotes_options *o, const char *url,
                                      GError **err);
void bake_remote_free(struct bake_remote *r);
/* A file in it. Links do not lead outside. NULL with VARVE_ERROR_NOT_FOUND, or what reading said.
 */
GBytes *bake_remote_read(const struct bake_remote *r, const char *path, gsize max, GError **err);
gboolean bake_remote_has(const struct bake_remote *r, const char *path);
/* What a build takes for a target's context (or a value of contexts) that is a path inside it: a
 * URL of the repository at the commit that was read, or a directory of the archive. r->dir must be
 * set. VARVE_ERROR_INVALID: the path leads outside, VARVE_ERROR_NOT_FOUND: it is no directory. */
char *bake_remote_context(const struct bake_remote *r, const char *path, GError **err);

typedef struct bake_remote bake_remote;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(bake_remote, bake_remote_free)

#endif
