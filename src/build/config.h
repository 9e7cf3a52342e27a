/* clang-format off */
/* varve.conf: what a user or a machine sets once. Read from /etc/varve/varve.conf and then from
 * $XDG_CONFIG_HOME/varve/varve.conf (~/.config), whose keys win; one file may be named (VARVE_CONFIG)
 * to be read instead of both.
 *
 *     [registry]
 *     insecure=127.0.0.1:5001;lab.example:5000   hosts reached by http, or by https unverified
 *     auth-file=/path/auth.json                  logins, instead of Docker's and Podman's files
 *     ca-file=/path/ca.crt                       certificates to trust besides the system's
 *     tries=5                                    tries of one request
 *     max-wait=60                                seconds to wait for one request, with its retries
 *     stall=30                                   seconds without a byte until a transfer is given up
 *     [mirrors]
 *     docker.io=mirror.example;https://other.example/hub   tried in this order before the host
 *     [run]
 *     network=private        programs must have a network of their own; host: they use the host's
 *
 * A key or group that is not known is an error that names the file. */
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
