/* --host-ca: makes the host's CA bundle usable inside RUN: mounted read-only at a fixed place, with
 * the usual variables pointing to it where the step does not set them itself. Never in a layer, key
 * or history. */
#ifndef VARVE_EXEC_HOSTCA_H
#define VARVE_EXEC_HOSTCA_H

#include <glib.h>

#define HOSTCA_DEST "/run/varve/host-ca.crt"

/* Finds the bundle (named, as SSL_CERT_FILE does, else in the places distributions use; named may
 * be NULL or ""), newly allocated; NULL with NOT_FOUND. */
char *hostca_find(const char *named, GError **err);
/* env with SSL_CERT_FILE, NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, GIT_SSL_CAINFO,
 * PIP_CERT, AWS_CA_BUNDLE, CARGO_HTTP_CAINFO, DENO_CERT added where unset; newly allocated. */
char **hostca_env(const char *const *env);

#endif
