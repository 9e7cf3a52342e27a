/* Amazon S3, and what speaks its protocol (API version 2006-03-01). */
#include "cache/objects.h"
#include "cache/sign.h"

#include "base/boolean.h"
#include "base/error.h"
#include "registry/client.h"
#include "text/duration.h"

#include <string.h>

#define WHOLE (32 * 1024 * 1024) /* up to so many bytes in one request */
#define PART (16 * 1024 * 1024)
#define MAX_PARTS 10000

static const struct object_listing s3_listing = {.item = "Contents",
                                                 .key = "Key",
                                                 .size = "Size",
                                                 .modified = "LastModified",
                                                 .next = "NextContinuationToken"};

struct s3 {
    struct objects objects; /* first, so that one is the other */
    char *bucket;
    char *id, *secret, *session, *region; /* of struct aws_login */
};

static void sign_s3(struct service *s, const struct service_call *c, GPtrArray *fields)
{
    struct s3 *b = (struct s3 *)((char *)s - offsetof(struct s3, objects.service));
    struct aws_login login = {
        .id = b->id, .secret = b->secret, .session = b->session, .region = b->region};
    sign_aws(&login, &c->rq, c->url, c->payload, g_get_real_time() / G_USEC_PER_SEC, fields);
}

/* A request whose answer tells nothing but that it was done. */
static gboolean s3_do(struct objects *o, struct service_call *c, const char *key, const char *query,
                      struct http_response *a, GError **err)
{
    return objects_send(o, c, key, query, a, err) && service_check(&o->service, a, err);
}

static gboolean put_s3_bytes(struct objects *o, const char *key, GBytes *bytes, GError **err)
{
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    struct digest d;
    digest_of_bytes(&d, data, len);
    struct service_call c = {.rq = {.method = "PUT", .body = data, .body_len = len}, .payload = &d};
    g_auto(http_response) a;
    http_response_init(&a);
    return s3_do(o, &c, key, NULL, &a, err);
}

/* A multipart upload. */
struct s3_parts {
    struct objects *o;
    const char *key;
    char *id; /* escaped */
    struct service_upload *u;
    guint64 size; /* of a part */
    char **etags; /* of the parts that are there */
};

static gboolean begin_parts(struct s3_parts *m, GError **err)
{
    struct service_call c = {.rq = {.method = "POST"}};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!s3_do(m->o, &c, m->key, "uploads=", &a, err))
        return FALSE;
    g_autofree char *id = objectlist_element((const char *)a.body->data, a.body->len, "UploadId");
    if (!id)
        return error_set(err, VARVE_ERROR_INVALID, "%s began an upload without saying which",
                         m->o->service.name);
    m->id = sign_escape(id, FALSE);
    return TRUE;
}

static gboolean put_part(gpointer ctx, gsize i, GError **err)
{
    struct s3_parts *m = ctx;
    struct service_part part;
    struct digest d;
    guint64 at = i * m->size;
    g_autofree char *query =
        g_strdup_printf("partNumber=%" G_GSIZE_FORMAT "&uploadId=%s", i + 1, m->id);
    service_part_init(&part, m->u, at, MIN(m->size, m->u->size - at));
    struct service_call c = {.rq = {.method = "PUT", .source = &part.source.base}, .payload = &d};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!service_part_digest(&part, &d, err) || !s3_do(m->o, &c, m->key, query, &a, err))
        return FALSE;
    const char *etag = http_response_field(&a, "ETag");
    m->etags[i] = g_strdup(etag ? etag : "");
    return TRUE;
}

static gboolean end_parts(struct s3_parts *m, guint n, GError **err)
{
    g_autoptr(GString) xml = g_string_new("<CompleteMultipartUpload>");
    for (guint i = 0; i < n; i++) {
        g_autofree char *etag = g_markup_escape_text(m->etags[i], -1);
        g_string_append_printf(xml, "<Part><PartNumber>%u</PartNumber><ETag>%s</ETag></Part>",
                               i + 1, etag);
    }
    g_string_append(xml, "</CompleteMultipartUpload>");
    struct digest d;
    digest_of_bytes(&d, xml->str, xml->len);
    g_autofree char *query = g_strconcat("uploadId=", m->id, NULL);
    struct service_call c = {.rq = {.method = "POST",
                                    .body = xml->str,
                                    .body_len = xml->len,
                                    .content_type = "application/xml",
                                    .stall_s = HTTP_NO_STALL},
                             .payload = &d};
    g_auto(http_response) a;
    http_response_init(&a);
    if (!s3_do(m->o, &c, m->key, query, &a, err))
        return FALSE;
    /* Its 200 may come before the work is done, and an error then. */
    g_autofree char *code = objectlist_element((const char *)a.body->data, a.body->len, "Code");
    return !code || error_set(err, VARVE_ERROR_OUTSIDE, "%s could not put an upload together",
                              m->o->service.name);
}

static gboolean put_parts(struct s3_parts *m, GError **err)
{
    guint n = (guint)((m->u->size + m->size - 1) / m->size);
    if (!begin_parts(m, err))
        return FALSE;
    m->etags = g_new0(char *, n + 1);
    gboolean ok = client_fan_out(n, m->o->parallel, put_part, m, err) && end_parts(m, n, err);
    if (!ok) {
        /* Parts that are left are paid for; if this fails, too, the bucket's rule removes them. */
        struct service_call c = {.rq = {.method = "DELETE"}};
        g_autofree char *query = g_strconcat("uploadId=", m->id, NULL);
        g_auto(http_response) a;
        http_response_init(&a);
        objects_send(m->o, &c, m->key, query, &a, NULL);
    }
    for (guint i = 0; i < n; i++)
        g_free(m->etags[i]);
    g_free(m->etags);
    g_free(m->id);
    return ok;
}

static gboolean put_s3_file(struct objects *o, const char *key, struct service_upload *u,
                            const struct digest *d, GError **err)
{
    if (u->size > WHOLE) {
        struct s3_parts m = {
            .o = o, .key = key, .u = u, .size = MAX(PART, u->size / MAX_PARTS + 1)};
        return put_parts(&m, err);
    }
    struct service_part part;
    service_part_init(&part, u, 0, u->size);
    struct service_call c = {.rq = {.method = "PUT", .source = &part.source.base}, .payload = d};
    g_auto(http_response) a;
    http_response_init(&a);
    return s3_do(o, &c, key, NULL, &a, err);
}

/* Copies it onto itself. */
static gboolean touch_s3(struct objects *o, const char *key, GError **err)
{
    struct s3 *b = (struct s3 *)o;
    /* Not every server undoes all of the escapes: a digest's ':' needs none. */
    g_autofree char *escaped = g_uri_escape_string(key, "/:", FALSE);
    g_autofree char *from = g_strdup_printf("x-amz-copy-source: /%s/%s", b->bucket, escaped);
    const char *const fields[] = {from, "x-amz-metadata-directive: REPLACE", NULL};
    struct service_call c = {.rq = {.method = "PUT", .fields = fields}};
    g_auto(http_response) a;
    http_response_init(&a);
    return s3_do(o, &c, key, NULL, &a, err);
}

static void clear_s3(struct objects *o)
{
    struct s3 *b = (struct s3 *)o;
    g_free(b->bucket);
    g_free(b->id);
    g_free(b->secret);
    g_free(b->session);
    g_free(b->region);
}

/* Whether the bucket is in the path: where it was asked for, and where it cannot be a part of the
 * host's name, as of an address. */
static gboolean wants_path_style(const struct cache_spec *spec, const struct url *endpoint)
{
    const char *said = cache_spec_get(spec, "use_path_style");
    gboolean on = FALSE;
    if (said && boolean_parse(said, &on) && on)
        return TRUE;
    return g_hostname_is_ip_address(endpoint->host) || url_host_is_loopback(endpoint->host) ||
           strchr(cache_spec_get(spec, "bucket"), '.');
}

static struct url *bucket_url(const struct cache_spec *spec, GError **err)
{
    const char *endpoint = cache_spec_get(spec, "endpoint_url");
    g_autofree char *bucket = sign_escape(cache_spec_get(spec, "bucket"), FALSE);
    g_autofree char *usual =
        g_strdup_printf("https://s3.%s.amazonaws.com", cache_spec_get(spec, "region"));
    g_autoptr(url) u = url_parse(endpoint ? endpoint : usual, err);
    if (!u)
        return NULL;
    gboolean path = wants_path_style(spec, u);
    g_autofree char *authority = url_authority(u);
    g_autofree char *text = g_strconcat(
        u->tls ? "https://" : "http://", path ? "" : bucket, path ? "" : ".", authority, u->target,
        g_str_has_suffix(u->target, "/") ? "" : "/", path ? bucket : "", NULL);
    return url_parse(text, err);
}

struct cache_backend *cache_s3_open(const struct cache_spec *spec, const struct cache_env *env,
                                    GError **err)
{
    const char *id = cache_spec_get(spec, "access_key_id");
    const char *secret = cache_spec_get(spec, "secret_access_key");
    const char *refresh = cache_spec_get(spec, "touch_refresh");
    gint64 refresh_ns = 0;
    if (!id || !secret) {
        error_set(err, VARVE_ERROR_USAGE, "%s needs access_key_id=… and secret_access_key=…",
                  spec->label);
        error_add_next(err, "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY");
        return NULL;
    }
    if (refresh && !duration_parse(refresh, &refresh_ns, err))
        return NULL;
    struct url *base = bucket_url(spec, err);
    if (!base)
        return NULL;
    struct s3 *b = g_new0(struct s3, 1);
    struct objects *o = &b->objects;
    objects_init(o, spec, env, "S3 server", base);
    b->bucket = g_strdup(cache_spec_get(spec, "bucket"));
    b->id = g_strdup(id);
    b->secret = g_strdup(secret);
    b->session = g_strdup(cache_spec_get(spec, "session_token"));
    b->region = g_strdup(cache_spec_get(spec, "region"));
    o->refresh_s = refresh_ns / 1000000000;
    o->service.sign = sign_s3;
    o->service.what_if_denied = "check access_key_id, secret_access_key and session_token, and "
                                "that they may read, write and list this bucket";
    o->listing = &s3_listing;
    o->list_query = "list-type=2";
    o->marker = "continuation-token";
    o->put_bytes = put_s3_bytes;
    o->put_file = put_s3_file;
    o->touch = touch_s3;
    o->clear = clear_s3;
    return &o->backend;
}
