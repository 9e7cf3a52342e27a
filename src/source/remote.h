/* Sources on the network: http(s) files and git repositories (OP_SOURCE of SOURCE_HTTP and
 * SOURCE_GIT).
 *
 * Keys contain the current content of such a source, not its URL: the digest of a file, the commit
 * of a repository. It is asked for before keys are made (remotes_resolve). If the Dockerfile
 * specifies it (--checksum, a full commit id) nothing is asked, and a build that has it works
 * without network.
 *
 * The result is kept as a layer under its own record, with the server's ETag and date in the stat
 * cache: an unchanged file costs one request answered without a body. Repositories are kept as bare
 * ones in volumes, so that a new commit only costs its changes. Thread-safe.
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
    GHashTable *secrets;      /* id (char*) → GBytes*: GIT_AUTH_TOKEN and GIT_AUTH_HEADER, also with
                                 ".host"; HTTP_AUTH_TOKEN_host and HTTP_AUTH_HEADER_host; or NULL */
    const char *ssh_agent;    /* socket for repositories over ssh, or NULL */
    const char *token_option; /* what gives a token, for next moves; NULL: a build's --secret */
};
struct remotes;
struct remotes *remotes_new(const struct remotes_options *o);
void remotes_free(struct remotes *r);
/* The current content of op: the file's digest as text, or the commit. Asked for once. */
char *remotes_holds(struct remotes *r, const struct source_op *op, GError **err);
/* The time of that content, in seconds since 1970: the committer's time; the file's date, else that
 * of the newest file in an archive. -1 if unknown. Fetches it if needed. */
gboolean remotes_time(struct remotes *r, const struct source_op *op, gint64 *seconds, GError **err);
/* Text that represents op in keys. NULL on error. */
char *remotes_resolve(struct remotes *r, const struct source_op *op, GError **err);
/* The chain (of one layer) with it; resolves and fetches it if needed.
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
