#include "build/userenv.h"

#include "base/error.h"

#include <unistd.h>

const char *userenv_get(char **env, const char *name)
{
    const char *value = env ? g_environ_getenv(env, name) : NULL;
    return value && *value ? value : NULL;
}

static const char *home_of(char **env)
{
    const char *home = userenv_get(env, "HOME");
    return home ? home : g_get_home_dir();
}

/* The folder that a variable of the XDG base directories names, else one in the home. */
static char *xdg_folder(char **env, const char *name, const char *otherwise)
{
    const char *folder = userenv_get(env, name);
    return folder ? g_strdup(folder) : g_build_filename(home_of(env), otherwise, NULL);
}

static char *config_folder(char **env)
{
    return xdg_folder(env, "XDG_CONFIG_HOME", ".config");
}

char *userenv_store_root(char **env)
{
    const char *given = userenv_get(env, "VARVE_ROOT");
    if (given || geteuid() == 0)
        return g_strdup(given ? given : "/var/lib/varve");
    g_autofree char *data = xdg_folder(env, "XDG_DATA_HOME", ".local/share");
    return g_build_filename(data, "varve", NULL);
}

char *userenv_config_file(char **env)
{
    g_autofree char *folder = config_folder(env);
    return g_build_filename(folder, "varve", "varve.conf", NULL);
}

char *userenv_docker_file(char **env)
{
    g_autofree char *folder = xdg_folder(env, "DOCKER_CONFIG", ".docker");
    return g_build_filename(folder, "config.json", NULL);
}

char *userenv_registries_conf(char **env)
{
    const char *given = userenv_get(env, "CONTAINERS_REGISTRIES_CONF");
    if (given)
        return g_strdup(given);
    g_autofree char *folder = config_folder(env);
    g_autofree char *own = g_build_filename(folder, "containers", "registries.conf", NULL);
    return g_file_test(own, G_FILE_TEST_EXISTS) ? g_steal_pointer(&own)
                                                : g_strdup("/etc/containers/registries.conf");
}

/* Takes a path into a list. */
static void add_path(GStrvBuilder *b, const char *folder, const char *rest)
{
    g_autofree char *path = g_build_filename(folder, rest, NULL);
    g_strv_builder_add(b, path);
}

static void set_logins(char **env, struct login_places *p)
{
    g_autoptr(GStrvBuilder) files = g_strv_builder_new();
    g_autofree char *docker = userenv_docker_file(env), *config = config_folder(env);
    const char *runtime = userenv_get(env, "XDG_RUNTIME_DIR");
    g_strv_builder_add(files, docker);
    if (runtime)
        add_path(files, runtime, "containers/auth.json");
    add_path(files, config, "containers/auth.json");
    p->only = g_strdup(userenv_get(env, "REGISTRY_AUTH_FILE"));
    p->text = g_strdup(userenv_get(env, "DOCKER_AUTH_CONFIG"));
    p->files = g_strv_builder_end(files);
    p->env = g_strdupv(env);
}

static void set_trust(char **env, struct trust_places *p)
{
    g_autoptr(GStrvBuilder) hosts = g_strv_builder_new();
    g_autofree char *config = config_folder(env);
    const char *bundle = userenv_get(env, "CURL_CA_BUNDLE");
    add_path(hosts, config, "containers/certs.d");
    add_path(hosts, config, "docker/certs.d");
    g_strv_builder_add(hosts, "/etc/containers/certs.d");
    g_strv_builder_add(hosts, "/etc/docker/certs.d");
    p->bundle = g_strdup(bundle ? bundle : userenv_get(env, "SSL_CERT_FILE"));
    p->folder = g_strdup(userenv_get(env, "SSL_CERT_DIR"));
    p->hosts = g_strv_builder_end(hosts);
}

static char *either(char **env, const char *name)
{
    g_autofree char *capitals = g_ascii_strup(name, -1);
    const char *value = userenv_get(env, name);
    return g_strdup(value ? value : userenv_get(env, capitals));
}

/* HTTP_PROXY is what a web server hands to its scripts for a header "Proxy": it is not asked. */
static void set_proxies(char **env, struct http_proxies *p)
{
    p->http = g_strdup(userenv_get(env, "http_proxy"));
    p->https = either(env, "https_proxy");
    p->all = either(env, "all_proxy");
    p->none = either(env, "no_proxy");
}

void userenv_registry(char **env, struct registry_config *c)
{
    set_logins(env, &c->logins);
    set_trust(env, &c->trust);
    set_proxies(env, &c->proxies);
}

gboolean userenv_snapshots(char **env, enum snapshot_driver *out, GError **err)
{
    const char *text = userenv_get(env, "VARVE_SNAPSHOT");
    if (snapshot_driver_parse(text ? text : "auto", out))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "VARVE_SNAPSHOT=%s names no way to mount layers", text);
    error_add_next(err, "use auto, overlay, classic or copy");
    return FALSE;
}
