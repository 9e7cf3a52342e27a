#include "registry/trust.h"

#include "base/fs.h"

#include <fcntl.h>
#include <string.h>

#define MAX_BUNDLE (16 * 1024 * 1024)

static const char *const BUNDLES[] = {"/etc/ssl/certs/ca-certificates.crt",
                                      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};
#define HASHED_FOLDER "/etc/ssl/certs"

void trust_free(struct trust *t)
{
    if (!t)
        return;
    g_free(t->ca_file);
    g_free(t->ca_path);
    g_clear_pointer(&t->bundle, g_bytes_unref);
    g_free(t->cert);
    g_free(t->key);
    g_free(t->problem);
    g_free(t);
}

static const char *env(const char *name)
{
    const char *value = g_getenv(name);
    return value && *value ? value : NULL;
}

static gboolean has_hashes(const char *folder)
{
    fd_auto int fd = fs_open_dir(AT_FDCWD, folder, NULL);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : fs_list(fd, NULL);
    for (guint i = 0; names && i < names->len; i++)
        if (g_str_has_suffix(g_ptr_array_index(names, i), ".0"))
            return TRUE;
    return FALSE;
}

static void find_system(struct trust *t)
{
    const char *file = env("CURL_CA_BUNDLE");
    file = file ? file : env("SSL_CERT_FILE");
    const char *folder = env("SSL_CERT_DIR");
    t->ca_file = g_strdup(file);
    t->ca_path = g_strdup(folder);
    if (file || folder)
        return;
    if (has_hashes(HASHED_FOLDER)) {
        t->ca_path = g_strdup(HASHED_FOLDER);
        return;
    }
    for (gsize i = 0; i < G_N_ELEMENTS(BUNDLES) && !t->ca_file; i++)
        if (g_file_test(BUNDLES[i], G_FILE_TEST_EXISTS))
            t->ca_file = g_strdup(BUNDLES[i]);
}

static void add_pem(struct trust *t, GString *pem, const char *path)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, MAX_BUNDLE, &err);
    if (!bytes) {
        g_free(t->problem);
        t->problem = g_strdup(err->message);
        return;
    }
    g_string_append_len(pem, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_string_append_c(pem, '\n');
}

static void read_host_folder(struct trust *t, const char *folder, GString *pem)
{
    fd_auto int fd = fs_open_dir(AT_FDCWD, folder, NULL);
    g_autoptr(GPtrArray) names = fd < 0 ? NULL : fs_list(fd, NULL);
    for (guint i = 0; names && i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_suffix(name, ".crt"))
            add_pem(t, pem, path);
        if (t->cert || !g_str_has_suffix(name, ".cert"))
            continue;
        t->key = g_strconcat(path, NULL);
        strcpy(t->key + strlen(t->key) - strlen("cert"), "key");
        t->cert = g_steal_pointer(&path);
    }
}

/* The folders in order; all that exist are read. */
static void read_host_folders(struct trust *t, const char *host, GString *pem)
{
    const char *config = g_get_user_config_dir();
    char *folders[] = {
        g_build_filename(config, "containers", "certs.d", host, NULL),
        g_build_filename(config, "docker", "certs.d", host, NULL),
        g_build_filename("/etc/containers/certs.d", host, NULL),
        g_build_filename("/etc/docker/certs.d", host, NULL),
    };
    for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
        read_host_folder(t, folders[i], pem);
        g_free(folders[i]);
    }
}

struct trust *trust_find(const struct registry_config *c, const char *host)
{
    struct trust *t = g_new0(struct trust, 1);
    g_autoptr(GString) pem = g_string_new(NULL);
    find_system(t);
    if (c && c->ca_file)
        add_pem(t, pem, c->ca_file);
    if (!strchr(host, '/'))
        read_host_folders(t, host, pem);
    if (pem->len == 0)
        return t;
    if (!t->ca_file && t->ca_path) {
        /* A bundle in memory and a folder do not go together in libcurl: read the bundle instead.
         */
        for (gsize i = 0; i < G_N_ELEMENTS(BUNDLES) && !t->ca_file; i++)
            if (g_file_test(BUNDLES[i], G_FILE_TEST_EXISTS))
                t->ca_file = g_strdup(BUNDLES[i]);
    }
    if (t->ca_file)
        add_pem(t, pem, t->ca_file);
    t->bundle = g_string_free_to_bytes(g_steal_pointer(&pem));
    return t;
}
