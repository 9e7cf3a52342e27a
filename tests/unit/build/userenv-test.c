/* What a user's environment means. */
#include "base/error.h"
#include "base/fs.h"
#include "build/session.h"
#include "build/userenv.h"

#include <unistd.h>

static char *const NOTHING[] = {(char *)"HOME=/home/ann", NULL};
static char *const ALL[] = {(char *)"HOME=/home/ann",
                            (char *)"XDG_CONFIG_HOME=/config",
                            (char *)"XDG_RUNTIME_DIR=/run/ann",
                            (char *)"XDG_DATA_HOME=",
                            (char *)"VARVE_ROOT=/store",
                            (char *)"DOCKER_CONFIG=/docker",
                            (char *)"DOCKER_AUTH_CONFIG={}",
                            (char *)"CONTAINERS_REGISTRIES_CONF=/r.conf",
                            (char *)"SSL_CERT_FILE=/second.pem",
                            (char *)"CURL_CA_BUNDLE=/first.pem",
                            (char *)"SSL_CERT_DIR=/hashed",
                            (char *)"HTTP_PROXY=http://never:1",
                            (char *)"HTTPS_PROXY=http://s:1",
                            (char *)"all_proxy=http://a:1",
                            (char *)"ALL_PROXY=http://never:1",
                            (char *)"no_proxy=.example.org",
                            (char *)"VARVE_SNAPSHOT=copy",
                            NULL};

static void expect(char *got, const char *want)
{
    g_assert_cmpstr(got, ==, want);
    g_free(got);
}

static void test_files(void)
{
    char **none = (char **)NOTHING, **all = (char **)ALL;
    expect(userenv_docker_file(none), "/home/ann/.docker/config.json");
    expect(userenv_docker_file(all), "/docker/config.json");
    expect(userenv_config_file(none), "/home/ann/.config/varve/varve.conf");
    expect(userenv_config_file(all), "/config/varve/varve.conf");
    expect(userenv_registries_conf(none), "/etc/containers/registries.conf");
    expect(userenv_registries_conf(all), "/r.conf");
    expect(userenv_store_root(all), "/store");
    g_assert_null(userenv_get(all, "XDG_DATA_HOME"));
    g_assert_null(userenv_get(NULL, "HOME"));
}

static void test_registry(void)
{
    g_autoptr(registry_config) none = registry_config_new();
    g_autoptr(registry_config) all = registry_config_new();
    userenv_registry((char **)NOTHING, none);
    userenv_registry((char **)ALL, all);
    g_autofree char *few = g_strjoinv(" ", none->logins.files);
    g_autofree char *many = g_strjoinv(" ", all->logins.files);
    g_assert_cmpstr(few, ==,
                    "/home/ann/.docker/config.json /home/ann/.config/containers/auth.json");
    g_assert_cmpstr(
        many, ==, "/docker/config.json /run/ann/containers/auth.json /config/containers/auth.json");
    g_assert_cmpstr(all->logins.text, ==, "{}");
    g_assert_null(none->trust.bundle);
    g_assert_cmpstr(all->trust.bundle, ==, "/first.pem");
    g_assert_cmpstr(all->trust.folder, ==, "/hashed");
    g_assert_cmpstr(all->trust.hosts[0], ==, "/config/containers/certs.d");
    g_assert_null(all->proxies.http);
    g_assert_cmpstr(all->proxies.https, ==, "http://s:1");
    g_assert_cmpstr(all->proxies.all, ==, "http://a:1");
    g_assert_cmpstr(all->proxies.none, ==, ".example.org");
}

static void test_snapshots(void)
{
    char *bad[] = {(char *)"VARVE_SNAPSHOT=zfs", NULL};
    enum snapshot_driver d;
    g_autoptr(GError) err = NULL;
    g_assert_true(userenv_snapshots(NULL, &d, NULL));
    g_assert_cmpint(d, ==, DRIVER_AUTO);
    g_assert_true(userenv_snapshots((char **)ALL, &d, NULL));
    g_assert_cmpint(d, ==, DRIVER_COPY);
    g_assert_false(userenv_snapshots(bad, &d, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
}

static gboolean no_login(gpointer ctx, const char *host, const char *repository,
                         struct credential *out, GError **err)
{
    return TRUE;
}

/* Two sessions of one process have nothing of each other's. */
static void test_sessions(void)
{
    g_autofree char *file = NULL;
    fd_auto int fd = g_file_open_tmp("varve-conf-XXXXXX", &file, NULL);
    struct session_options so = {
        .env = (char **)ALL, .config_file = file, .login = {no_login, NULL}};
    struct session_options other = {.env = (char **)NOTHING, .root = "/other", .config_file = file};
    g_autoptr(session) a = session_new(&so);
    g_autoptr(session) b = session_new(&other);
    const struct build_config *of_a = session_config(a, NULL, NULL);
    const struct build_config *of_b = session_config(b, NULL, NULL);
    unlink(file);
    g_assert_true(of_a && of_b);
    g_assert_true(of_a->registry->login.find == no_login);
    g_assert_null(of_b->registry->login.find);
    g_assert_cmpint(of_a->snapshots, ==, DRIVER_COPY);
    g_assert_cmpint(of_b->snapshots, ==, DRIVER_AUTO);
    g_assert_null(of_b->registry->proxies.https);
    g_assert_cmpstr(userenv_get(session_env(a), "DOCKER_CONFIG"), ==, "/docker");
    g_assert_null(userenv_get(session_env(b), "DOCKER_CONFIG"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/build/userenv/files", test_files);
    g_test_add_func("/build/userenv/registry", test_registry);
    g_test_add_func("/build/userenv/snapshots", test_snapshots);
    g_test_add_func("/build/userenv/sessions", test_sessions);
    return g_test_run();
}
