#include "output/exporters.h"

#include "base/error.h"
#include "base/fs.h"
#include "net/http.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_HOST "unix:///var/run/docker.sock"
#define MAX_ANSWER (1 << 20)

/* Where to ask for path; *socket is NULL or part of host. */
static struct url *engine_url(const char *host, const char *path, const char **socket, GError **err)
{
    *socket = g_str_has_prefix(host, "unix://") ? host + strlen("unix://") : NULL;
    const char *name = *socket                            ? "docker"
                       : g_str_has_prefix(host, "tcp://") ? host + strlen("tcp://")
                                                          : host;
    g_autofree char *text = g_strdup_printf("http://%s%s", name, path);
    return url_parse(text, err);
}

/* The engine answers 200 and reports errors in a stream of JSON objects. */
static gboolean check_answer(const char *text, GError **err)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        json_t *o = json_loads(*l, JSON_DISABLE_EOF_CHECK, NULL);
        const char *error = json_string_value(json_object_get(o, "error"));
        const char *message = json_string_value(json_object_get(o, "message"));
        if (error || message)
            error_set(err, VARVE_ERROR_FAILED, "the Docker engine refused the image: %s",
                      error ? error : message);
        json_decref(o);
        if (error || message)
            return FALSE;
    }
    return TRUE;
}

static gboolean refuse_unreachable(const char *host, const char *next, GError **err)
{
    if (err && g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        return FALSE;
    g_prefix_error(err, "cannot reach the Docker engine at %s: ", host);
    error_add_next(err, "%s", next);
    return FALSE;
}

/* It says nothing while it loads, which may take as long as it wants. */
static gboolean send_file(struct built_image *b, const char *host, int fd, guint64 size,
                          struct http_response *a, GError **err)
{
    static const char *const fields[] = {"Expect:", NULL};
    const char *socket;
    struct http_file_source source;
    http_file_source_init(&source, fd, 0, size);
    g_autoptr(url) u = engine_url(host, "/images/load?quiet=1", &socket, err);
    g_autoptr(http_client) client = http_client_new(NULL);
    struct http_request rq = {.method = "POST",
                              .url = u,
                              .socket = socket,
                              .plain = TRUE,
                              .fields = fields,
                              .content_type = "application/x-tar",
                              .source = &source.base,
                              .max_body = MAX_ANSWER,
                              .stall_s = HTTP_NO_STALL,
                              .cancel = b->cancel};
    if (u && http_exchange(client, &rq, a, err))
        return TRUE;
    return refuse_unreachable(
        host, "start it, or set DOCKER_HOST; the image itself is in varve's store", err);
}

static gboolean load_file(struct built_image *b, const char *host, int fd, guint64 size,
                          GError **err)
{
    g_auto(http_response) a;
    http_response_init(&a);
    if (!send_file(b, host && *host ? host : DEFAULT_HOST, fd, size, &a, err) ||
        !check_answer((const char *)a.body->data, err))
        return FALSE;
    g_autofree char *status = http_status_text(a.status);
    return a.status == 200 ||
           error_set(err, VARVE_ERROR_FAILED, "the Docker engine answered %s", status);
}

gboolean docker_load(const struct archived *image, const char *host, guint64 *sent, GError **err)
{
    struct built_image *b = imageset_at(image->set, 0);
    g_autofree char *tmp = store_tmp_dir(b->store, err);
    if (!tmp)
        return FALSE;
    g_autofree char *path = g_build_filename(tmp, "load.tar", NULL);
    fd_auto int fd = openat(store_fd(b->store), path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    gboolean ok = fd >= 0 || error_set_errno(err, errno, "cannot create %s", path);
    struct stat st;
    ok = ok && archive_write(image, 1, TRUE, fd, sent, err);
    ok = ok && (fstat(fd, &st) == 0 || error_set_errno(err, errno, "cannot read %s again", path));
    ok = ok && load_file(b, host, fd, st.st_size, err);
    store_tmp_discard(b->store, tmp);
    return ok;
}

/* DriverStatus of GET /info is a list of pairs. */
static gboolean has_containerd_store(const GByteArray *body)
{
    json_t *o = json_loadb((const char *)body->data, body->len, 0, NULL);
    const json_t *pair, *status = json_object_get(o, "DriverStatus");
    gboolean yes = FALSE;
    gsize i;
    json_array_foreach(status, i, pair)
    {
        const char *name = json_string_value(json_array_get(pair, 0));
        const char *value = json_string_value(json_array_get(pair, 1));
        yes = yes || (g_strcmp0(name, "driver-type") == 0 &&
                      g_strcmp0(value, "io.containerd.snapshotter.v1") == 0);
    }
    json_decref(o);
    return yes;
}

gboolean docker_loads_index(const char *host, struct cancel *c, gboolean *yes, GError **err)
{
    const char *socket, *at = host && *host ? host : DEFAULT_HOST;
    g_auto(http_response) a;
    http_response_init(&a);
    g_autoptr(url) u = engine_url(at, "/info", &socket, err);
    g_autoptr(http_client) client = http_client_new(NULL);
    struct http_request rq = {.method = "GET",
                              .url = u,
                              .socket = socket,
                              .plain = TRUE,
                              .max_body = MAX_ANSWER,
                              .cancel = c};
    if (!u || !http_exchange(client, &rq, &a, err))
        return refuse_unreachable(at, "start it, or set DOCKER_HOST, or leave --load out", err);
    *yes = a.status == 200 && has_containerd_store(a.body);
    return TRUE;
}
