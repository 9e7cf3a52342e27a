#include "output/exporters.h"

#include "base/error.h"
#include "base/fs.h"
#include "net/curl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/var/run/docker.sock"
#define MAX_ANSWER (1 << 20)

static size_t take_answer(char *bytes, size_t size, size_t n, void *ctx)
{
    GString *answer = ctx;
    if (answer->len + size * n > MAX_ANSWER)
        return 0;
    g_string_append_len(answer, bytes, size * n);
    return size * n;
}

static size_t give_body(char *buf, size_t size, size_t n, void *ctx)
{
    ssize_t got = read(*(int *)ctx, buf, size * n);
    return got < 0 ? CURL_READFUNC_ABORT : (size_t)got;
}

static int check_cancel(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    return cancel_is_set(ctx);
}

static char *set_host(const struct curl_api *api, CURL *curl, const char *host)
{
    if (!host || g_str_has_prefix(host, "unix://")) {
        api->easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH,
                         host ? host + strlen("unix://") : DEFAULT_SOCKET);
        return g_strdup("http://docker/images/load?quiet=1");
    }
    const char *rest = g_str_has_prefix(host, "tcp://") ? host + strlen("tcp://") : host;
    return g_strdup_printf("http://%s/images/load?quiet=1", rest);
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

static void set_options(const struct curl_api *api, CURL *curl, struct built_image *b, int *fd,
                        guint64 size, GString *answer)
{
    api->easy_setopt(curl, CURLOPT_NOPROXY, "*");
    api->easy_setopt(curl, CURLOPT_POST, 1L);
    api->easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    api->easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
    api->easy_setopt(curl, CURLOPT_READDATA, fd);
    api->easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_answer);
    api->easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    api->easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    api->easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_cancel);
    api->easy_setopt(curl, CURLOPT_XFERINFODATA, b->cancel);
}

static gboolean explain_transfer(const struct curl_api *api, CURLcode rc, const char *host,
                                 GError **err)
{
    if (rc == CURLE_ABORTED_BY_CALLBACK)
        return error_set(err, VARVE_ERROR_CANCELLED, "interrupted");
    error_set(err, VARVE_ERROR_OUTSIDE, "cannot reach the Docker engine at %s: %s",
              host ? host : "unix://" DEFAULT_SOCKET, api->easy_strerror(rc));
    error_add_next(err, "start it, or set DOCKER_HOST; the image itself is in varve's store");
    return FALSE;
}

static gboolean send_file(struct built_image *b, const char *host, int fd, guint64 size,
                          GError **err)
{
    const struct curl_api *api = curl_api_load(err);
    if (!api)
        return FALSE;
    CURL *curl = api->easy_init();
    GString *answer = g_string_new(NULL);
    g_autofree char *url = set_host(api, curl, host);
    struct curl_slist *headers = api->slist_append(NULL, "Content-Type: application/x-tar");
    headers = api->slist_append(headers, "Expect:");
    api->easy_setopt(curl, CURLOPT_URL, url);
    api->easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    set_options(api, curl, b, &fd, size, answer);
    CURLcode rc = api->easy_perform(curl);
    gboolean ok =
        rc == CURLE_OK ? check_answer(answer->str, err) : explain_transfer(api, rc, host, err);
    api->slist_free_all(headers);
    api->easy_cleanup(curl);
    g_string_free(answer, TRUE);
    return ok;
}

gboolean docker_load(const struct archived *image, const char *host, guint64 *sent, GError **err)
{
    struct built_image *b = image->image;
    g_autofree char *tmp = store_tmp_dir(b->store, err);
    if (!tmp)
        return FALSE;
    g_autofree char *path = g_build_filename(tmp, "load.tar", NULL);
    fd_auto int fd = openat(store_fd(b->store), path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    gboolean ok = fd >= 0 || error_set_errno(err, errno, "cannot create %s", path);
    struct stat st;
    ok = ok && archive_write(image, 1, TRUE, fd, sent, err);
    ok = ok && ((fstat(fd, &st) == 0 && lseek(fd, 0, SEEK_SET) == 0) ||
                error_set_errno(err, errno, "cannot read %s again", path));
    ok = ok && send_file(b, host, fd, st.st_size, err);
    store_tmp_discard(b->store, tmp);
    return ok;
}
