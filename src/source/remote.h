/* Sources on the network: http(s) files and git repositories (OP_SOURCE of SOURCE_HTTP and
 * SOURCE_GIT).
 *
 * What such a source holds now is asked for before keys are made (remotes_resolve), and is what
 * counts in keys, not its URL: the digest of a file, the commit of a repository. Where the
 * Dockerfile says it
 * (--checksum, a whole commit id) nothing is asked, and a build that has it works without network.
 *
 * What was got is kept as a layer under a record of its own, with the server's ETag and date in the
 * stat cache: a file that did not change costs one request answered without a body. Repositories
 * are kept as bare ones in volumes, so that a new commit costs only what it changed. Thread-safe.
 */
#ifndef VARVE_SOURCE_REMOTE_H
#define VARVE_SOURCE_REMOTE_H

#include "base/cancel.h"
#include "base/event.h"
#include "graph/op.h"
#include "registry/hostconf.h"
#include "store/record.h"
#include "tree/tree.h"

struct remotes_options {
    struct store *store;
    const struct registry_config *registry; /* for its certificates and proxies; or NULL */
    char **env;                             /* for git: git_remote.env; or NULL */
    struct event_sink *events;              /* or NULL */
    struct cancel *cancel;                  /* or NULL */
    GHashTable *secrets;   /* id (char*) → GBytes*: GIT_AUTH_TOKEN and GIT_AUTH_HEADER, also with
                              ".host"; HTTP_AUTH_TOKEN_host and HTTP_AUTH_HEADER_host; or NULL */
    const char *ssh_agent; /* socket for repositories over ssh, or NULL */
};
struct remotes;
struct remotes *remotes_new(const struct remotes_options *o);
void remotes_free(struct remotes *r);
/* What op holds: the file's digest as text, the commit. Asked for once; newly allocated. */
char *remotes_holds(struct remotes *r, const struct source_op *op, GError **err);
/* When that is from, in seconds since 1970: the committer's time; the file's date, else that of the
 * youngest file in it when it is an archive. -1: it does not tell. Gets it if it is not there. */
gboolean remotes_time(struct remotes *r, const struct source_op *op, gint64 *seconds, GError **err);
/* Text that stands for op in keys; newly allocated. NULL on error. */
char *remotes_resolve(struct remotes *r, const struct source_op *op, GError **err);
/* The chain (of one layer) that holds it, got now if it is not there; resolved now if it was not.
 */
struct chain *remotes_chain(struct remotes *r, const struct source_op *op, GError **err);

/* Copies what is selected by pattern of t (a directory's contents, or one file, extracted when
 * unpack and it is an archive) into tmp/fs, a new layer directory whose index is written too.
 * excludes: patterns or NULL. */
gboolean remote_fill(struct store *s, struct cancel *c, struct tree *t, const char *pattern,
                     gboolean unpack, const char *const *excludes, const char *tmp,
                     struct layer_info *info, GError **err);

typedef struct remotes remotes;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(remotes, remotes_free)

#endif
