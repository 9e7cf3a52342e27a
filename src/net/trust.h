/* Which certificates to trust and to show for a host. */
#ifndef VARVE_NET_TRUST_H
#define VARVE_NET_TRUST_H

#include <glib.h>

/* Where they are looked for; all may be NULL. Strings are the struct's own. */
struct trust_places {
    char *bundle; /* a bundle to trust (CURL_CA_BUNDLE, SSL_CERT_FILE) */
    char *folder; /* a folder of hashed certificates to trust (SSL_CERT_DIR). Without both: where
                     systems have them */
    char *extra;  /* a bundle to trust besides */
    char **hosts; /* folders that may have a folder HOST with *.crt to trust besides, and *.cert
                     with *.key to show; all are read, in this order */
};
void trust_places_clear(struct trust_places *p);

struct trust {
    char *ca_file;  /* bundle to trust, or NULL */
    char *ca_path;  /* folder of hashed certificates to trust, or NULL */
    GBytes *bundle; /* PEM to trust instead of both, or NULL */
    char *cert;     /* client certificate (PEM file), or NULL */
    char *key;      /* its key, or NULL */
    char *problem;  /* why a configured file cannot be used, or NULL */
};

/* host is "host" or "host:port"; p may be NULL. Where nothing is configured a folder of hashed
 * certificates is preferred to a bundle, for OpenSSL reads only what it needs from it. */
struct trust *trust_find(const struct trust_places *p, const char *host);
void trust_free(struct trust *t);

#endif
