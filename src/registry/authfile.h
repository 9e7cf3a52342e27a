/* Docker's config.json and Podman's auth.json: the parts about logins. */
#ifndef VARVE_REGISTRY_AUTHFILE_H
#define VARVE_REGISTRY_AUTHFILE_H

#include "registry/credential.h"

struct authfile;
/* path: read when it exists (else the file is empty). VARVE_ERROR_INVALID when it is not a JSON
 * object. */
struct authfile *authfile_open(const char *path, GError **err);
/* From text; name identifies it in messages. */
struct authfile *authfile_parse(const char *text, gsize len, const char *name, GError **err);
void authfile_free(struct authfile *f);
/* Sets out from the best entry of auths for host/repository; FALSE if none has a login. */
gboolean authfile_entry(const struct authfile *f, const char *host, const char *repository,
                        struct credential *out);
/* The helper responsible for host/repository, or NULL; *server (newly allocated) is what to ask it
 * for. */
const char *authfile_helper(const struct authfile *f, const char *host, const char *repository,
                            char **server);
/* Changes the entry of host and writes the file. username NULL removes it. */
gboolean authfile_write_entry(struct authfile *f, const char *host, const char *username,
                              const char *secret, gboolean *found, GError **err);

typedef struct authfile authfile;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(authfile, authfile_free)

#endif
