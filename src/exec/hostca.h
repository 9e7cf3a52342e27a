/* --host-ca: makes the host's CA bundle usable inside RUN: mounts it read-only at a fixed path and
 * points the usual variables to it, unless the step sets them itself. Never in a layer, key or
 * history. */
#ifndef VARVE_EXEC_HOSTCA_H
#define VARVE_EXEC_HOSTCA_H

#include <glib.h>

#define HOSTCA_DEST "/run/varve/host-ca.crt"

/* Finds the bundle: named, as in SSL_CERT_FILE, or if that is NULL or "" where distributions have
 * it. NULL with NOT_FOUND. */
char *hostca_find(const char *named, GError **err);
/* env with SSL_CERT_FILE, NODE_EXTRA_CA_CERTS, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, GIT_SSL_CAINFO,
 * PIP_CERT, AWS_CA_BUNDLE, CARGO_HTTP_CAINFO, DENO_CERT added where unset; newly allocated. */
char **hostca_env(const char *const *env);

#endif
