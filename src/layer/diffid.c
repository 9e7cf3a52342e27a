#include "layer/diffid.h"

#include "base/cancel.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/meter.h"
#include "base/work.h"
#include "layer/decompress.h"
#include "layer/tarwriter.h"
#include "store/absent.h"
#include "store/blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER (256 * 1024)
#define DIFF_CLAMP "diff-clamp" /* variant of a diff id without a blob, with the time behind */

/* Hashes a tar instead of keeping it. */
struct hash_sink {
    struct tar_sink sink; /* first */
    struct hasher *h;
    struct meter meter;
};

static gboolean hash_write(struct tar_sink *self, const void *bytes, gsize len, GError **err)
{
    struct hash_sink *s = (struct hash_sink *)self;
    hasher_update(s->h, bytes, len);
    return meter_add(&s->meter, len, err);
}

static gboolean hash_tar(struct store *s, const char *layer_id, gint64 clamp, struct cancel *c,
                         struct digest *out, GError **err)
{
    g_autoptr(hasher) h = hasher_new();
    struct hash_sink sink = {.sink = {.write = hash_write}, .h = h};
    struct tar_options o = {.clamp_mtime = clamp};
    struct layer_info info;
    if (!store_layer_get(s, layer_id, &info, err))
        return FALSE;
    meter_init(&sink.meter, "hashing layer", layer_id, info.size);
    gboolean ok = tarwriter_run(s, layer_id, &o, &sink.sink, c, err);
    meter_end(&sink.meter);
    if (!ok)
        return FALSE;
    hasher_final(h, out);
    return TRUE;
}

static char *clamp_variant(gint64 clamp_mtime)
{
    return g_strdup_printf(DIFF_CLAMP "%" G_GINT64_FORMAT, clamp_mtime);
}

gboolean layer_diff_id_known(struct store *s, const char *layer_id, gint64 clamp_mtime,
                             gboolean *known, struct digest *out, GError **err)
{
    struct layer_blob b;
    struct layer_info info;
    if (!store_layer_get(s, layer_id, &info, err))
        return FALSE;
    *known = info.has_diff_id && (clamp_mtime < 0 || info.unpacked);
    if (*known)
        *out = info.diff_id;
    if (*known || clamp_mtime < 0)
        return TRUE;
    g_autofree char *variant = clamp_variant(clamp_mtime);
    *known = store_layer_blob_known(s, layer_id, variant, &b);
    if (*known)
        *out = b.diff_id;
    return TRUE;
}

gboolean layer_diff_id_note(struct store *s, const char *layer_id, gint64 clamp_mtime,
                            const struct digest *diff_id, GError **err)
{
    struct layer_blob b = {.digest = *diff_id,
                           .diff_id = *diff_id,
                           .media_type = "application/vnd.oci.image.layer.v1.tar"};
    if (clamp_mtime < 0)
        return store_layer_set_diff_id(s, layer_id, diff_id, err);
    g_autofree char *variant = clamp_variant(clamp_mtime);
    return store_layer_blob_put(s, layer_id, variant, &b, err);
}

gboolean layer_diff_id(struct store *s, const char *layer_id, gint64 clamp_mtime, struct cancel *c,
                       struct digest *out, GError **err)
{
    gboolean known;
    if (!layer_diff_id_known(s, layer_id, clamp_mtime, &known, out, err))
        return FALSE;
    return known || (hash_tar(s, layer_id, clamp_mtime, c, out, err) &&
                     layer_diff_id_note(s, layer_id, clamp_mtime, out, err));
}

static gint64 clamp_of_variant(const char *variant)
{
    return g_ascii_strtoll(variant + strlen(DIFF_CLAMP), NULL, 10);
}

gboolean layer_diff_id_clamp(struct store *s, const char *layer_id, const struct digest *diff_id,
                             gint64 *clamp_mtime, GError **err)
{
    struct layer_info info;
    *clamp_mtime = -1;
    if (!store_layer_get(s, layer_id, &info, err))
        return FALSE;
    if (info.has_diff_id && digest_cmp(&info.diff_id, diff_id) == 0)
        return TRUE;
    g_autoptr(GArray) all = store_layer_blob_list(s, layer_id, err);
    for (guint i = 0; all && i < all->len && *clamp_mtime < 0; i++) {
        const struct layer_variant *v = &g_array_index(all, struct layer_variant, i);
        if (g_str_has_prefix(v->variant, DIFF_CLAMP) && !digest_cmp(&v->blob.diff_id, diff_id))
            *clamp_mtime = clamp_of_variant(v->variant);
    }
    return all != NULL;
}

static gboolean expect(const char *layer_id, const struct digest *is, const struct digest *said,
                       const char *what, GError **err)
{
    if (digest_cmp(is, said) == 0)
        return TRUE;
    g_autofree char *is_text = digest_text(is), *said_text = digest_text(said);
    return error_set(err, VARVE_ERROR_INVALID, "layer %s: %s is %s, its row says %s", layer_id,
                     what, is_text, said_text);
}

static gboolean verify_tar(struct store *s, const char *layer_id, gint64 clamp,
                           const struct digest *said, GError **err)
{
    struct digest is;
    return hash_tar(s, layer_id, clamp, NULL, &is, err) &&
           expect(layer_id, &is, said, "its tar", err);
}

static gssize read_diffid_blob(gpointer ctx, void *buf, gsize len, GError **err)
{
    ssize_t n = io_read(*(int *)ctx, buf, len);
    if (n < 0)
        error_set_errno(err, errno, "cannot read a layer's blob");
    return n;
}

static gboolean verify_blob(struct store *s, const char *layer_id, const struct layer_blob *b,
                            GError **err)
{
    fd_auto int fd = store_blob_open(s, &b->digest, err);
    if (fd < 0)
        return FALSE;
    g_autoptr(decompress) d = decompress_new(read_diffid_blob, &fd);
    g_autoptr(hasher) h = hasher_new();
    g_autofree guint8 *buf = g_malloc(BUFFER);
    struct digest is;
    gssize n;
    while ((n = decompress_read(d, buf, BUFFER, err)) > 0) {
        if (!work_check(err))
            return FALSE;
        hasher_update(h, buf, (gsize)n);
    }
    hasher_final(h, &is);
    return n == 0 && expect(layer_id, &is, &b->diff_id, "the tar in its blob", err);
}

/* A missing blob is not damage of the layer. */
static gboolean verify_variant(struct store *s, const struct layer_info *info,
                               const struct layer_variant *v, GError **err)
{
    gboolean has;
    if (g_str_has_prefix(v->variant, DIFF_CLAMP))
        return verify_tar(s, info->id, clamp_of_variant(v->variant), &v->blob.diff_id, err);
    if (!strstr(v->variant, "-clamp") && info->has_diff_id &&
        !expect(info->id, &v->blob.diff_id, &info->diff_id, "what its blob is known to hold", err))
        return FALSE;
    return store_blob_look(s, &v->blob.digest, &has, NULL, err) &&
           (!has || verify_blob(s, info->id, &v->blob, err));
}

/* The key of a layer that was unpacked alone has its diff id in it. */
static gboolean verify_source(struct store *s, const struct layer_info *info, GError **err)
{
    struct digest d;
    g_autofree char *source = store_layer_source(s, info->id);
    return !source || !g_str_has_prefix(source, "diff:") ||
           !digest_parse_hex(&d, source + strlen("diff:")) ||
           expect(info->id, &d, &info->diff_id, "what it was unpacked as", err);
}

gboolean layer_diff_id_verify(struct store *s, const char *layer_id, GError **err)
{
    struct layer_info info;
    gboolean absent;
    if (!store_layer_get(s, layer_id, &info, err) ||
        !store_absent_get(s, layer_id, &absent, NULL, err))
        return FALSE;
    if (absent) /* what is said of it is checked when it is unpacked */
        return TRUE;
    if (info.has_diff_id && !(info.unpacked ? verify_source(s, &info, err)
                                            : verify_tar(s, layer_id, -1, &info.diff_id, err)))
        return FALSE;
    g_autoptr(GArray) all = store_layer_blob_list(s, layer_id, err);
    for (guint i = 0; all && i < all->len; i++)
        if (!verify_variant(s, &info, &g_array_index(all, struct layer_variant, i), err))
            return FALSE;
    return all != NULL;
}
