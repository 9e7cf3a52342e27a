#include "registry/proxies.h"

#include "base/error.h"
#include "base/fs.h"

#include <fcntl.h>
#include <jansson.h>
#include <unistd.h>

#define MAX_FILE (4 * 1024 * 1024)
#define DEFAULT_ENGINE "unix:///var/run/docker.sock"

static json_t *parse_docker_config(const char *path, GError **err)
{
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, MAX_FILE, err);
    if (!bytes)
        return NULL;
    gsize len;
    json_error_t e;
    const char *text = g_bytes_get_data(bytes, &len);
    json_t *root = len ? json_loadb(text, len, 0, &e) : json_object();
    if (!root)
        error_set(err, VARVE_ERROR_INVALID, "%s: %s", path, e.text);
    return root;
}

/* The entry of this engine; NULL when there is none. */
static json_t *find_entry(json_t *root, const char *engine)
{
    json_t *proxies = json_object_get(root, "proxies");
    json_t *own = json_object_get(proxies, engine ? engine : DEFAULT_ENGINE);
    return own ? own : json_object_get(proxies, "default");
}

static char **list(json_t *entry)
{
    static const struct {
        const char *key, *name;
    } known[] = {{"httpProxy", "HTTP_PROXY"},
                 {"httpsProxy", "HTTPS_PROXY"},
                 {"noProxy", "NO_PROXY"},
                 {"ftpProxy", "FTP_PROXY"},
                 {"allProxy", "ALL_PROXY"}};
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();
    for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
        const char *value = json_string_value(json_object_get(entry, known[i].key));
        if (!value || !*value)
            continue;
        g_autofree char *lower = g_ascii_strdown(known[i].name, -1);
        g_autofree char *upper_line = g_strconcat(known[i].name, "=", value, NULL);
        g_autofree char *lower_line = g_strconcat(lower, "=", value, NULL);
        g_strv_builder_add(b, upper_line);
        g_strv_builder_add(b, lower_line);
    }
    return g_strv_builder_end(b);
}

char **proxies_load(const char *file, const char *host, GError **err)
{
    if (access(file, F_OK) < 0)
        return g_new0(char *, 1);
    json_t *root = parse_docker_config(file, err);
    if (!root)
        return NULL;
    char **lines = list(find_entry(root, host));
    json_decref(root);
    return lines;
}
