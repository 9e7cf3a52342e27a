/* The client against the distribution project's own registry (Debian's docker-registry), with TLS
 * and passwords. Skipped where it is not installed. */
#include "fixture.h"

#include "base/error.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define USER "ann"
#define PASSWORD "s3cret"
#define LAYER (3 * 1000 * 1000)

struct real {
    char *folder;
    GPid pid;
    guint port;
    char *host;
    struct store *store;
    struct registry_config *config;
    struct image image;
    struct reference *ref;
};

static void write_file(const struct real *w, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(w->folder, name, NULL);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *run_in(const struct real *w, const char *command)
{
    char *out = NULL;
    int status = -1;
    GError *err = NULL;
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)command, NULL};
    g_spawn_sync(w->folder, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL, &status,
                 &err);
    g_assert_no_error(err);
    g_assert_cmpint(status, ==, 0);
    return out;
}

static void write_config(const struct real *w, gboolean tls)
{
    g_autofree char *secure = g_strdup_printf("  tls:\n    certificate: %s/cert.pem\n    key: "
                                              "%s/key.pem\nauth:\n  htpasswd:\n    realm: test\n"
                                              "    path: %s/htpasswd\n",
                                              w->folder, w->folder, w->folder);
    g_autofree char *text =
        g_strdup_printf("version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n"
                        "storage:\n  filesystem:\n    rootdirectory: %s/data\n"
                        "http:\n  addr: 127.0.0.1:%u\n%s",
                        w->folder, w->port, tls ? secure : "");
    write_file(w, "config.yml", text);
}

static void start(struct real *w, gboolean tls)
{
    GError *err = NULL;
    w->folder = fixture_folder();
    w->port = free_port();
    w->host = g_strdup_printf("127.0.0.1:%u", w->port);
    g_free(run_in(w, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                     "-subj /CN=test "
                     "-addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"));
    g_free(run_in(w, "htpasswd -Bbn -C 4 " USER " " PASSWORD " >htpasswd"));
    write_config(w, tls);
    char *argv[] = {(char *)"docker-registry", (char *)"serve", (char *)"config.yml", NULL};
    g_spawn_async(w->folder, argv, NULL,
                  G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL |
                      G_SPAWN_STDOUT_TO_DEV_NULL,
                  NULL, NULL, &w->pid, &err);
    g_assert_no_error(err);
    g_assert_true(wait_for_port(w->port));
    g_autofree char *root = g_build_filename(w->folder, "store", NULL);
    w->store = fixture_store(root);
    w->config = fixture_config();
    w->config->logins.only = g_build_filename(w->folder, "auth.json", NULL);
    g_autofree char *text = g_strdup_printf("%s/team/app:one", w->host);
    w->ref = reference_parse(text, NULL);
    image_make(w->store, 1, 3, LAYER, &w->image);
}

static void stop(struct real *w)
{
    kill(w->pid, SIGTERM);
    waitpid(w->pid, NULL, 0);
    reference_free(w->ref);
    registry_config_free(w->config);
    store_close(w->store);
    fixture_remove(w->folder);
    g_free(w->host);
}

static gboolean missing(void)
{
    static const char *const PROGRAMS[] = {"docker-registry", "htpasswd", "openssl"};
    for (gsize i = 0; i < G_N_ELEMENTS(PROGRAMS); i++) {
        g_autofree char *path = g_find_program_in_path(PROGRAMS[i]);
        if (path)
            continue;
        g_test_skip("docker-registry, apache2-utils and openssl are needed");
        return TRUE;
    }
    return FALSE;
}

static gboolean push(struct real *w, struct push_stats *stats, GError **err)
{
    g_autoptr(registry) r = registry_new(w->store, w->config, NULL, NULL);
    return registry_push(r, &w->image.manifest, w->ref, FALSE, stats, err);
}

static void pull_and_compare(struct real *w)
{
    GError *err = NULL;
    struct resolved now;
    struct platform platform;
    g_autofree char *root = g_build_filename(w->folder, "other", NULL);
    g_autoptr(store) s = fixture_store(root);
    g_autoptr(registry) r = registry_new(s, w->config, NULL, NULL);
    platform_parse(&platform, "linux/amd64", NULL);
    registry_resolve(r, w->ref, &platform, &now, &err);
    g_assert_no_error(err);
    g_assert_cmpint(digest_cmp(&now.manifest, &w->image.manifest), ==, 0);
    fetch_all(r, s, w->ref, &now.manifest, &err);
    g_assert_no_error(err);
    for (guint i = 0; i < w->image.n_layers; i++)
        g_assert_true(store_blob_has(s, &w->image.layer[i], NULL));
}

static void push_again_and_mount(struct real *w)
{
    GError *err = NULL;
    struct push_stats stats;
    push(w, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.bytes_sent, ==, 0);
    g_free(w->ref->path);
    w->ref->path = g_strdup("team/copy");
    push(w, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.blobs_mounted, ==, 4);
}

static void test_plain(void)
{
    struct real w;
    struct push_stats stats;
    GError *err = NULL;
    if (missing())
        return;
    start(&w, FALSE);
    push(&w, &stats, &err);
    g_assert_no_error(err);
    g_assert_cmpuint(stats.blobs_sent, ==, 4);
    pull_and_compare(&w);
    push_again_and_mount(&w);
    stop(&w);
}

static void log_in(struct real *w, const char *password, GError **err)
{
    g_autoptr(registry) r = registry_new(w->store, w->config, NULL, NULL);
    registry_login(r, w->host, USER, password, err);
}

static void test_tls(void)
{
    struct real w;
    struct push_stats stats;
    GError *err = NULL;
    if (missing())
        return;
    start(&w, TRUE);
    g_assert_false(push(&w, &stats, &err));
    assert_error(&err, VARVE_ERROR_OUTSIDE, "cannot push", w.host, "certificate is not trusted",
                 "SSL_CERT_FILE", NULL);
    w.config->trust.extra = g_build_filename(w.folder, "cert.pem", NULL);
    g_assert_false(push(&w, &stats, &err));
    assert_error(&err, VARVE_ERROR_DENIED, "cannot push", w.host, "401", "varve login", NULL);
    log_in(&w, "wrong", &err);
    assert_error(&err, VARVE_ERROR_DENIED, "cannot log in to", "401", "password", NULL);
    log_in(&w, PASSWORD, &err);
    g_assert_no_error(err);
    push(&w, &stats, &err);
    g_assert_no_error(err);
    pull_and_compare(&w);
    push_again_and_mount(&w);
    /* Unverified, when marked so. */
    g_clear_pointer(&w.config->trust.extra, g_free);
    registry_config_add_insecure(w.config, w.host);
    push(&w, &stats, &err);
    g_assert_no_error(err);
    stop(&w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/registry/real/plain", test_plain);
    g_test_add_func("/registry/real/tls", test_tls);
    return g_test_run();
}
