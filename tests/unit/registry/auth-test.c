/* Logins: where they are found and kept, and what they are used for. */
#include "fixture.h"

#include "base/error.h"
#include "build/userenv.h"
#include "registry/credential.h"

#include <string.h>
#include <sys/stat.h>

#define USER "ann"
#define PASSWORD "s3cret:with colon"

static char *home; /* everything that the environment points to */

static char *in_home(const char *name)
{
    return g_build_filename(home, name, NULL);
}

static void write_file(const char *name, const char *text)
{
    g_autofree char *path = in_home(name);
    g_autofree char *folder = g_path_get_dirname(path);
    GError *err = NULL;
    g_mkdir_with_parents(folder, 0700);
    g_file_set_contents(path, text, -1, &err);
    g_assert_no_error(err);
}

static char *read_file(const char *name)
{
    g_autofree char *path = in_home(name);
    char *text = NULL;
    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

static void point_to(const char *variable, const char *name)
{
    g_autofree char *path = in_home(name);
    g_setenv(variable, path, TRUE);
}

static void fresh_home(void)
{
    if (home)
        fixture_remove(home);
    home = fixture_folder();
    point_to("HOME", "");
    point_to("DOCKER_CONFIG", "docker");
    point_to("XDG_RUNTIME_DIR", "run");
    point_to("XDG_CONFIG_HOME", "config");
    g_unsetenv("REGISTRY_AUTH_FILE");
    g_unsetenv("DOCKER_AUTH_CONFIG");
}

/* Places of logins as the environment has them now. */
static struct registry_config *env_config(void)
{
    g_auto(GStrv) env = g_get_environ();
    struct registry_config *c = registry_config_new();
    userenv_registry(env, c);
    return c;
}

static struct credential *find(const char *host, const char *repository, struct cancel *cancel)
{
    g_autoptr(registry_config) c = env_config();
    return credential_find(c, host, repository, cancel);
}

static gboolean keep(const char *host, const char *username, const char *secret, GError **err)
{
    g_autoptr(registry_config) c = env_config();
    return credential_store(c, host, username, secret, NULL, err);
}

static gboolean forget(const char *host, gboolean *was, GError **err)
{
    g_autoptr(registry_config) c = env_config();
    return credential_erase(c, host, was, NULL, err);
}

static char *encoded(const char *plain)
{
    return g_base64_encode((const guchar *)plain, strlen(plain));
}

/* "user:secret", "identity:…", "token:…" or "none". */
static char *found(const char *host, const char *repository)
{
    g_autoptr(credential) c = find(host, repository, NULL);
    if (c->identity_token)
        return g_strconcat("identity:", c->identity_token, NULL);
    if (c->registry_token)
        return g_strconcat("token:", c->registry_token, NULL);
    return c->username ? g_strconcat(c->username, ":", c->secret, NULL) : g_strdup("none");
}

static void assert_found(const char *host, const char *repository, const char *expected)
{
    g_autofree char *text = found(host, repository);
    g_assert_cmpstr(text, ==, expected);
}

static void test_find(void)
{
    fresh_home();
    g_autofree char *a = encoded("hub:1"), *b = encoded("host:2"), *c = encoded("team:3"),
                    *d = encoded("app:4:5");
    g_autofree char *docker =
        g_strdup_printf("{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"%s\"},\"https://"
                        "Plain.Example/v2/\":{\"auth\":\"%s\"},"
                        "\"id.example\":{\"auth\":\"AAAA\",\"identitytoken\":\"tok\"},\"reg."
                        "example\":{\"registrytoken\":\"rt\"},"
                        "\"empty.example\":{},\"odd.example\":{\"auth\":\"!!\"},\"listed.example\":"
                        "{\"username\":\"u\",\"password\":\"p\"}}}",
                        a, b);
    g_autofree char *podman =
        g_strdup_printf("{\"auths\":{\"pod.example/team/app\":{\"auth\":\"%s\"},\"pod.example/"
                        "team\":{\"auth\":\"%s\"},"
                        "\"pod.example\":{\"auth\":\"%s\"}}}",
                        d, c, b);
    write_file("docker/config.json", docker);
    write_file("run/containers/auth.json", podman);
    assert_found("docker.io", "library/node", "hub:1");
    assert_found("plain.example", "x", "host:2");
    assert_found("id.example", "x", "identity:tok");
    assert_found("reg.example", "x", "token:rt");
    assert_found("empty.example", "x", "none");
    assert_found("odd.example", "x", "none");
    assert_found("listed.example", "x", "u:p");
    assert_found("pod.example", "team/app", "app:4:5");
    assert_found("pod.example", "team/app2", "team:3");
    assert_found("pod.example", "teams", "host:2");
    assert_found("pod.example:5000", "team", "none");
    point_to("REGISTRY_AUTH_FILE", "run/containers/auth.json");
    assert_found("docker.io", "library/node", "none");
    assert_found("pod.example", "x", "host:2");
    g_unsetenv("REGISTRY_AUTH_FILE");
    g_setenv("DOCKER_AUTH_CONFIG", podman, TRUE);
    assert_found("pod.example", "x", "host:2");
    g_unsetenv("DOCKER_AUTH_CONFIG");
}

static void test_broken_file(void)
{
    GError *err = NULL;
    fresh_home();
    write_file("docker/config.json", "{\"auths\": [}");
    write_file("run/containers/auth.json", "{\"auths\":{\"a.example\":{\"auth\":\"dTpw\"}}}");
    assert_found("a.example", "x", "u:p");
    g_autoptr(credential) c = find("b.example", "x", NULL);
    g_assert_nonnull(strstr(c->problem, "docker/config.json"));
    g_assert_false(keep("b.example", "u", "p", &err));
    assert_error(&err, VARVE_ERROR_INVALID, "config.json", NULL);
    g_autofree char *text = read_file("docker/config.json");
    g_assert_cmpstr(text, ==, "{\"auths\": [}");
}

static void test_keep(void)
{
    GError *err = NULL;
    gboolean was;
    struct stat st;
    fresh_home();
    write_file("docker/config.json",
               "{\"HttpHeaders\":{\"A\":\"b\"},\"auths\":{\"https://a.example/v1/\":{},"
               "\"b.example\":{\"auth\":\"dTpw\"}},\"psFormat\":\"x\"}");
    keep("a.example", USER, PASSWORD, &err);
    g_assert_no_error(err);
    assert_found("a.example", "x", USER ":" PASSWORD);
    assert_found("b.example", "x", "u:p");
    g_autofree char *path = in_home("docker/config.json");
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 0777, ==, 0600);
    g_autofree char *text = read_file("docker/config.json");
    g_assert_nonnull(strstr(text, "\"HttpHeaders\""));
    g_assert_nonnull(strstr(text, "\"psFormat\""));
    g_assert_null(strstr(text, "https://a.example"));
    forget("a.example", &was, &err);
    g_assert_no_error(err);
    g_assert_true(was);
    assert_found("a.example", "x", "none");
    assert_found("b.example", "x", "u:p");
    forget("a.example", &was, &err);
    g_assert_no_error(err);
    g_assert_false(was);
}

static const char HELPER[] =
    "#!/bin/sh\n"
    "d=$(dirname \"$0\"); read -r line\n"
    "case \"$1\" in\n"
    "get) case \"$line\" in\n"
    "  ok.example) echo '{\"Username\":\"h\",\"Secret\":\"s\"}';;\n"
    "  id.example) echo '{\"Username\":\"<token>\",\"Secret\":\"tok\"}';;\n"
    "  bad.example) echo nonsense;;\n"
    "  locked.example) echo 'keychain is locked'; exit 1;;\n"
    "  slow.example) echo >\"$d/slow\"; sleep 30;;\n"
    "  *) echo 'credentials not found in native keychain'; exit 1;;\n"
    "  esac;;\n"
    "store) echo \"$line\" >\"$d/stored\";;\n"
    "esac\n";

static void install_helper(void)
{
    fresh_home();
    write_file("bin/docker-credential-ours", HELPER);
    g_autofree char *path = in_home("bin/docker-credential-ours");
    chmod(path, 0755);
    g_autofree char *search = g_strdup_printf("%s/bin:%s", home, g_getenv("PATH"));
    g_setenv("PATH", search, TRUE);
    write_file("docker/config.json",
               "{\"credsStore\":\"ours\",\"credHelpers\":{\"gone.example\":\"nowhere\","
               "\"evil.example\":\"../../bin/sh\"},\"auths\":{\"f.example\":{\"auth\":\"dTpw\"}}}");
}

static void test_helper(void)
{
    GError *err = NULL;
    static const struct {
        const char *host, *problem;
    } PROBLEMS[] = {{"bad.example", "no Username"},
                    {"locked.example", "keychain is locked"},
                    {"gone.example", "docker-credential-nowhere"},
                    {"evil.example", "malformed"}};
    install_helper();
    assert_found("ok.example", "x", "h:s");
    assert_found("id.example", "x", "identity:tok");
    assert_found("f.example", "x", "u:p");
    assert_found("none.example", "x", "none");
    for (gsize i = 0; i < G_N_ELEMENTS(PROBLEMS); i++) {
        g_autoptr(credential) c = find(PROBLEMS[i].host, "x", NULL);
        g_assert_true(credential_is_empty(c));
        if (!c->problem || !strstr(c->problem, PROBLEMS[i].problem))
            g_error("%s: %s", PROBLEMS[i].host, c->problem);
    }
    keep("new.example", USER, PASSWORD, &err);
    g_assert_no_error(err);
    g_autofree char *text = read_file("bin/stored");
    g_assert_nonnull(strstr(text, PASSWORD));
    g_autofree char *config = read_file("docker/config.json");
    g_assert_null(strstr(config, "new.example"));
}

/* Once the helper runs. */
static gpointer cancel_slow(gpointer data)
{
    g_autofree char *slow = in_home("bin/slow");
    for (guint i = 0; i < 500 && access(slow, F_OK) != 0; i++)
        g_usleep(10000);
    cancel_trigger(data);
    return GINT_TO_POINTER(access(slow, F_OK) == 0);
}

static void test_helper_cancelled(void)
{
    install_helper();
    g_autoptr(cancel) c = cancel_new();
    gint64 start = g_get_monotonic_time();
    GThread *t = g_thread_new("cancel", cancel_slow, c);
    g_autoptr(credential) found_one = find("slow.example", "x", c);
    g_assert_true(GPOINTER_TO_INT(g_thread_join(t)));
    g_assert_true(credential_is_empty(found_one));
    g_assert_cmpint(g_get_monotonic_time() - start, <, 1200000);
}

/* A server with logins, a store with an image. */
struct world {
    struct faults server;
    char *folder;
    struct store *store;
    struct registry_config *config;
    struct image image;
};

static void world_init(struct world *w, const char *kind)
{
    const char *args[] = {"--auth", kind, "--user", USER, "--password", PASSWORD, NULL};
    fresh_home();
    faults_start(&w->server, args);
    w->folder = fixture_folder();
    w->store = fixture_store(w->folder);
    w->config = fixture_config();
    g_auto(GStrv) env = g_get_environ();
    userenv_registry(env, w->config);
    image_make(w->store, 1, 3, 1000, &w->image);
}

static void world_clear(struct world *w)
{
    registry_config_free(w->config);
    store_close(w->store);
    fixture_remove(w->folder);
    faults_stop(&w->server);
}

static gboolean push_to(struct world *w, const char *repository, GError **err)
{
    g_autoptr(registry) r = registry_new(w->store, w->config, NULL, NULL);
    g_autoptr(reference) ref = faults_reference(&w->server, repository, "one");
    return registry_push(r, &w->image.manifest, ref, FALSE, NULL, err);
}

static void test_server(gconstpointer kind)
{
    struct world w;
    GError *err = NULL;
    world_init(&w, kind);
    g_autofree char *host = g_strdup_printf("127.0.0.1:%u", w.server.port);
    g_autoptr(registry) r = registry_new(w.store, w.config, NULL, NULL);
    g_assert_false(push_to(&w, "a/b", &err));
    assert_error(&err, VARVE_ERROR_DENIED, "cannot push", "a/b:one", host, "varve login",
                 "no login was found", NULL);
    g_assert_false(registry_login(r, host, USER, "wrong", &err));
    assert_error(&err, VARVE_ERROR_DENIED, "cannot log in to", host, NULL);
    assert_found(host, "x", "none");
    registry_login(r, host, USER, PASSWORD, &err);
    g_assert_no_error(err);
    push_to(&w, "a/b", &err);
    g_assert_no_error(err);
    push_to(&w, "c/d", &err); /* mounted: the token must reach both repositories */
    g_assert_no_error(err);
    g_assert_cmpuint(faults_count(&w.server, "POST", "mount="), ==, 4);
    g_assert_cmpuint(faults_count(&w.server, "PUT", "uploads"), ==, 4);
    registry_logout(r, host, NULL, &err);
    g_assert_no_error(err);
    g_assert_false(push_to(&w, "e/f", NULL));
    world_clear(&w);
}

/* Requests to the second listener, and how many of them carried an Authorization header. */
static void count_other(const struct faults *f, guint *all, guint *leaked)
{
    json_t *log = faults_log(f), *item;
    gsize i;
    *all = *leaked = 0;
    json_array_foreach(log, i, item)
    {
        gboolean other = json_is_true(json_object_get(item, "other"));
        *all += other;
        *leaked += other && *json_string_value(json_object_get(item, "authorization"));
    }
    json_decref(log);
}

static void test_redirect(gconstpointer kind)
{
    struct world w;
    struct resolved now;
    struct platform platform;
    GError *err = NULL;
    guint all, leaked;
    world_init(&w, kind);
    g_autofree char *host = g_strdup_printf("127.0.0.1:%u", w.server.port);
    keep(host, USER, PASSWORD, &err);
    push_to(&w, "a/b", &err);
    g_assert_no_error(err);
    g_autofree char *folder = in_home("other");
    g_autoptr(store) s = fixture_store(folder);
    g_autoptr(registry) r = registry_new(s, w.config, NULL, NULL);
    g_autoptr(reference) ref = faults_reference(&w.server, "a/b", "one");
    platform_parse(&platform, "linux/amd64", NULL);
    faults_rules(&w.server, "[{\"match\":\"GET .*blobs\",\"do\":\"redirect\",\"times\":4}]");
    g_assert_true(registry_resolve(r, ref, &platform, &now, &err));
    g_assert_true(fetch_all(r, s, ref, &now.manifest, &err));
    count_other(&w.server, &all, &leaked);
    g_assert_cmpuint(all, ==, 4);
    g_assert_cmpuint(leaked, ==, 0);
    world_clear(&w);
}

/* Asks what the tag names; the store has its documents. */
static void ask(struct registry *r, const struct reference *ref)
{
    GError *err = NULL;
    struct platform platform;
    struct resolved now;
    platform_parse(&platform, "linux/amd64", NULL);
    registry_resolve(r, ref, &platform, &now, &err);
    g_assert_no_error(err);
}

/* One token for everything that happens at once; a new one when it expires, and when it is refused
 * before. */
static void test_tokens(void)
{
    struct world w;
    GError *err = NULL;
    world_init(&w, "token");
    g_autofree char *host = g_strdup_printf("127.0.0.1:%u", w.server.port);
    keep(host, USER, PASSWORD, &err);
    g_assert_no_error(err);
    push_to(&w, "a/b", &err);
    g_assert_no_error(err);
    g_assert_cmpuint(faults_count(&w.server, "GET", "/token"), ==, 1);
    faults_rules(&w.server, "[{\"match\":\"/token\",\"do\":\"tell\",\"expires_in\":0}]");
    g_autoptr(registry) r = registry_new(w.store, w.config, NULL, NULL);
    g_autoptr(reference) ref = faults_reference(&w.server, "a/b", "one");
    for (guint i = 1; i <= 3; i++) {
        ask(r, ref);
        g_assert_cmpuint(faults_count(&w.server, "GET", "/token"), ==, i);
    }
    /* One more than asked: the first, which brought the challenge. Expiry was foreseen, not found
     * out. */
    g_assert_cmpuint(faults_count(&w.server, "HEAD", "/manifests/"), ==, 4);
    faults_rules(&w.server, "[]"); /* forgets all tokens */
    for (guint i = 0; i < 3; i++)
        ask(r, ref);
    g_assert_cmpuint(faults_count(&w.server, "GET", "/token"), ==, 1);
    faults_rules(&w.server, "[]");
    ask(r, ref);
    g_assert_cmpuint(faults_count(&w.server, "GET", "/token"), ==, 1);
    world_clear(&w);
}

static void test_identity_token(void)
{
    struct world w;
    GError *err = NULL;
    world_init(&w, "token");
    g_autofree char *config = g_strdup_printf(
        "{\"auths\":{\"127.0.0.1:%u\":{\"identitytoken\":\"identity-" PASSWORD "\"}}}",
        w.server.port);
    write_file("docker/config.json", config);
    push_to(&w, "a/b", &err);
    g_assert_no_error(err);
    g_assert_cmpuint(faults_count(&w.server, "POST", "/token"), ==, 1);
    world_clear(&w);
}

/* What a login port knows. */
static gboolean client_login(gpointer ctx, const char *host, const char *repository,
                             struct credential *out, GError **err)
{
    if (strcmp(host, "shy.example") == 0)
        return error_set(err, VARVE_ERROR_FAILED, "the client is gone");
    if (strcmp(host, ctx) == 0) {
        out->username = g_strdup(USER);
        out->secret = g_strdup(PASSWORD);
        out->source = g_strdup("the client");
    }
    return TRUE;
}

/* With a port nothing but the port counts: no file, no helper. */
static void test_port(void)
{
    struct world w;
    GError *err = NULL;
    world_init(&w, "token");
    g_autofree char *host = g_strdup_printf("127.0.0.1:%u", w.server.port);
    g_autofree char *config = g_strdup_printf("{\"auths\":{\"%s\":{\"auth\":\"bm86bm8=\"}}}", host);
    write_file("docker/config.json", config);
    g_assert_false(push_to(&w, "a/b", &err));
    assert_error(&err, VARVE_ERROR_DENIED, "docker/config.json", NULL);
    w.config->login = (struct login_port){client_login, host};
    push_to(&w, "a/b", &err);
    g_assert_no_error(err);
    w.config->login.ctx = (char *)"another.example";
    g_assert_false(push_to(&w, "c/d", &err));
    assert_error(&err, VARVE_ERROR_DENIED, "no login was found", NULL);
    g_autoptr(credential) shy = credential_find(w.config, "shy.example", "x", NULL);
    g_assert_cmpstr(shy->problem, ==, "the client is gone");
    g_assert_false(credential_store(w.config, host, "u", "p", NULL, &err));
    assert_error(&err, VARVE_ERROR_UNSUPPORTED, "no file", NULL);
    world_clear(&w);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/registry/login/find", test_find);
    g_test_add_func("/registry/login/broken-file", test_broken_file);
    g_test_add_func("/registry/login/keep", test_keep);
    g_test_add_func("/registry/login/helper", test_helper);
    g_test_add_func("/registry/login/helper-cancelled", test_helper_cancelled);
    g_test_add_func("/registry/login/port", test_port);
    g_test_add_data_func("/registry/login/basic", "basic", test_server);
    g_test_add_data_func("/registry/login/token", "token", test_server);
    g_test_add_data_func("/registry/login/redirect-basic", "basic", test_redirect);
    g_test_add_data_func("/registry/login/redirect-token", "token", test_redirect);
    g_test_add_func("/registry/login/tokens", test_tokens);
    g_test_add_func("/registry/login/identity-token", test_identity_token);
    int rc = g_test_run();
    fixture_remove(home);
    return rc;
}
