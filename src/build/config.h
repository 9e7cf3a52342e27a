/* clang-format off */
/* varve.conf: the configuration of a user or a machine. Read from /etc/varve/varve.conf and then
 * from $XDG_CONFIG_HOME/varve/varve.conf (~/.config), whose keys override; VARVE_CONFIG may name one
 * file to read instead of both.
 *
 *     [registry]
 *     insecure=127.0.0.1:5001;lab.example:5000   hosts to use http, or https unverified, for
 *     auth-file=/path/auth.json                  logins, instead of Docker's and Podman's files
 *     ca-file=/path/ca.crt                       certificates to trust besides the system's
 *     tries=5                                    attempts of one request
 *     max-wait=60                                seconds to wait for one request, with its retries
 *     stall=30                                   seconds without a byte until a transfer fails
 *     [mirrors]
 *     docker.io=mirror.example;https://other.example/hub   tried in this order before the host
 *     [run]
 *     network=private        programs must have their own network; host: they use the host's
 *
 * An unknown key or group is an error that names the file. */
/* clang-format on */
#ifndef VARVE_BUILD_CONFIG_H
#define VARVE_BUILD_CONFIG_H

#include "exec/network.h"
#include "registry/registry.h"
#include "snapshot/snapshot.h"

struct build_config {
    struct registry_config *registry; /* containers' registries.conf included */
    enum netpool_rule network;        /* what programs have by default */
    enum snapshot_driver snapshots;   /* how layers are mounted (VARVE_SNAPSHOT) */
};
/* Reads it. env: "NAME=value" strings of whom it is for (build/userenv.h). file: read instead of
 * the usual ones; NULL or "": these. events gets a warning about what cannot be read of other
 * programs' files; may be NULL. On error *c is empty. */
gboolean build_config_load(struct build_config *c, char **env, const char *file,
                           struct event_sink *events, GError **err);
void build_config_clear(struct build_config *c);

#endif
