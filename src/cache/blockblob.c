#include "cache/blockblob.h"

#include "base/error.h"
#include "cache/sign.h"
#include "registry/client.h"

#include <string.h>

#define WHOLE (16 * 1024 * 1024) /* up to so many bytes in one request */
#define BLOCK (8 * 1024 * 1024)
#define MAX_BLOCKS 50000
#define MUTE_TRIES 3

static const char *const put_fields[] = {"x-ms-blob-type: BlockBlob", NULL};

static gboolean send_block_request(struct blockblob *b, struct service_call *c, GError **err)
{
    g_auto(http_response) a;
    http_response_init(&a);
    c->rq.method = "PUT";
    c->unsigned_url = b->unsigned_url;
    c->mute_tries = MUTE_TRIES;
    if (!service_send(b->service, c, &a, err))
        return FALSE;
    if (a.status == 401 || a.status == 403 || a.status == 404)
        b->refused = a.status;
    return service_check(b->service, &a, err);
}

gboolean blockblob_put_bytes(struct blockblob *b, GBytes *bytes, GError **err)
{
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    struct service_call c = {.rq = {.fields = put_fields,
                                    .content_type = "application/octet-stream",
                                    .body = data,
                                    .body_len = len},
                             .url = b->url};
    return send_block_request(b, &c, err);
}

/* A query parameter more; a signature's are there already. */
static struct url *block_url(const struct blockblob *b, const char *query)
{
    struct url *u = url_copy(b->url);
    char *target = g_strdup_printf("%s%c%s", u->target, strchr(u->target, '?') ? '&' : '?', query);
    g_free(u->target);
    u->target = target;
    return u;
}

/* Names of one length each. */
static char *block_id(gsize i)
{
    g_autofree char *name = g_strdup_printf("varve-%08" G_GSIZE_FORMAT, i);
    return g_base64_encode((const guchar *)name, strlen(name));
}

struct blocks {
    struct blockblob *b;
    struct service_upload *u;
    guint64 size; /* of a block */
};

static gboolean put_block(gpointer ctx, gsize i, GError **err)
{
    struct blocks *bs = ctx;
    struct service_part part;
    guint64 at = i * bs->size;
    g_autofree char *id = block_id(i), *escaped = sign_escape(id, FALSE);
    g_autofree char *query = g_strconcat("comp=block&blockid=", escaped, NULL);
    g_autoptr(url) u = block_url(bs->b, query);
    service_part_init(&part, bs->u, at, MIN(bs->size, bs->u->size - at));
    struct service_call c = {.rq = {.source = &part.source.base}, .url = u};
    return send_block_request(bs->b, &c, err);
}

static gboolean put_block_list(struct blockblob *b, gsize n, GError **err)
{
    g_autoptr(GString) xml =
        g_string_new("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<BlockList>");
    for (gsize i = 0; i < n; i++) {
        g_autofree char *id = block_id(i);
        g_string_append_printf(xml, "<Latest>%s</Latest>", id);
    }
    g_string_append(xml, "</BlockList>");
    g_autoptr(url) u = block_url(b, "comp=blocklist");
    struct service_call c = {
        .rq = {.body = xml->str, .body_len = xml->len, .content_type = "application/xml"},
        .url = u};
    return send_block_request(b, &c, err);
}

static gboolean put_whole(struct blockblob *b, struct service_upload *u, GError **err)
{
    struct service_part part;
    service_part_init(&part, u, 0, u->size);
    struct service_call c = {.rq = {.fields = put_fields,
                                    .content_type = "application/octet-stream",
                                    .source = &part.source.base},
                             .url = b->url};
    return send_block_request(b, &c, err);
}

gboolean blockblob_put_file(struct blockblob *b, struct service_upload *u, GError **err)
{
    if (u->size <= WHOLE)
        return put_whole(b, u, err);
    struct blocks bs = {.b = b, .u = u, .size = MAX(BLOCK, u->size / MAX_BLOCKS + 1)};
    guint n = (guint)((u->size + bs.size - 1) / bs.size);
    return client_fan_out(n, MAX(b->parallel, 1), put_block, &bs, err) && put_block_list(b, n, err);
}
