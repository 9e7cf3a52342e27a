/* clang-format off */
/* varve.conf: what a user or a machine sets once. Read from /etc/varve/varve.conf and then from
 * $XDG_CONFIG_HOME/varve/varve.conf (~/.config), whose keys win; VARVE_CONFIG names one file to be
 * read instead of both.
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
#ifndef VARVE_CLI_CONFIG_H
#define VARVE_CLI_CONFIG_H

#include "exec/network.h"
#include "registry/registry.h"

/* The registries' part of the configuration, containers' registries.conf included. The caller frees
 * it. *network (may be NULL): what network programs have by default. */
struct registry_config *config_load_registry(enum netpool_rule *network, GError **err);

#endif
