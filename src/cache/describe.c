#include "cache/describe.h"

#include "base/error.h"
#include "base/fs.h"
#include "cache/zbytes.h"
#include "layer/index.h"
#include "layer/member.h"
#include "registry/origin.h"
#include "store/absent.h"
#include "store/blob.h"

#include <string.h>

static gboolean put_packed(struct store *s, const void *bytes, gsize len, const char *media_type,
                           struct descriptor *out, GError **err)
{
    g_autoptr(GBytes) packed = zbytes_pack(bytes, len);
    gsize n;
    const void *data = g_bytes_get_data(packed, &n);
    if (!store_blob_put(s, data, n, &out->digest, err))
        return FALSE;
    out->media_type = g_strdup(media_type);
    out->size = n;
    return TRUE;
}

gboolean describe_text(struct store *s, const char *text, const char *media_type,
                       struct descriptor *out, GError **err)
{
    return put_packed(s, text, strlen(text), media_type, out, err);
}

#define MAX_PACKED (64 * 1024 * 1024) /* bytes */
#define MAX_UNPACKED (256 * 1024 * 1024)

GBytes *describe_unpack(struct store *s, const struct digest *blob, GError **err)
{
    g_autoptr(GBytes) packed = store_blob_read(s, blob, MAX_PACKED, err);
    return packed ? zbytes_unpack(packed, MAX_UNPACKED, err) : NULL;
}

/* The index of a layer that is here, or was given one. */
static gboolean describe_index(struct store *s, const char *id, struct cancel *c,
                               struct cache_layer *out, GError **err)
{
    g_autoptr(layer_index) x = layer_index_open(s, id, c, err);
    if (!x)
        return FALSE;
    g_autofree char *dir = store_layer_path(id), *path = g_strconcat(dir, "/index", NULL);
    g_autoptr(GBytes) bytes = fs_read(store_fd(s), path, G_MAXINT32, err);
    if (!bytes)
        return FALSE;
    layer_index_content(x, &out->content, &out->bytes);
    out->entries = layer_index_len(x);
    gsize len;
    const void *data = g_bytes_get_data(bytes, &len);
    return put_packed(s, data, len, CACHE_INDEX_TYPE, &out->index, err);
}

static void set_blob(struct cache_layer *l, const struct digest *d, guint64 size, const char *type)
{
    l->blob = (struct descriptor){.media_type = g_strdup(type), .digest = *d, .size = size};
}

static void set_origins(struct store *s, struct cache_layer *l)
{
    g_autoptr(GPtrArray) all = origin_list(s, &l->blob.digest);
    g_autoptr(GPtrArray) lines = g_ptr_array_new();
    for (guint i = 0; i < all->len; i++) {
        const struct origin *o = g_ptr_array_index(all, i);
        g_ptr_array_add(lines, g_strconcat(o->host, " ", o->repository, NULL));
    }
    g_ptr_array_add(lines, NULL);
    if (all->len > 0)
        l->origins = g_strdupv((char **)lines->pdata);
    g_ptr_array_foreach(lines, (GFunc)(void (*)(void))g_free, NULL);
}

/* One that is not here: as it is known. */
static void describe_absent(struct store *s, const struct absent_layer *a, struct cache_layer *l)
{
    l->diff_id = a->diff_id;
    set_blob(l, &a->blob, a->size, a->media_type);
    l->base = !*a->variant;
    l->created = a->created;
    if (l->base) {
        set_origins(s, l);
        return;
    }
    l->variant = g_strdup(a->variant);
    l->content = a->content;
    l->bytes = a->bytes;
    l->entries = a->entries;
    l->index = (struct descriptor){
        .media_type = g_strdup(CACHE_INDEX_TYPE), .digest = a->index, .size = a->index_size};
}

/* A layer that came with an image: the blob that it came as, where that is known. */
static gboolean describe_base(struct store *s, const struct layer_info *info,
                              const struct export_options *o, struct cancel *c,
                              struct cache_layer *l, GError **err)
{
    struct layer_blob b;
    l->base = TRUE;
    struct export_options plain = *o;
    plain.force = FALSE;
    if (!layer_export(s, info->id, &plain, c, &b, err))
        return FALSE;
    l->diff_id = b.diff_id;
    set_blob(l, &b.digest, b.size, b.media_type);
    set_origins(s, l);
    return describe_index(s, info->id, c, l, err);
}

static gboolean describe_own(struct store *s, const struct layer_info *info,
                             const struct export_options *o, struct cancel *c,
                             struct cache_layer *l, GError **err)
{
    struct layer_blob b;
    struct encoder e;
    if (!encoder_init(&e, o->compression, o->level, err) ||
        !layer_export(s, info->id, o, c, &b, err))
        return FALSE;
    l->diff_id = b.diff_id;
    l->variant = g_strdup(e.variant);
    set_blob(l, &b.digest, b.size, b.media_type);
    return describe_index(s, info->id, c, l, err);
}

struct cache_layer *describe_layer(struct store *s, const char *id, const struct export_options *o,
                                   struct cancel *c, GError **err)
{
    gboolean absent;
    g_auto(absent_layer) a = {.size = 0};
    struct layer_info info;
    g_autoptr(cache_layer) l = g_new0(struct cache_layer, 1);
    if (!store_absent_get(s, id, &absent, &a, err) || !store_layer_get(s, id, &info, err))
        return NULL;
    l->created = info.created;
    if (absent)
        describe_absent(s, &a, l);
    else if (!(info.unpacked ? describe_base : describe_own)(s, &info, o, c, l, err))
        return NULL;
    return g_steal_pointer(&l);
}

struct cache_layer *describe_inline(struct store *s, const char *id, const struct export_options *o,
                                    struct cancel *c, GError **err)
{
    gboolean absent;
    struct layer_blob b;
    g_auto(absent_layer) a = {.size = 0};
    g_autoptr(cache_layer) l = g_new0(struct cache_layer, 1);
    if (!store_absent_get(s, id, &absent, &a, err))
        return NULL;
    l->base = TRUE;
    l->created = a.created;
    if (absent) {
        l->diff_id = a.diff_id;
        set_blob(l, &a.blob, a.size, a.media_type);
        return g_steal_pointer(&l);
    }
    struct layer_info info;
    if (!store_layer_get(s, id, &info, err) || !layer_export(s, id, o, c, &b, err))
        return NULL;
    l->created = info.created;
    l->diff_id = b.diff_id;
    set_blob(l, &b.digest, b.size, b.media_type);
    return g_steal_pointer(&l);
}
