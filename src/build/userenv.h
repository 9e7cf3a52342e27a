/* The environment of whoever asks, as values: the only place below the command line that knows the
 * names of variables, so that one process may serve several users. env: their "NAME=value" strings
 * (g_get_environ()), or NULL for none. */
#ifndef VARVE_BUILD_USERENV_H
#define VARVE_BUILD_USERENV_H

#include "registry/hostconf.h"
#include "snapshot/snapshot.h"

/* The value of a variable; NULL where it is not set, or empty. */
const char *userenv_get(char **env, const char *name);
/* VARVE_ROOT, else /var/lib/varve for root, else varve in $XDG_DATA_HOME (~/.local/share). */
char *userenv_store_root(char **env);
/* varve/varve.conf in $XDG_CONFIG_HOME (~/.config). */
char *userenv_config_file(char **env);
/* Docker's config.json, in $DOCKER_CONFIG (~/.docker). */
char *userenv_docker_file(char **env);
/* $CONTAINERS_REGISTRIES_CONF, else containers/registries.conf in $XDG_CONFIG_HOME, else that of
 * /etc. */
char *userenv_registries_conf(char **env);
/* Sets the places of logins, certificates and proxies:
 * - logins: $REGISTRY_AUTH_FILE and nothing else, when it is set; otherwise $DOCKER_AUTH_CONFIG
 *   (JSON), Docker's config.json, containers/auth.json in $XDG_RUNTIME_DIR and $XDG_CONFIG_HOME;
 * - certificates: $CURL_CA_BUNDLE or $SSL_CERT_FILE, $SSL_CERT_DIR, and containers' and Docker's
 *   certs.d;
 * - proxies: http_proxy, https_proxy, all_proxy and no_proxy, but for the first also in capitals,
 *   as curl reads them. */
void userenv_registry(char **env, struct registry_config *c);
/* VARVE_SNAPSHOT. VARVE_ERROR_USAGE for what names no way. */
gboolean userenv_snapshots(char **env, enum snapshot_driver *out, GError **err);

#endif
