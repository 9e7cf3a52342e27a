/* What the builds of one process share: the store's path, the user's configuration, and the number
 * of helper threads for all of them. A front end makes one at its start, without I/O; any number of
 * builds can use it at the same time. Each build opens the store itself, so its leases end with it.
 * Thread-safe. */
#ifndef VARVE_BUILD_SESSION_H
#define VARVE_BUILD_SESSION_H

#include "base/slots.h"
#include "build/config.h"
#include "source/sources.h"

struct session;
struct session_options {
    char **env;       /* "NAME=value" strings of whom the builds are for (build/userenv.h), copied;
                         NULL: none */
    const char *root; /* of the store; NULL: userenv_store_root() */
    const char *config_file; /* read instead of the usual ones (VARVE_CONFIG); NULL: these */
    struct login_port login; /* whom to ask for logins in place of env's files; or none */
    struct slots *slots; /* helping threads of all builds, borrowed; NULL: they are not counted */
};
struct session *session_new(const struct session_options *o);
/* After its builds were freed. */
void session_free(struct session *s);
/* The configuration, owned by the session; read by the first caller (again if that failed). events
 * gets warnings about it, once. */
const struct build_config *session_config(struct session *s, struct event_sink *events,
                                          GError **err);
/* A handle of the store, which the caller closes: session_open_store() of its root. */
struct store *session_store(struct session *s, struct event_sink *events, GError **err);
struct slots *session_slots(const struct session *s); /* or NULL */
char **session_env(const struct session *s);          /* or NULL */

/* The store at root. After a restart of the machine what it wrote last is
 * verified first, and removed where it is damaged; events gets warnings about that. */
struct store *session_open_store(const char *root, struct event_sink *events, GError **err);
/* From now on events gets a warning when another varve is waited for; NULL ends this. */
void session_show_waits(struct store *s, struct event_sink *events);
/* For store_fsck(): compares a layer with its index without reading its files. */
gboolean session_check_sizes(struct store *s, const char *id, GError **err);

/* Pulling an image outside a build. */
struct session_pull {
    const struct registry_config *registry;
    enum pull_policy policy;
    struct event_sink *events; /* or NULL */
    struct cancel *cancel;     /* or NULL */
};
/* Afterwards ref is in the store, unpacked. */
gboolean session_pull(const struct session_pull *how, struct store *s, const struct reference *ref,
                      const struct platform *p, GError **err);

typedef struct session session;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(session, session_free)

#endif
