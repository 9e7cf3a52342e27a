#include "layer/diffid.h"

#include "layer/tarwriter.h"

/* Hashes a tar instead of keeping it. */
struct hash_sink {
    struct tar_sink sink; /* first */
    struct hasher *h;
    guint64 size; /* bytes of tar */
};

static gboolean hash_write(struct tar_sink *self, const void *bytes, gsize len, GError **err)
{
    struct hash_sink *s = (struct hash_sink *)self;
    hasher_update(s->h, bytes, len);
    s->size += len;
    return TRUE;
}

static gboolean hash_tar(struct store *s, const char *layer_id, gint64 clamp, struct cancel *c,
                         struct layer_blob *out, GError **err)
{
    g_autoptr(hasher) h = hasher_new();
    struct hash_sink sink = {.sink = {.write = hash_write}, .h = h};
    struct tar_options o = {.clamp_mtime = clamp};
    if (!tarwriter_run(s, layer_id, &o, &sink.sink, c, err))
        return FALSE;
    hasher_final(h, &out->diff_id);
    out->digest = out->diff_id;
    out->size = sink.size;
    return TRUE;
}

gboolean layer_diff_id(struct store *s, const char *layer_id, gint64 clamp_mtime, struct cancel *c,
                       struct digest *out, GError **err)
{
    struct layer_blob b = {.media_type = "application/vnd.oci.image.layer.v1.tar"};
    struct layer_info info;
    if (!store_layer_get(s, layer_id, &info, err))
        return FALSE;
    if (info.has_diff_id && (clamp_mtime < 0 || info.unpacked)) {
        *out = info.diff_id;
        return TRUE;
    }
    g_autofree char *variant = g_strdup_printf("diff-clamp%" G_GINT64_FORMAT, clamp_mtime);
    if (clamp_mtime >= 0 && store_layer_blob_known(s, layer_id, variant, &b)) {
        *out = b.diff_id;
        return TRUE;
    }
    if (!hash_tar(s, layer_id, clamp_mtime, c, &b, err))
        return FALSE;
    *out = b.diff_id;
    return clamp_mtime < 0 ? store_layer_set_diff_id(s, layer_id, out, err)
                           : store_layer_blob_put(s, layer_id, variant, &b, err);
}
