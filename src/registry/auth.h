/* Authorization for requests to registries: the distribution project's token protocol (Bearer) and
 * Basic. Remembers each host's challenge, and tokens per scope until shortly before they expire.
 * Thread-safe; threads that need the same token fetch it once. */
#ifndef VARVE_REGISTRY_AUTH_H
#define VARVE_REGISTRY_AUTH_H

#include "net/http.h"
#include "registry/challenge.h"
#include "registry/credential.h"

struct auth;
/* All borrowed. */
struct auth *auth_new(struct http_client *http, const struct registry_config *config,
                      struct cancel *c);
void auth_free(struct auth *a);
/* Uses this login for host instead of those in files (to check a login). */
void auth_set_login(struct auth *a, const char *host, const char *username, const char *secret);

struct auth_grant {
    char *header;         /* Authorization's value; NULL: send none */
    gboolean fresh;       /* made for this call: a refusal is final */
    gboolean temporary;   /* after an error: trying again may help */
    gint64 retry_after_s; /* after an error: the token server's Retry-After, or -1 */
};
void auth_grant_clear(struct auth_grant *g);
/* What to send to route for scopes (blank-separated "repository:<name>:<actions>", or ""). Errors
 * name the token server: VARVE_ERROR_DENIED when there is no login or it is refused,
 * VARVE_ERROR_OUTSIDE, VARVE_ERROR_INVALID. */
gboolean auth_take(struct auth *a, const struct route *route, const char *scopes,
                   struct auth_grant *out, GError **err);
/* The host answered 401 to a request sent with header (or NULL): stores the challenge, drops the
 * token. FALSE if there is no challenge that can be answered. */
gboolean auth_refused(struct auth *a, const struct route *route, const char *scopes,
                      const char *header, const struct challenge *challenge);
/* "the login from X", "no login was found": for messages. */
char *auth_login_text(struct auth *a, const struct route *route);

typedef struct auth auth;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(auth, auth_free)
typedef struct auth_grant auth_grant;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(auth_grant, auth_grant_clear)

#endif
