/* HTTP for registries over libcurl: one session per command, connections kept and shared by threads, retries
 * with Retry-After and exponential backoff with jitter (bounded: 5 tries, 60 s in all), redirects
 * without passing Authorization to another host, certificates verified against the system's bundle (or
 * certs.d-style per-host files), plain http only for loopback hosts and hosts marked insecure. */
#ifndef VARVE_REGISTRY_TRANSPORT_H
#define VARVE_REGISTRY_TRANSPORT_H

#include "base/cancel.h"
#include "base/event.h"

/* What the user configured about hosts. All strings owned by the struct. */
struct registry_config {
    GHashTable *mirrors;    /* host → GPtrArray of char* base URLs or hosts, tried before the host itself */
    GHashTable *insecure;   /* set of hosts: http, or https unverified */
    char *auth_file;        /* REGISTRY_AUTH_FILE-style override or NULL */
    char *ca_file;          /* extra CA bundle or NULL */
    guint tries;            /* 0: default 5 */
    guint max_wait_s;       /* 0: default 60: longest total waiting on retries */
    guint stall_s;          /* 0: default 30: a transfer slower than 1 byte/s for this long is dead */
};
struct registry_config *registry_config_new(void);
/* Mirrors of containers' registries.conf, when the file exists; else nothing changes. */
gboolean registry_config_load_containers(struct registry_config *c, GError **err);
void registry_config_free(struct registry_config *c);

typedef struct registry_config registry_config;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(registry_config, registry_config_free)

#endif
