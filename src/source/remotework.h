/* Shared by the parts of remote.h; private to source/remote*.c. */
#ifndef VARVE_SOURCE_REMOTEWORK_H
#define VARVE_SOURCE_REMOTEWORK_H

#include "net/http.h"
#include "source/remote.h"

struct remotes {
    struct remotes_options o; /* as given to remotes_new() */
    GMutex lock;              /* guards known */
    struct http_client *http;
    GHashTable *known; /* op's text (char*) → what it holds (char*): a digest, a commit */
};

/* The text of a secret without blanks around it; NULL when it is not given. */
char *remote_secret(const struct remotes *r, const char *id);
/* The chain recorded under key, or NULL. */
struct chain *remote_find(struct remotes *r, const struct digest *key);
/* Commits tmp, whose index is written, as a layer and records it under key. */
struct chain *remote_keep(struct remotes *r, const struct digest *key, const char *tmp,
                          struct layer_info *info, GError **err);

/* The current content of op: the file's digest as text, or the commit. */
char *remote_http_ask(struct remotes *r, const struct source_op *op, GError **err);
char *remote_git_ask(struct remotes *r, const struct source_op *op, GError **err);
/* Key of the record for op with this content. */
void remote_http_key(const struct source_op *op, const char *holds, struct digest *key);
void remote_git_key(const struct source_op *op, const char *holds, struct digest *key);
/* Fetches it. */
struct chain *remote_http_get(struct remotes *r, const struct source_op *op, const char *holds,
                              GError **err);
struct chain *remote_git_get(struct remotes *r, const struct source_op *op, const char *holds,
                             GError **err);
/* The same as remotes_time(). */
gboolean remote_http_time(struct remotes *r, const struct source_op *op, gint64 *seconds,
                          GError **err);
gboolean remote_git_time(struct remotes *r, const struct source_op *op, const char *holds,
                         gint64 *seconds, GError **err);

#endif
