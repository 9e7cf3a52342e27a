#include "registry/hostconf.h"

#include "base/error.h"
#include "base/fs.h"
#include "registry/toml.h"
#include "net/url.h"

#include <fcntl.h>
#include <string.h>

#define MAX_FILE (1024 * 1024)
#define HUB "docker.io"
#define HUB_SERVER "registry-1.docker.io"

static GHashTable *string_set(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

struct registry_config *registry_config_new(void)
{
    struct registry_config *c = g_new0(struct registry_config, 1);
    c->mirrors =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
    c->digest_only = string_set();
    c->insecure = string_set();
    c->locations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    c->blocked = string_set();
    return c;
}

void registry_config_free(struct registry_config *c)
{
    if (!c)
        return;
    g_hash_table_unref(c->mirrors);
    g_hash_table_unref(c->digest_only);
    g_hash_table_unref(c->insecure);
    g_hash_table_unref(c->locations);
    g_hash_table_unref(c->blocked);
    g_free(c->logins.only);
    g_free(c->logins.text);
    g_strfreev(c->logins.files);
    g_strfreev(c->logins.env);
    trust_places_clear(&c->trust);
    http_proxies_clear(&c->proxies);
    g_free(c);
}

void registry_config_add_mirror(struct registry_config *c, const char *prefix, const char *mirror)
{
    GPtrArray *list = g_hash_table_lookup(c->mirrors, prefix);
    if (!list) {
        list = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(c->mirrors, g_strdup(prefix), list);
    }
    g_ptr_array_add(list, g_strdup(mirror));
}

void registry_config_add_insecure(struct registry_config *c, const char *prefix)
{
    g_hash_table_add(c->insecure, g_strdup(prefix));
}

/* registries.conf: one [[registry]] or [[registry.mirror]] is gathered, then kept. */
struct containers_reader {
    struct toml_handler handler;
    struct registry_config *config;
    enum { IN_OTHER, IN_REGISTRY, IN_MIRROR } in;
    char *prefix, *location;            /* of the registry */
    gboolean insecure, blocked, digest; /* of the registry */
    GPtrArray *mirrors;                 /* of the registry: struct containers_mirror* */
};
struct containers_mirror {
    char *location;
    gboolean insecure, digest;
};

static void containers_mirror_free(struct containers_mirror *m)
{
    g_free(m->location);
    g_free(m);
}

static void keep_mirror(struct containers_reader *r, const char *prefix,
                        const struct containers_mirror *m)
{
    if (!m->location)
        return;
    registry_config_add_mirror(r->config, prefix, m->location);
    if (m->insecure)
        registry_config_add_insecure(r->config, m->location);
    if (m->digest || r->digest)
        g_hash_table_add(r->config->digest_only, g_strdup(m->location));
}

static void keep_registry(struct containers_reader *r)
{
    const char *prefix = r->prefix ? r->prefix : r->location;
    for (guint i = 0; prefix && i < r->mirrors->len; i++)
        keep_mirror(r, prefix, g_ptr_array_index(r->mirrors, i));
    if (prefix && r->location && strcmp(prefix, r->location) != 0)
        g_hash_table_replace(r->config->locations, g_strdup(prefix), g_strdup(r->location));
    if (prefix && r->insecure) {
        registry_config_add_insecure(r->config, prefix);
        if (r->location)
            registry_config_add_insecure(r->config, r->location);
    }
    if (prefix && r->blocked)
        g_hash_table_add(r->config->blocked, g_strdup(prefix));
    g_clear_pointer(&r->prefix, g_free);
    g_clear_pointer(&r->location, g_free);
    r->insecure = r->blocked = r->digest = FALSE;
    g_ptr_array_set_size(r->mirrors, 0);
}

static void on_table(struct toml_handler *h, const char *name, gboolean array)
{
    struct containers_reader *r = (struct containers_reader *)h;
    gboolean mirror = array && strcmp(name, "registry.mirror") == 0;
    if (!mirror)
        keep_registry(r);
    r->in = mirror ? IN_MIRROR : array && strcmp(name, "registry") == 0 ? IN_REGISTRY : IN_OTHER;
    if (mirror)
        g_ptr_array_add(r->mirrors, g_new0(struct containers_mirror, 1));
}

static void set_string(char **field, const char *value)
{
    g_free(*field);
    *field = g_strdup(value);
}

static void on_registry_value(struct containers_reader *r, const char *key, enum toml_type type,
                              const char *text)
{
    gboolean yes = type == TOML_BOOL && *text == 't';
    if (type == TOML_STRING && strcmp(key, "prefix") == 0)
        set_string(&r->prefix, text);
    else if (type == TOML_STRING && strcmp(key, "location") == 0)
        set_string(&r->location, text);
    else if (strcmp(key, "insecure") == 0)
        r->insecure = yes;
    else if (strcmp(key, "blocked") == 0)
        r->blocked = yes;
    else if (strcmp(key, "mirror-by-digest-only") == 0)
        r->digest = yes;
}

static void on_mirror_value(struct containers_reader *r, const char *key, enum toml_type type,
                            const char *text)
{
    struct containers_mirror *m = g_ptr_array_index(r->mirrors, r->mirrors->len - 1);
    if (type == TOML_STRING && strcmp(key, "location") == 0)
        set_string(&m->location, text);
    else if (strcmp(key, "insecure") == 0)
        m->insecure = type == TOML_BOOL && *text == 't';
    else if (type == TOML_STRING && strcmp(key, "pull-from-mirror") == 0)
        m->digest = strcmp(text, "digest-only") == 0;
}

static void on_value(struct toml_handler *h, const char *key, enum toml_type type, const char *text)
{
    struct containers_reader *r = (struct containers_reader *)h;
    if (r->in == IN_REGISTRY)
        on_registry_value(r, key, type, text);
    else if (r->in == IN_MIRROR)
        on_mirror_value(r, key, type, text);
}

gboolean registry_config_read_containers(struct registry_config *c, const char *bytes, gsize len,
                                         const char *what, GError **err)
{
    struct containers_reader r = {.handler = {on_table, on_value}, .config = c};
    r.mirrors = g_ptr_array_new_with_free_func((GDestroyNotify)containers_mirror_free);
    gboolean ok = toml_read(bytes, len, what, &r.handler, err);
    keep_registry(&r);
    g_ptr_array_unref(r.mirrors);
    return ok;
}

static gboolean read_hosts_file(struct registry_config *c, const char *path, GError **err)
{
    g_autoptr(GBytes) bytes = fs_read(AT_FDCWD, path, MAX_FILE, err);
    if (!bytes)
        return FALSE;
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);
    return registry_config_read_containers(c, text, len, path, err);
}

static gboolean read_folder(struct registry_config *c, const char *folder, GError **err)
{
    fd_auto int fd = fs_open_dir(AT_FDCWD, folder, NULL);
    if (fd < 0)
        return TRUE;
    g_autoptr(GPtrArray) names = fs_list(fd, err);
    if (!names)
        return FALSE;
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        g_autofree char *path = g_build_filename(folder, name, NULL);
        if (g_str_has_suffix(name, ".conf") && !read_hosts_file(c, path, err))
            return FALSE;
    }
    return TRUE;
}

gboolean registry_config_load_containers(struct registry_config *c, const char *file, GError **err)
{
    g_autofree char *folder = g_strconcat(file, ".d", NULL);
    if (g_file_test(file, G_FILE_TEST_EXISTS) && !read_hosts_file(c, file, err))
        return FALSE;
    return read_folder(c, folder, err);
}

static void route_free(struct route *r)
{
    if (!r)
        return;
    g_free(r->host);
    g_free(r->name);
    g_free(r->repository);
    g_free(r);
}

/* Whether prefix ("host", "host/path", "*.host") covers whole ("host/path"). */
static gboolean prefix_fits(const char *prefix, const char *whole)
{
    gsize n = strlen(prefix);
    if (g_str_has_prefix(prefix, "*.")) {
        g_autofree char *host = g_strndup(whole, strcspn(whole, "/"));
        return g_str_has_suffix(host, prefix + 1);
    }
    return strncmp(prefix, whole, n) == 0 &&
           (!whole[n] || whole[n] == '/' || (n > 0 && prefix[n - 1] == '/'));
}

/* The longest key of table that fits; NULL when none does. */
static const char *best_prefix(GHashTable *table, const char *whole)
{
    const char *best = NULL;
    GHashTableIter it;
    gpointer key;
    g_hash_table_iter_init(&it, table);
    while (g_hash_table_iter_next(&it, &key, NULL))
        if (prefix_fits(key, whole) && (!best || strlen(key) > strlen(best)))
            best = key;
    return best;
}

/* "[scheme://]host[/path]" and the repository's path become a route. */
static struct route *route_new(const struct registry_config *c, const char *place,
                               const char *repository)
{
    struct route *r = g_new0(struct route, 1);
    const char *scheme = strstr(place, "://");
    r->plain = g_str_has_prefix(place, "http://");
    const char *host = scheme ? scheme + 3 : place;
    gsize n = strcspn(host, "/");
    r->name = g_strndup(host, n);
    r->host = g_strdup(strcmp(r->name, HUB) == 0 ? HUB_SERVER : r->name);
    const char *path = host + n + (host[n] == '/');
    g_autofree char *trimmed = g_strdup(path);
    while (g_str_has_suffix(trimmed, "/"))
        trimmed[strlen(trimmed) - 1] = '\0';
    r->repository = g_strconcat(trimmed, *trimmed && *repository ? "/" : "", repository, NULL);
    g_autofree char *whole = g_strconcat(r->name, "/", r->repository, NULL);
    r->insecure = r->plain || (c && best_prefix(c->insecure, whole));
    return r;
}

static void add_mirrors(const struct registry_config *c, const char *whole, gboolean by_digest,
                        GPtrArray *out)
{
    const char *prefix = best_prefix(c->mirrors, whole);
    GPtrArray *list = prefix ? g_hash_table_lookup(c->mirrors, prefix) : NULL;
    const char *rest = prefix && *prefix != '*' ? whole + strlen(prefix) : strchr(whole, '/');
    while (rest && *rest == '/')
        rest++;
    for (guint i = 0; list && i < list->len; i++) {
        const char *mirror = g_ptr_array_index(list, i);
        if (!by_digest && g_hash_table_contains(c->digest_only, mirror))
            continue;
        struct route *r = route_new(c, mirror, rest);
        r->mirror = TRUE;
        g_ptr_array_add(out, r);
    }
}

static struct route *own_route(const struct registry_config *c, const char *whole)
{
    const char *prefix = c ? best_prefix(c->locations, whole) : NULL;
    const char *slash = strchr(whole, '/');
    g_autofree char *domain = g_strndup(whole, slash - whole);
    if (!prefix || *prefix == '*')
        return route_new(c, prefix ? g_hash_table_lookup(c->locations, prefix) : domain, slash + 1);
    const char *rest = whole + strlen(prefix);
    return route_new(c, g_hash_table_lookup(c->locations, prefix), *rest == '/' ? rest + 1 : rest);
}

GPtrArray *registry_config_routes(const struct registry_config *c, const char *domain,
                                  const char *path, gboolean by_digest, gboolean pushing,
                                  GError **err)
{
    g_autofree char *whole = g_strconcat(domain, "/", path, NULL);
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)route_free);
    const char *blocked = c ? best_prefix(c->blocked, whole) : NULL;
    if (blocked) {
        error_set(err, VARVE_ERROR_DENIED,
                  "cannot use %s: containers' registries.conf blocks \"%s\"", whole, blocked);
        return NULL;
    }
    if (c && !pushing)
        add_mirrors(c, whole, by_digest, out);
    g_ptr_array_add(out, own_route(c, whole));
    return g_steal_pointer(&out);
}
