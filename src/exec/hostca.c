#include "exec/hostca.h"

#include <unistd.h>

#include "base/error.h"

/* Debian and Alpine, Fedora, older Red Hat, SUSE, the BSD place some images copy. */
static const char *const places[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

static const char *const variables[] = {
    "SSL_CERT_FILE",  "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",      "PIP_CERT",
    "AWS_CA_BUNDLE",  "CARGO_HTTP_CAINFO",   "DENO_CERT",
};

char *hostca_find(const char *named, GError **err)
{
    if (named && *named) {
        if (access(named, R_OK) == 0)
            return g_strdup(named);
        error_set(err, VARVE_ERROR_NOT_FOUND,
                  "the CA bundle %s named by SSL_CERT_FILE cannot be read", named);
        error_add_next(err, "correct or unset SSL_CERT_FILE");
        return NULL;
    }
    for (guint i = 0; i < G_N_ELEMENTS(places); i++)
        if (access(places[i], R_OK) == 0)
            return g_strdup(places[i]);
    error_set(err, VARVE_ERROR_NOT_FOUND, "--host-ca: no CA bundle was found on this machine");
    error_add_next(err, "install ca-certificates, or name the bundle in SSL_CERT_FILE");
    return NULL;
}

char **hostca_env(const char *const *env)
{
    char **out = g_strdupv((char **)env);
    if (!out)
        out = g_new0(char *, 1);
    for (guint i = 0; i < G_N_ELEMENTS(variables); i++)
        out = g_environ_setenv(out, variables[i], HOSTCA_DEST, FALSE);
    return out;
}
