#include "cache/ghaindex.h"

#include "base/error.h"
#include "image/jsonin.h"
#include "image/jsonout.h"

#include <string.h>

#define MAGIC "varve-index-1\n"
#define HEAD_LEN (sizeof MAGIC - 1 + 9) /* with the JSON's length */
#define MAX_JSON (32 * 1024 * 1024)
#define MAX_SEGMENTS 10000
#define MAX_PACKS 1000
#define MAX_BLOBS 10000 /* of a pack */
#define MAX_KEY 512

static void ghaindex_segment_free(struct ghaindex_segment *s)
{
    if (s->bytes)
        g_bytes_unref(s->bytes);
    g_free(s);
}

struct ghaindex_pack *ghaindex_pack_new(const char *key)
{
    struct ghaindex_pack *p = g_new0(struct ghaindex_pack, 1);
    p->key = g_strdup(key);
    p->blobs = g_array_new(FALSE, FALSE, sizeof(struct ghaindex_blob));
    return p;
}

void ghaindex_pack_free(struct ghaindex_pack *p)
{
    if (!p)
        return;
    g_free(p->key);
    g_array_unref(p->blobs);
    g_free(p);
}

struct ghaindex *ghaindex_new(void)
{
    struct ghaindex *x = g_new0(struct ghaindex, 1);
    x->segments = g_ptr_array_new_with_free_func((GDestroyNotify)ghaindex_segment_free);
    x->packs = g_ptr_array_new_with_free_func((GDestroyNotify)ghaindex_pack_free);
    return x;
}

void ghaindex_free(struct ghaindex *x)
{
    if (!x)
        return;
    g_ptr_array_unref(x->segments);
    g_ptr_array_unref(x->packs);
    g_free(x);
}

static int find_listed(const struct ghaindex *x, const struct digest *d)
{
    for (guint i = 0; i < x->segments->len; i++)
        if (digest_cmp(&((struct ghaindex_segment *)x->segments->pdata[i])->digest, d) == 0)
            return (int)i;
    return -1;
}

gboolean ghaindex_has_segment(const struct ghaindex *x, const struct digest *d)
{
    return find_listed(x, d) >= 0;
}

void ghaindex_add_segment(struct ghaindex *x, const struct digest *d, guint64 size, gint64 created,
                          GBytes *bytes)
{
    struct ghaindex_segment s = {.digest = *d, .size = size, .created = created};
    if (ghaindex_has_segment(x, d))
        return;
    s.bytes = bytes ? g_bytes_ref(bytes) : NULL;
    g_ptr_array_add(x->segments, g_memdup2(&s, sizeof s));
}

void ghaindex_drop_segment(struct ghaindex *x, const struct digest *d)
{
    int at = find_listed(x, d);
    if (at >= 0)
        g_ptr_array_remove_index(x->segments, at);
}

static int find_pack(const struct ghaindex *x, const char *key)
{
    for (guint i = 0; i < x->packs->len; i++)
        if (g_str_equal(((struct ghaindex_pack *)x->packs->pdata[i])->key, key))
            return (int)i;
    return -1;
}

void ghaindex_add_pack(struct ghaindex *x, const struct ghaindex_pack *p)
{
    if (find_pack(x, p->key) >= 0)
        return;
    struct ghaindex_pack *copy = ghaindex_pack_new(p->key);
    g_array_append_vals(copy->blobs, p->blobs->data, p->blobs->len);
    g_ptr_array_add(x->packs, copy);
    if (x->packs->len > MAX_PACKS)
        g_ptr_array_remove_index(x->packs, 0);
}

void ghaindex_drop_pack(struct ghaindex *x, const char *key)
{
    int at = find_pack(x, key);
    if (at >= 0)
        g_ptr_array_remove_index(x->packs, at);
}

const struct ghaindex_pack *ghaindex_find(const struct ghaindex *x, const struct digest *d,
                                          const struct ghaindex_blob **blob)
{
    for (guint i = x->packs->len; i-- > 0;) {
        const struct ghaindex_pack *p = x->packs->pdata[i];
        for (guint k = 0; k < p->blobs->len; k++) {
            *blob = &g_array_index(p->blobs, struct ghaindex_blob, k);
            if (digest_cmp(&(*blob)->digest, d) == 0)
                return p;
        }
    }
    return NULL;
}

void ghaindex_merge(struct ghaindex *into, const struct ghaindex *from)
{
    for (guint i = 0; i < from->segments->len; i++) {
        const struct ghaindex_segment *s = from->segments->pdata[i];
        ghaindex_add_segment(into, &s->digest, s->size, s->created, s->bytes);
    }
    for (guint i = 0; i < from->packs->len; i++)
        ghaindex_add_pack(into, from->packs->pdata[i]);
}

static void write_digest(struct jsonout *j, const struct digest *d)
{
    g_autofree char *text = digest_text(d);
    jsonout_str(j, "digest", text);
}

static void write_segments(struct jsonout *j, const struct ghaindex *x, GByteArray *tail)
{
    jsonout_open(j, "segments", '[');
    for (guint i = 0; i < x->segments->len; i++) {
        const struct ghaindex_segment *s = x->segments->pdata[i];
        jsonout_open(j, NULL, '{');
        write_digest(j, &s->digest);
        jsonout_int(j, "size", (gint64)s->size);
        jsonout_int(j, "created", s->created);
        if (s->bytes) {
            jsonout_int(j, "at", tail->len);
            g_byte_array_append(tail, g_bytes_get_data(s->bytes, NULL),
                                (guint)g_bytes_get_size(s->bytes));
        }
        jsonout_close(j, '}');
    }
    jsonout_close(j, ']');
}

static void write_packs(struct jsonout *j, const struct ghaindex *x)
{
    jsonout_open(j, "packs", '[');
    for (guint i = 0; i < x->packs->len; i++) {
        const struct ghaindex_pack *p = x->packs->pdata[i];
        jsonout_open(j, NULL, '{');
        jsonout_str(j, "key", p->key);
        jsonout_open(j, "blobs", '[');
        for (guint k = 0; k < p->blobs->len; k++) {
            const struct ghaindex_blob *b = &g_array_index(p->blobs, struct ghaindex_blob, k);
            jsonout_open(j, NULL, '{');
            write_digest(j, &b->digest);
            jsonout_int(j, "at", (gint64)b->at);
            jsonout_int(j, "size", (gint64)b->size);
            jsonout_close(j, '}');
        }
        jsonout_close(j, ']');
        jsonout_close(j, '}');
    }
    jsonout_close(j, ']');
}

GBytes *ghaindex_write(const struct ghaindex *x)
{
    struct jsonout j;
    g_autoptr(GByteArray) tail = g_byte_array_new();
    jsonout_init(&j, 0);
    jsonout_open(&j, NULL, '{');
    jsonout_int(&j, "base", x->base);
    write_segments(&j, x, tail);
    write_packs(&j, x);
    jsonout_close(&j, '}');
    g_autoptr(GBytes) json = jsonout_finish(&j);
    GByteArray *out = g_byte_array_new();
    g_autofree char *head = g_strdup_printf(MAGIC "%08x\n", (guint)g_bytes_get_size(json));
    g_byte_array_append(out, (const guint8 *)head, (guint)strlen(head));
    g_byte_array_append(out, g_bytes_get_data(json, NULL), (guint)g_bytes_get_size(json));
    g_byte_array_append(out, tail->data, tail->len);
    return g_byte_array_free_to_bytes(out);
}

/* A number that may not be negative. */
static gboolean read_count(const json_t *o, const char *key, guint64 max, guint64 *out,
                           GError **err)
{
    gint64 n = 0;
    if (!jsonin_int(o, key, &n, err))
        return FALSE;
    *out = (guint64)n;
    return (n >= 0 && (guint64)n <= max) ||
           error_set(err, VARVE_ERROR_INVALID, "\"%s\" is out of range", key);
}

/* from: where the one before ended; none lies in another. */
static gboolean read_segment(const json_t *o, GBytes *tail, guint64 *from, struct ghaindex *x,
                             GError **err)
{
    struct digest d, got;
    guint64 size, created, at, max = g_bytes_get_size(tail);
    if (!jsonin_digest(o, "digest", &d, err) || !read_count(o, "size", GHAINDEX_MAX, &size, err) ||
        !read_count(o, "created", G_MAXINT64, &created, err))
        return FALSE;
    if (!json_object_get(o, "at")) {
        ghaindex_add_segment(x, &d, size, (gint64)created, NULL);
        return TRUE;
    }
    if (!read_count(o, "at", max, &at, err))
        return FALSE;
    if (at < *from || size > max - at)
        return error_set(err, VARVE_ERROR_INVALID, "a segment lies in another or beyond its end");
    *from = at + size;
    g_autoptr(GBytes) bytes = g_bytes_new_from_bytes(tail, at, size);
    digest_of_bytes(&got, g_bytes_get_data(bytes, NULL), size);
    if (digest_cmp(&got, &d) != 0)
        return error_set(err, VARVE_ERROR_INVALID, "a segment's digest is wrong");
    ghaindex_add_segment(x, &d, size, (gint64)created, bytes);
    return TRUE;
}

static gboolean read_pack(const json_t *o, struct ghaindex *x, GError **err)
{
    const char *key;
    const json_t *blobs, *item;
    size_t i;
    if (!jsonin_string(o, "key", &key, err) || !jsonin_array(o, "blobs", MAX_BLOBS, &blobs, err))
        return FALSE;
    if (!key || strlen(key) > MAX_KEY)
        return error_set(err, VARVE_ERROR_INVALID, "a pack has no usable key");
    g_autoptr(ghaindex_pack) p = ghaindex_pack_new(key);
    json_array_foreach(blobs, i, item)
    {
        struct ghaindex_blob b;
        if (!jsonin_digest(item, "digest", &b.digest, err) ||
            !read_count(item, "at", GHAINDEX_MAX, &b.at, err) ||
            !read_count(item, "size", GHAINDEX_MAX, &b.size, err))
            return FALSE;
        g_array_append_val(p->blobs, b);
    }
    ghaindex_add_pack(x, p);
    return TRUE;
}

static gboolean read_members(const json_t *doc, GBytes *tail, struct ghaindex *x, GError **err)
{
    const json_t *segments, *packs, *item;
    guint64 base, from = 0;
    size_t i;
    if (!read_count(doc, "base", G_MAXUINT32, &base, err) ||
        !jsonin_array(doc, "segments", MAX_SEGMENTS, &segments, err) ||
        !jsonin_array(doc, "packs", MAX_PACKS, &packs, err))
        return FALSE;
    x->base = (guint)base;
    json_array_foreach(segments, i, item)
    {
        if (!read_segment(item, tail, &from, x, err))
            return FALSE;
    }
    json_array_foreach(packs, i, item)
    {
        if (!read_pack(item, x, err))
            return FALSE;
    }
    return TRUE;
}

struct ghaindex *ghaindex_parse(GBytes *bytes, GError **err)
{
    gsize len;
    const char *p = g_bytes_get_data(bytes, &len);
    g_autofree char *number = len > HEAD_LEN ? g_strndup(p + strlen(MAGIC), 8) : NULL;
    guint64 json_len = number ? g_ascii_strtoull(number, NULL, 16) : 0;
    if (!number || memcmp(p, MAGIC, strlen(MAGIC)) != 0 || json_len > len - HEAD_LEN) {
        error_set(err, VARVE_ERROR_INVALID, "it does not begin as an index of varve's cache");
        return NULL;
    }
    json_t *doc = jsonin_parse(p + HEAD_LEN, json_len, MAX_JSON, "cache's index", err);
    if (!doc)
        return NULL;
    g_autoptr(ghaindex) x = ghaindex_new();
    g_autoptr(GBytes) tail =
        g_bytes_new_from_bytes(bytes, HEAD_LEN + json_len, len - HEAD_LEN - json_len);
    gboolean ok = read_members(doc, tail, x, err);
    json_decref(doc);
    return ok ? g_steal_pointer(&x) : NULL;
}
