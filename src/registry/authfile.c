#include "registry/authfile.h"

#include "base/error.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE (4 * 1024 * 1024)
#define HUB "docker.io"
#define HUB_KEY "https://index.docker.io/v1/"

struct authfile {
    char *name; /* path, or what stands for it */
    json_t *root;
};

/* The key that Docker uses for host: "https://index.docker.io/v1/" for Docker Hub, else host. */
static const char *authfile_key(const char *host)
{
    return strcmp(host, HUB) == 0 ? HUB_KEY : host;
}

void authfile_free(struct authfile *f)
{
    if (!f)
        return;
    json_decref(f->root);
    g_free(f->name);
    g_free(f);
}

struct authfile *authfile_parse(const char *text, gsize len, const char *name, GError **err)
{
    json_error_t e;
    json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(root)) {
        error_set(err, VARVE_ERROR_INVALID, "cannot read logins from %s: %s", name,
                  root ? "it is not a JSON object" : e.text);
        json_decref(root);
        return NULL;
    }
    struct authfile *f = g_new0(struct authfile, 1);
    f->name = g_strdup(name);
    f->root = root;
    return f;
}

struct authfile *authfile_open(const char *path, GError **err)
{
    /* Followed, because people keep their configuration elsewhere and link it. */
    fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return authfile_parse("{}", 2, path, err);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot read logins from %s", path);
        return NULL;
    }
    g_autoptr(GBytes) bytes = fs_read_fd(fd, path, MAX_FILE, err);
    if (!bytes)
        return NULL;
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);
    return len == 0 ? authfile_parse("{}", 2, path, err) : authfile_parse(text, len, path, err);
}

/* A key of a file as "host" or "host/path": schemes, API paths and Docker Hub's many names go. */
static char *normal_key(const char *key)
{
    const char *scheme = strstr(key, "://");
    const char *rest = scheme ? scheme + 3 : key;
    gsize host_len = strcspn(rest, "/");
    g_autofree char *host = g_ascii_strdown(rest, host_len);
    g_autofree char *path = g_strdup(scheme ? "" : rest + host_len);
    while (g_str_has_suffix(path, "/"))
        path[strlen(path) - 1] = '\0';
    if (strcmp(path, "/v1") == 0 || strcmp(path, "/v2") == 0)
        *path = '\0';
    gboolean hub = strcmp(host, "index.docker.io") == 0 ||
                   strcmp(host, "registry-1.docker.io") == 0 ||
                   strcmp(host, "registry.hub.docker.com") == 0;
    return g_strconcat(hub ? HUB : host, path, NULL);
}

/* The key of table that fits host/repository best; NULL when none does. */
static const char *best_key(json_t *table, const char *host, const char *repository)
{
    g_autofree char *lower = g_ascii_strdown(host, -1);
    g_autofree char *whole = g_strconcat(lower, "/", repository, NULL);
    const char *key, *best = NULL;
    gsize best_len = 0;
    json_t *value;
    json_object_foreach(table, key, value)
    {
        g_autofree char *normal = normal_key(key);
        gsize n = strlen(normal);
        gboolean fits = n > 0 && strncmp(normal, whole, n) == 0 && (whole[n] == '/' || !whole[n]);
        if (!fits || n < best_len ||
            (n == best_len && best && strcmp(key, authfile_key(host)) != 0))
            continue;
        best = key;
        best_len = n;
    }
    return best;
}

static char *copy_string(json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s && *s ? g_strdup(s) : NULL;
}

/* "auth" is base64 of "user:secret". */
static void decode_auth(const char *auth, struct credential *out)
{
    gsize len;
    g_autofree char *text = (char *)g_base64_decode(auth, &len);
    g_autofree char *plain = g_strndup(text, len);
    char *colon = strchr(plain, ':');
    if (!colon || colon == plain)
        return;
    out->username = g_strndup(plain, colon - plain);
    out->secret = g_strdup(colon + 1);
    explicit_bzero(text, len);
    explicit_bzero(plain, strlen(plain));
}

gboolean authfile_entry(const struct authfile *f, const char *host, const char *repository,
                        struct credential *out)
{
    json_t *auths = json_object_get(f->root, "auths");
    const char *key = best_key(auths, host, repository);
    json_t *entry = key ? json_object_get(auths, key) : NULL;
    const char *auth = json_string_value(json_object_get(entry, "auth"));
    out->identity_token = copy_string(entry, "identitytoken");
    out->registry_token = copy_string(entry, "registrytoken");
    if (auth && *auth) {
        decode_auth(auth, out);
    } else {
        out->username = copy_string(entry, "username");
        out->secret = copy_string(entry, "password");
    }
    if (credential_is_empty(out))
        return FALSE;
    out->source = g_strdup(f->name);
    return TRUE;
}

const char *authfile_helper(const struct authfile *f, const char *host, const char *repository,
                            char **server)
{
    json_t *helpers = json_object_get(f->root, "credHelpers");
    const char *key = best_key(helpers, host, repository);
    const char *helper = key ? json_string_value(json_object_get(helpers, key)) : NULL;
    if (!helper || !*helper) {
        key = authfile_key(host);
        helper = json_string_value(json_object_get(f->root, "credsStore"));
    }
    if (!helper || !*helper)
        return NULL;
    *server = g_strdup(key);
    return helper;
}

static json_t *new_entry(const char *username, const char *secret)
{
    g_autofree char *plain = g_strconcat(username, ":", secret, NULL);
    g_autofree char *auth = g_base64_encode((const guchar *)plain, strlen(plain));
    explicit_bzero(plain, strlen(plain));
    return json_pack("{s:s}", "auth", auth);
}

static gboolean write_auth_file(const struct authfile *f, GError **err)
{
    /* The file a link leads to is replaced, not the link. */
    char *real = realpath(f->name, NULL);
    g_autofree char *path = g_strdup(real ? real : f->name);
    free(real);
    g_autofree char *folder = g_path_get_dirname(path);
    char *text = json_dumps(f->root, JSON_INDENT(4) | JSON_PRESERVE_ORDER);
    gboolean ok = fs_mkdir_p(AT_FDCWD, folder, 0700, err) &&
                  fs_replace(AT_FDCWD, path, text, strlen(text), 0600, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return ok;
}

gboolean authfile_write_entry(struct authfile *f, const char *host, const char *username,
                              const char *secret, gboolean *found, GError **err)
{
    json_t *auths = json_object_get(f->root, "auths");
    if (!json_is_object(auths)) {
        json_object_set_new(f->root, "auths", json_object());
        auths = json_object_get(f->root, "auths");
    }
    gboolean was = FALSE;
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(auths, next, key, value)
    {
        g_autofree char *normal = normal_key(key);
        if (g_ascii_strcasecmp(normal, host) != 0)
            continue;
        was = TRUE;
        json_object_del(auths, key);
    }
    if (found)
        *found = was;
    if (username)
        json_object_set_new(auths, authfile_key(host), new_entry(username, secret));
    return username || was ? write_auth_file(f, err) : TRUE;
}
