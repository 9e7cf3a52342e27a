/* Docker's credential helpers: programs docker-credential-<name> that take an action as argument
 * and talk over standard input and output. env: their environment, "NAME=value", in whose PATH they
 * are looked for; NULL: this process's. */
#ifndef VARVE_REGISTRY_HELPER_H
#define VARVE_REGISTRY_HELPER_H

#include "base/cancel.h"

struct helper_login {
    char *username; /* "<token>" marks an identity token */
    char *secret;   /* password or token */
};
void helper_login_clear(struct helper_login *l);

/* Asks for the login of server. TRUE with NULL members when the helper knows none.
 * VARVE_ERROR_FAILED when it is not installed, fails, hangs for 60 s or answers nonsense. */
gboolean helper_get(const char *name, const char *server, char **env, struct cancel *c,
                    struct helper_login *out, GError **err);
gboolean helper_store(const char *name, const char *server, char **env,
                      const struct helper_login *l, struct cancel *c, GError **err);
/* A login that is not there is fine. */
gboolean helper_erase(const char *name, const char *server, char **env, struct cancel *c,
                      GError **err);

typedef struct helper_login helper_login;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(helper_login, helper_login_clear)

#endif
