/* Logins for registries, as Docker and Podman keep them. */
#ifndef VARVE_REGISTRY_CREDENTIAL_H
#define VARVE_REGISTRY_CREDENTIAL_H

#include "base/cancel.h"
#include "registry/hostconf.h"

struct credential {
    char *username; /* with secret, or NULL */
    char *secret;
    char *identity_token; /* an OAuth2 refresh token, or NULL */
    char *registry_token; /* a bearer token to use as it is, or NULL */
    char *source;         /* where it was found, for messages; NULL when there is none */
    char *problem;        /* why a place could not be read, for messages; or NULL */
};

/* The login for host ("docker.io", "example.org:5000") and repository ("library/node", or "" for
 * any). Looks into the configured file or $REGISTRY_AUTH_FILE and nothing else when one is set;
 * otherwise $DOCKER_AUTH_CONFIG (JSON text), $DOCKER_CONFIG or ~/.docker/config.json,
 * $XDG_RUNTIME_DIR/containers/auth.json and the user's containers/auth.json. In each: the longest
 * "host/path" of auths and credHelpers, then credsStore. Never NULL: what cannot be read is a
 * problem to mention when the registry refuses, not an error. */
struct credential *credential_find(const struct registry_config *config, const char *host,
                                   const char *repository, struct cancel *c);
void credential_free(struct credential *c);
/* TRUE when there is nothing to log in with. */
static inline gboolean credential_is_empty(const struct credential *c)
{
    return !(c->username && c->secret) && !c->identity_token && !c->registry_token;
}

/* Docker's config.json: in $DOCKER_CONFIG, else in ~/.docker; newly allocated. */
char *credential_docker_file(void);

/* Keeps a login where Docker would: with the helper that the file names, else in its auths (mode
 * 0600, replaced as a whole, everything else in the file kept). A file that cannot be parsed is
 * left alone (VARVE_ERROR_INVALID). */
gboolean credential_store(const struct registry_config *config, const char *host,
                          const char *username, const char *secret, struct cancel *c, GError **err);
/* *found (may be NULL) says whether there was one. */
gboolean credential_erase(const struct registry_config *config, const char *host, gboolean *found,
                          struct cancel *c, GError **err);

typedef struct credential credential;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(credential, credential_free)

#endif
