/* Logins for registries, as Docker and Podman keep them. */
#ifndef VARVE_REGISTRY_CREDENTIAL_H
#define VARVE_REGISTRY_CREDENTIAL_H

#include "base/cancel.h"
#include "registry/hostconf.h"

struct credential {
    char *username;       /* with secret, or NULL */
    char *secret;         /* password or token, or NULL */
    char *identity_token; /* an OAuth2 refresh token, or NULL */
    char *registry_token; /* a bearer token to use directly, or NULL */
    char *source;         /* where it was found, for messages; NULL when there is none */
    char *problem;        /* why a file or helper could not be read, for messages; or NULL */
};

/* The login for host ("docker.io", "example.org:5000") and repository ("library/node", or "" for
 * any): what config's port says, else what its files say; in each the longest "host/path" of auths
 * and credHelpers, then credsStore. config may be NULL. Never NULL: what cannot be read is a
 * problem to mention when the registry refuses, not an error. */
struct credential *credential_find(const struct registry_config *config, const char *host,
                                   const char *repository, struct cancel *c);
void credential_free(struct credential *c);
/* TRUE when there is nothing to log in with. */
static inline gboolean credential_is_empty(const struct credential *c)
{
    return !(c->username && c->secret) && !c->identity_token && !c->registry_token;
}

/* Keeps a login where Docker would: with the helper that the file names, else in its auths (mode
 * 0600, replaced as a whole, everything else in the file kept). A file that cannot be parsed is
 * left alone (VARVE_ERROR_INVALID). Without a file, or with a port, VARVE_ERROR_UNSUPPORTED. */
gboolean credential_store(const struct registry_config *config, const char *host,
                          const char *username, const char *secret, struct cancel *c, GError **err);
/* *found (may be NULL) says whether there was one. */
gboolean credential_erase(const struct registry_config *config, const char *host, gboolean *found,
                          struct cancel *c, GError **err);

typedef struct credential credential;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(credential, credential_free)

#endif
