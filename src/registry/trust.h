/* Which certificates to trust and to show for a host. */
#ifndef VARVE_REGISTRY_TRUST_H
#define VARVE_REGISTRY_TRUST_H

#include "registry/hostconf.h"

struct trust {
    char *ca_file;  /* bundle to trust, or NULL */
    char *ca_path;  /* folder of hashed certificates to trust, or NULL */
    GBytes *bundle; /* PEM to trust instead of both, or NULL */
    char *cert;     /* client certificate (PEM file), or NULL */
    char *key;      /* its key, or NULL */
    char *problem;  /* why a configured file cannot be used, or NULL */
};

/* host is "host" or "host:port". Reads the environment (CURL_CA_BUNDLE, SSL_CERT_FILE,
 * SSL_CERT_DIR), the configuration and the certs.d/<host> folders of containers and Docker (*.crt,
 * *.cert with *.key). Where nothing is configured a folder of hashed certificates is preferred to a
 * bundle, for OpenSSL reads only what it needs from it. */
struct trust *trust_find(const struct registry_config *c, const char *host);
void trust_free(struct trust *t);

#endif
