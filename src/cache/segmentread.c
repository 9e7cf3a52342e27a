/* Reading segments (segment.h): everything in them is from outside. */
#include "cache/segment.h"

#include "base/error.h"
#include "cache/zbytes.h"
#include "image/jsonin.h"
#include "image/jsonwalk.h"

#include <string.h>

#define MAX_JSON (16 * 1024 * 1024) /* bytes */
#define MAX_ITEMS 20000             /* records, layers */
#define MAX_MOUNTS 2000
#define MAX_LAYERS 500 /* of a record: overlayfs takes no more */
#define MAX_PACKS 4096
#define MAX_ORIGINS 8
#define MAX_TIME ((gint64)1 << 40) /* seconds: the year 36812 */

static gboolean read_bounded(const json_t *obj, const char *key, gint64 max, gint64 *out,
                             GError **err)
{
    return jsonin_int(obj, key, out, err) &&
           ((*out >= 0 && *out <= max) ||
            error_set(err, VARVE_ERROR_INVALID, "its \"%s\" is out of range", key));
}

/* Missing ones are zero. */
static gboolean read_digest(const json_t *obj, const char *key, struct digest *out, GError **err)
{
    memset(out, 0, sizeof *out);
    return !json_object_get(obj, key) || jsonin_digest(obj, key, out, err);
}

static gboolean read_owned_text(const json_t *obj, const char *key, char **out, GError **err)
{
    const char *text;
    if (!jsonin_string(obj, key, &text, err))
        return FALSE;
    *out = g_strdup(text);
    return TRUE;
}

static gboolean fill_descriptor(const json_t *at, struct descriptor *out, GError **err)
{
    const char *type;
    gint64 size;
    if (!jsonin_string(at, "mediaType", &type, err) ||
        !jsonin_digest(at, "digest", &out->digest, err) ||
        !read_bounded(at, "size", G_MAXINT64, &size, err))
        return FALSE;
    if (!type || strlen(type) >= 80)
        return error_set(err, VARVE_ERROR_INVALID, "a descriptor in it has no media type");
    out->media_type = g_strdup(type);
    out->size = (guint64)size;
    return TRUE;
}

static gboolean read_descriptor(const json_t *obj, const char *key, struct descriptor *out,
                                GError **err)
{
    const json_t *at;
    return jsonin_object(obj, key, &at, err) && (!at || fill_descriptor(at, out, err));
}

static gboolean check_layer(const struct cache_layer *l, GError **err)
{
    if (digest_is_zero(&l->diff_id) || !l->blob.media_type)
        return error_set(err, VARVE_ERROR_INVALID, "a layer in it lacks its digests");
    if (!l->base && (!l->index.media_type || digest_is_zero(&l->content) || !l->variant ||
                     !*l->variant || strlen(l->variant) >= 48))
        return error_set(err, VARVE_ERROR_INVALID, "a layer in it lacks its index");
    return !l->origins || g_strv_length(l->origins) <= MAX_ORIGINS ||
           error_set(err, VARVE_ERROR_INVALID, "a layer in it has too many origins");
}

static gboolean fill_layer(const json_t *at, struct cache_layer *l, GError **err)
{
    gint64 bytes, entries;
    return read_digest(at, "diffId", &l->diff_id, err) &&
           read_descriptor(at, "blob", &l->blob, err) &&
           read_descriptor(at, "index", &l->index, err) &&
           read_digest(at, "content", &l->content, err) &&
           read_bounded(at, "bytes", G_MAXINT64, &bytes, err) &&
           read_bounded(at, "entries", G_MAXINT32, &entries, err) &&
           read_bounded(at, "created", MAX_TIME, &l->created, err) &&
           read_owned_text(at, "variant", &l->variant, err) &&
           jsonin_bool(at, "base", &l->base, err) && jsonin_strv(at, "origins", &l->origins, err) &&
           (l->bytes = (guint64)bytes, l->entries = (guint64)entries, check_layer(l, err));
}

/* The numbers of a record's layers: each is one of the segment's. */
static gboolean read_chain(const json_t *at, guint n_known, struct cache_record *r, GError **err)
{
    const json_t *list;
    if (!jsonin_array(at, "layers", MAX_LAYERS, &list, err))
        return FALSE;
    r->n_layers = (guint)json_array_size(list);
    r->layers = g_new0(guint, r->n_layers + 1);
    for (guint i = 0; i < r->n_layers; i++) {
        const json_t *n = json_array_get(list, i);
        if (!json_is_integer(n) || json_integer_value(n) < 0 || json_integer_value(n) >= n_known)
            return error_set(err, VARVE_ERROR_INVALID,
                             "a record in it names a layer that it lacks");
        r->layers[i] = (guint)json_integer_value(n);
    }
    return TRUE;
}

static gboolean fill_record(const json_t *at, guint n_layers, struct cache_record *r, GError **err)
{
    gint64 hits;
    if (!jsonin_digest(at, "definition", &r->definition, err) ||
        !read_digest(at, "contentKey", &r->content_key, err) || !read_chain(at, n_layers, r, err) ||
        !read_digest(at, "content", &r->content, err) ||
        !read_bounded(at, "created", MAX_TIME, &r->created, err) ||
        !read_bounded(at, "durationUs", G_MAXINT64, &r->duration_us, err))
        return FALSE;
    if (!read_owned_text(at, "step", &r->step, err) ||
        !read_owned_text(at, "platform", &r->platform, err) ||
        !read_owned_text(at, "slot", &r->slot, err) ||
        !read_owned_text(at, "inputs", &r->inputs, err) ||
        !read_descriptor(at, "inputsBlob", &r->inputs_blob, err) ||
        !read_bounded(at, "used", MAX_TIME, &r->used, err) ||
        !read_bounded(at, "hits", G_MAXINT32, &hits, err))
        return FALSE;
    r->hits = (guint64)hits;
    return TRUE;
}

static gboolean fill_packs(const json_t *at, struct cache_mount_ref *m, GError **err)
{
    const json_t *list;
    if (!jsonin_array(at, "packs", MAX_PACKS, &list, err))
        return FALSE;
    for (gsize i = 0; i < json_array_size(list); i++) {
        struct descriptor *d = g_new0(struct descriptor, 1);
        g_ptr_array_add(m->packs, d);
        if (!fill_descriptor(json_array_get(list, i), d, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean fill_mount(const json_t *at, struct cache_mount_ref *m, GError **err)
{
    gint64 bytes;
    m->packs = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    if (!read_owned_text(at, "id", &m->id, err) ||
        !read_owned_text(at, "platform", &m->platform, err) ||
        !read_bounded(at, "created", MAX_TIME, &m->created, err) ||
        !read_bounded(at, "bytes", G_MAXINT64, &bytes, err) ||
        !read_descriptor(at, "manifest", &m->manifest, err) || !fill_packs(at, m, err))
        return FALSE;
    m->bytes = (guint64)bytes;
    return (m->id && m->manifest.media_type) ||
           error_set(err, VARVE_ERROR_INVALID, "a cache mount in it lacks its name or manifest");
}

/* A document that is being read. */
struct reading {
    struct cache_segment *s;
    GArray *numbers; /* guint: what the numbers of layers in the document become */
    guint records, mounts;
    gint64 version;
};

static gboolean has_room(guint n, guint max, const char *what, GError **err)
{
    return n < max || error_set(err, VARVE_ERROR_INVALID, "it has more than %u %s", max, what);
}

static gboolean read_layer(struct reading *r, const json_t *at, GError **err)
{
    g_autoptr(cache_layer) l = g_new0(struct cache_layer, 1);
    if (!has_room(r->numbers->len, MAX_ITEMS, "layers", err) || !fill_layer(at, l, err))
        return FALSE;
    guint number = segment_add_layer(r->s, l);
    g_array_append_val(r->numbers, number);
    return TRUE;
}

/* Its layers come before it. */
static gboolean read_record(struct reading *r, const json_t *at, GError **err)
{
    g_autoptr(cache_record) rec = g_new0(struct cache_record, 1);
    if (!has_room(r->records++, MAX_ITEMS, "records", err) ||
        !fill_record(at, r->numbers->len, rec, err))
        return FALSE;
    for (guint k = 0; k < rec->n_layers; k++)
        rec->layers[k] = g_array_index(r->numbers, guint, rec->layers[k]);
    segment_add_record(r->s, g_steal_pointer(&rec));
    return TRUE;
}

static gboolean read_mount(struct reading *r, const json_t *at, GError **err)
{
    g_autoptr(cache_mount_ref) m = g_new0(struct cache_mount_ref, 1);
    if (!has_room(r->mounts++, MAX_MOUNTS, "cache mounts", err) || !fill_mount(at, m, err))
        return FALSE;
    segment_add_mount(r->s, g_steal_pointer(&m));
    return TRUE;
}

static gboolean read_superseded(struct reading *r, const json_t *at, GError **err)
{
    const char *name = json_string_value(at);
    if (!name)
        return error_set(err, VARVE_ERROR_INVALID, "\"supersedes\" is not a list of strings");
    g_ptr_array_add(r->s->supersedes, g_strdup(name));
    return TRUE;
}

static gboolean read_version(struct reading *r, const json_t *at, GError **err)
{
    if (!json_is_integer(at) || r->version)
        return error_set(err, VARVE_ERROR_INVALID, "its \"version\" is not one whole number");
    r->version = json_integer_value(at);
    return r->version == CACHE_SEGMENT_VERSION ||
           error_set(err, VARVE_ERROR_UNSUPPORTED,
                     "it is of version %" G_GINT64_FORMAT ", which this varve does not know",
                     r->version);
}

static gboolean read_created(struct reading *r, const json_t *at, GError **err)
{
    r->s->created = json_integer_value(at);
    return (json_is_integer(at) && r->s->created >= 0 && r->s->created <= MAX_TIME) ||
           error_set(err, VARVE_ERROR_INVALID, "its \"created\" is out of range");
}

static gboolean read_member(gpointer ctx, const char *key, const json_t *value, GError **err)
{
    static const struct {
        const char *key;
        gboolean (*read)(struct reading *r, const json_t *at, GError **err);
    } members[] = {{"version", read_version},       {"created", read_created},
                   {"supersedes", read_superseded}, {"layers", read_layer},
                   {"records", read_record},        {"mounts", read_mount}};
    struct reading *r = ctx;
    for (guint i = 0; i < G_N_ELEMENTS(members); i++)
        if (strcmp(key, members[i].key) == 0)
            return members[i].read(r, value, err);
    return TRUE;
}

struct cache_segment *segment_parse(GBytes *bytes, GError **err)
{
    g_autoptr(GBytes) json = zbytes_unpack(bytes, MAX_JSON, err);
    if (!json)
        return NULL;
    gsize len;
    const void *text = g_bytes_get_data(json, &len);
    g_autoptr(cache_segment) s = segment_new();
    g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(guint));
    struct reading r = {.s = s, .numbers = numbers};
    if (!jsonwalk(text, len, "cache segment", read_member, &r, err))
        return NULL;
    if (r.version == CACHE_SEGMENT_VERSION)
        return g_steal_pointer(&s);
    error_set(err, VARVE_ERROR_UNSUPPORTED, "it does not say which version it is of");
    return NULL;
}
