/* Azure Blob Storage, with an account's key or a shared access signature (SAS). */
#include "cache/blockblob.h"
#include "cache/objects.h"
#include "cache/sign.h"

#include "base/error.h"

#include <string.h>

static const struct object_listing azure_listing = {.item = "Blob",
                                                    .key = "Name",
                                                    .size = "Content-Length",
                                                    .modified = "Last-Modified",
                                                    .next = "NextMarker"};

struct azblob {
    struct objects objects; /* first, so that one is the other */
    char *account;
    guchar *key; /* decoded; NULL: a SAS is used */
    gsize key_len;
};

static void sign_azblob(struct service *s, const struct service_call *c, GPtrArray *fields)
{
    struct azblob *z = (struct azblob *)((char *)s - offsetof(struct azblob, objects.service));
    struct azure_login login = {.account = z->account, .key = z->key, .key_len = z->key_len};
    if (z->key)
        sign_azure(&login, &c->rq, c->url, g_get_real_time() / G_USEC_PER_SEC, fields);
}

/* As BuildKit does, a container that is not there is made by who writes. Somebody else may do the
 * same at the same time (409). */
static gboolean make_container(struct objects *o, GError **err)
{
    struct service_call c = {.rq = {.method = "PUT"}};
    g_auto(http_response) a;
    http_response_init(&a);
    return objects_send(o, &c, "", "restype=container", &a, err) &&
           (a.status == 409 || service_check(&o->service, &a, err));
}

/* What is sent: one of both. */
struct azure_body {
    GBytes *bytes;
    struct service_upload *u;
};

static gboolean put_azure_once(struct objects *o, const char *key, const struct azure_body *body,
                               int *refused, GError **err)
{
    g_autoptr(url) u = objects_url(o, key, NULL);
    struct blockblob b = {.service = &o->service, .url = u, .parallel = o->parallel};
    gboolean ok = body->bytes ? blockblob_put_bytes(&b, body->bytes, err)
                              : blockblob_put_file(&b, body->u, err);
    *refused = b.refused;
    return ok;
}

static gboolean put_azure(struct objects *o, const char *key, const struct azure_body *body,
                          GError **err)
{
    g_autoptr(GError) why = NULL;
    int refused = 0;
    if (put_azure_once(o, key, body, &refused, &why))
        return TRUE;
    if (refused == 404)
        return make_container(o, err) && put_azure_once(o, key, body, &refused, err);
    g_propagate_error(err, g_steal_pointer(&why));
    return FALSE;
}

static gboolean put_azure_bytes(struct objects *o, const char *key, GBytes *bytes, GError **err)
{
    struct azure_body body = {.bytes = bytes};
    return put_azure(o, key, &body, err);
}

static gboolean put_azure_file(struct objects *o, const char *key, struct service_upload *u,
                               const struct digest *d, GError **err)
{
    struct azure_body body = {.u = u};
    return put_azure(o, key, &body, err);
}

static void clear_azblob(struct objects *o)
{
    struct azblob *z = (struct azblob *)o;
    g_free(z->account);
    g_free(z->key);
}

/* The account's name: said, or the host's first part; in "http://127.0.0.1:10000/name" the path's.
 */
static char *account_name(const struct cache_spec *spec, const struct url *u)
{
    const char *said = cache_spec_get(spec, "account_name");
    if (said)
        return g_strdup(said);
    gboolean number = g_hostname_is_ip_address(u->host) || url_host_is_loopback(u->host);
    const char *text = number ? u->target + 1 : u->host;
    return g_strndup(text, strcspn(text, number ? "/?" : "."));
}

/* The base URL: the account's and the container. What follows '?' of account_url is a SAS. */
static struct url *container_url(const struct cache_spec *spec, struct url *account, char **sas,
                                 GError **err)
{
    g_autofree char *container = sign_escape(cache_spec_get(spec, "container"), FALSE);
    const char *said = cache_spec_get(spec, "sas");
    char *query = strchr(account->target, '?');
    *sas = g_strdup(said ? said + (*said == '?') : query ? query + 1 : NULL);
    if (query)
        *query = 0;
    g_autofree char *text = url_text(account);
    gboolean slash = g_str_has_suffix(text, "/");
    g_autofree char *whole = g_strconcat(text, slash ? "" : "/", container, NULL);
    return url_parse(whole, err);
}

struct cache_backend *cache_azblob_open(const struct cache_spec *spec, const struct cache_env *env,
                                        GError **err)
{
    const char *key = cache_spec_get(spec, "account_key");
    g_autofree char *sas = NULL;
    g_autoptr(url) account = url_parse(cache_spec_get(spec, "account_url"), err);
    struct url *base = account ? container_url(spec, account, &sas, err) : NULL;
    if (!base)
        return NULL;
    if (!key)
        key = cache_spec_get(spec, "secret_access_key");
    if (!key && !sas) {
        url_free(base);
        error_set(err, VARVE_ERROR_USAGE, "%s needs account_key=… or sas=…", spec->label);
        error_add_next(err, "or set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN");
        return NULL;
    }
    struct azblob *z = g_new0(struct azblob, 1);
    struct objects *o = &z->objects;
    objects_init(o, spec, env, "Azure storage", base);
    z->account = account_name(spec, account);
    if (key)
        z->key = g_base64_decode(key, &z->key_len);
    else
        o->query = g_steal_pointer(&sas);
    o->service.sign = sign_azblob;
    o->service.what_if_denied = "check account_key= or sas=: whether it is current, and may read, "
                                "write and list this container";
    o->listing = &azure_listing;
    o->list_query = "comp=list&restype=container";
    o->marker = "marker";
    o->put_bytes = put_azure_bytes;
    o->put_file = put_azure_file;
    o->clear = clear_azblob;
    return &o->backend;
}
