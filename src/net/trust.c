#include "net/trust.h"

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

void trust_places_clear(struct trust_places *p)
{
    g_free(p->bundle);
    g_free(p->folder);
    g_free(p->extra);
    g_strfreev(p->hosts);
    *p = (struct trust_places){0};
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

/* The bundle of this system, where it has one. */
static void take_system_bundle(struct trust *t)
{
    for (gsize i = 0; i < G_N_ELEMENTS(BUNDLES) && !t->ca_file; i++)
        if (g_file_test(BUNDLES[i], G_FILE_TEST_EXISTS))
            t->ca_file = g_strdup(BUNDLES[i]);
}

static void find_system(struct trust *t, const struct trust_places *p)
{
    t->ca_file = p ? g_strdup(p->bundle) : NULL;
    t->ca_path = p ? g_strdup(p->folder) : NULL;
    if (t->ca_file || t->ca_path)
        return;
    if (has_hashes(HASHED_FOLDER))
        t->ca_path = g_strdup(HASHED_FOLDER);
    else
        take_system_bundle(t);
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

struct trust *trust_find(const struct trust_places *p, const char *host)
{
    struct trust *t = g_new0(struct trust, 1);
    g_autoptr(GString) pem = g_string_new(NULL);
    find_system(t, p);
    if (p && p->extra)
        add_pem(t, pem, p->extra);
    for (char **dir = p ? p->hosts : NULL; dir && *dir && !strchr(host, '/'); dir++) {
        g_autofree char *folder = g_build_filename(*dir, host, NULL);
        read_host_folder(t, folder, pem);
    }
    if (pem->len == 0)
        return t;
    /* A bundle in memory and a folder do not go together in libcurl: read the bundle instead. */
    if (t->ca_path)
        take_system_bundle(t);
    if (t->ca_file)
        add_pem(t, pem, t->ca_file);
    t->bundle = g_string_free_to_bytes(g_steal_pointer(&pem));
    return t;
}
