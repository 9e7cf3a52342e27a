#include "fixture.h"

#include "base/error.h"
#include "base/fs.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

char *fixture_folder(void)
{
    GError *err = NULL;
    char *folder = g_dir_make_tmp("varve-registry-XXXXXX", &err);
    g_assert_no_error(err);
    return folder;
}

void fixture_remove(char *folder)
{
    fs_remove_tree(AT_FDCWD, folder, NULL);
    g_free(folder);
}

struct store *fixture_store(const char *folder)
{
    GError *err = NULL;
    struct store *s = store_open(folder, &err);
    g_assert_no_error(err);
    return s;
}

gboolean fetch_all(struct registry *r, struct store *s, const struct reference *ref,
                   const struct digest *manifest, GError **err)
{
    g_autoptr(GBytes) json = store_blob_read(s, manifest, 4 << 20, err);
    g_autoptr(manifest) m =
        json ? manifest_parse(g_bytes_get_data(json, NULL), g_bytes_get_size(json), NULL, err)
             : NULL;
    struct blob_source *source = registry_blob_source(r, ref);
    gboolean ok = m && source->fetch(source, &m->config, err);
    for (guint i = 0; ok && i < m->items->len; i++)
        ok = source->fetch(source, g_ptr_array_index(m->items, i), err);
    registry_blob_source_free(source);
    return ok;
}

static void put_noise(struct store *s, GRand *rand, gsize size, struct digest *out)
{
    GError *err = NULL;
    g_autofree guint32 *noise = g_malloc(size + 4);
    for (gsize i = 0; i < size / 4 + 1; i++)
        noise[i] = g_rand_int(rand);
    store_blob_put(s, noise, size, out, &err);
    g_assert_no_error(err);
}

static void put_document(struct store *s, struct manifest *m, struct digest *out)
{
    GError *err = NULL;
    g_autoptr(GBytes) bytes = manifest_write(m);
    store_blob_put(s, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), out, &err);
    g_assert_no_error(err);
    manifest_free(m);
}

static struct descriptor *new_descriptor(const char *type, const struct digest *d, guint64 size)
{
    struct descriptor *item = g_new0(struct descriptor, 1);
    item->media_type = g_strdup(type);
    item->digest = *d;
    item->size = size;
    return item;
}

void image_make(struct store *s, guint seed, guint n_layers, gsize size, struct image *out)
{
    GError *err = NULL;
    GRand *rand = g_rand_new_with_seed(seed);
    struct manifest *m = manifest_new(MEDIA_OCI_MANIFEST);
    g_autofree char *config =
        g_strdup_printf("{\"architecture\":\"amd64\",\"os\":\"linux\",\"author\":\"%u\","
                        "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
                        seed);
    store_blob_put(s, config, strlen(config), &out->config, &err);
    g_assert_no_error(err);
    m->config.media_type = g_strdup(MEDIA_OCI_CONFIG);
    m->config.digest = out->config;
    m->config.size = strlen(config);
    out->n_layers = n_layers;
    for (guint i = 0; i < n_layers; i++) {
        put_noise(s, rand, size, &out->layer[i]);
        g_ptr_array_add(m->items, new_descriptor(MEDIA_OCI_LAYER "+gzip", &out->layer[i], size));
    }
    g_rand_free(rand);
    put_document(s, m, &out->manifest);
}

void index_make(struct store *s, const struct image *images, guint n, struct digest *out)
{
    static const char *const PLATFORMS[] = {"linux/amd64", "linux/arm64"};
    struct manifest *m = manifest_new(MEDIA_OCI_INDEX);
    for (guint i = 0; i < n; i++) {
        guint64 size;
        g_assert_true(store_blob_has(s, &images[i].manifest, &size));
        struct descriptor *d = new_descriptor(MEDIA_OCI_MANIFEST, &images[i].manifest, size);
        d->has_platform = TRUE;
        platform_parse(&d->platform, PLATFORMS[i], NULL);
        g_ptr_array_add(m->items, d);
    }
    put_document(s, m, out);
}

static guint read_port(int fd)
{
    g_autoptr(GString) line = g_string_new(NULL);
    char c;
    while (read(fd, &c, 1) == 1 && c != '\n')
        g_string_append_c(line, c);
    g_assert_cmpuint(line->len, >, 0);
    return strtoul(line->str, NULL, 10);
}

void faults_start(struct faults *f, const char *const *args)
{
    GError *err = NULL;
    fd_auto int out = -1;
    g_autofree char *script =
        g_build_filename(g_getenv("G_TEST_SRCDIR"), "tests", "faults", "registry.py", NULL);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_ptr_array_add(argv, (gpointer) "python3");
    g_ptr_array_add(argv, script);
    for (; args && *args; args++)
        g_ptr_array_add(argv, (gpointer)*args);
    g_ptr_array_add(argv, NULL);
    g_spawn_async_with_pipes(NULL, (char **)argv->pdata, NULL,
                             G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &f->pid,
                             &f->input, &out, NULL, &err);
    g_assert_no_error(err);
    f->port = read_port(out);
    f->other = read_port(out);
}

void faults_stop(struct faults *f)
{
    fd_cleanup(&f->input);
    kill(f->pid, SIGTERM);
    waitpid(f->pid, NULL, 0);
}

static void ask(const struct faults *f, const char *method, const char *path, const char *body,
                struct http_response *a)
{
    GError *err = NULL;
    g_autofree char *text = g_strdup_printf("http://127.0.0.1:%u%s", f->port, path);
    g_autoptr(url) u = url_parse(text, NULL);
    g_autoptr(http_client) c = http_client_new(NULL);
    struct http_request rq = {
        .method = method, .url = u, .body = body, .body_len = body ? strlen(body) : 0};
    http_exchange(c, &rq, a, &err);
    g_assert_no_error(err);
    g_assert_cmpint(a->status, ==, 200);
}

void faults_rules(const struct faults *f, const char *json)
{
    g_auto(http_response) a;
    http_response_init(&a);
    ask(f, "PUT", "/_rules", json, &a);
}

json_t *faults_log(const struct faults *f)
{
    g_auto(http_response) a;
    http_response_init(&a);
    ask(f, "GET", "/_log", NULL, &a);
    return json_loadb((char *)a.body->data, a.body->len, 0, NULL);
}

guint faults_count(const struct faults *f, const char *method, const char *part)
{
    json_t *log = faults_log(f), *item;
    guint n = 0;
    gsize i;
    json_array_foreach(log, i, item)
    {
        const char *m = json_string_value(json_object_get(item, "method"));
        const char *p = json_string_value(json_object_get(item, "path"));
        n += strcmp(m, method) == 0 && strstr(p, part);
    }
    json_decref(log);
    return n;
}

guint64 faults_received(const struct faults *f)
{
    g_auto(http_response) a;
    http_response_init(&a);
    ask(f, "GET", "/_stats", NULL, &a);
    json_t *root = json_loadb((char *)a.body->data, a.body->len, 0, NULL);
    guint64 n = json_integer_value(json_object_get(root, "received"));
    json_decref(root);
    return n;
}

struct reference *faults_reference(const struct faults *f, const char *repository, const char *tag)
{
    GError *err = NULL;
    g_autofree char *text = g_strdup_printf("127.0.0.1:%u/%s:%s", f->port, repository, tag);
    struct reference *ref = reference_parse(text, &err);
    g_assert_no_error(err);
    return ref;
}

struct registry_config *fixture_config(void)
{
    struct registry_config *c = registry_config_new();
    c->patience.tries = 3;
    c->patience.max_wait_s = 5;
    c->stall_s = 1;
    c->patience.first_delay_ms = 50;
    return c;
}

void assert_error(GError **err, int code, ...)
{
    va_list ap;
    const char *part;
    g_assert_error(*err, VARVE_ERROR, code);
    g_autofree char *text = error_text(*err);
    va_start(ap, code);
    while ((part = va_arg(ap, const char *)))
        if (!strstr(text, part))
            g_error("\"%s\" is not in: %s", part, text);
    va_end(ap);
    g_test_message("%s", text);
    g_clear_error(err);
}

static int connect_to(guint port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = connect(fd, (struct sockaddr *)&a, sizeof a);
    close(fd);
    return rc;
}

gboolean wait_for_port(guint port)
{
    for (guint i = 0; i < 200; i++) {
        if (connect_to(port) == 0)
            return TRUE;
        g_usleep(50000);
    }
    return FALSE;
}

guint free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *)&a, sizeof a), ==, 0);
    getsockname(fd, (struct sockaddr *)&a, &len);
    close(fd);
    return ntohs(a.sin_port);
}
