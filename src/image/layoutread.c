#include "image/layoutread.h"

#include "base/error.h"
#include "base/fs.h"
#include "store/blob.h"

#include <fcntl.h>
#include <unistd.h>

#define MAX_JSON (4 * 1024 * 1024)
#define MAX_NESTING 4

char *layout_blob_path(const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strconcat("blobs/sha256/", digest_hex(d, hex), NULL);
}

/* Reads a document and makes sure that it is in the store. */
static GBytes *take_json(struct layout *l, const struct digest *d, GError **err)
{
    if (l->dir < 0 || store_blob_has(l->store, d, NULL))
        return store_blob_read(l->store, d, MAX_JSON, err);
    g_autofree char *name = layout_blob_path(d);
    g_autoptr(GBytes) bytes = fs_read(l->dir, name, MAX_JSON, err);
    struct digest got;
    if (!bytes)
        return NULL;
    digest_of_bytes(&got, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    if (digest_cmp(&got, d) != 0) {
        error_set(err, VARVE_ERROR_INVALID, "%s is damaged: its content does not have this digest",
                  name);
        return NULL;
    }
    if (!store_blob_put(l->store, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL,
                        err))
        return NULL;
    return g_steal_pointer(&bytes);
}

static struct manifest *take_manifest(struct layout *l, const struct digest *d, GError **err)
{
    g_autoptr(GBytes) bytes = take_json(l, d, err);
    return bytes ? manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, err)
                 : NULL;
}

static gboolean choose_platform(const struct manifest *m, const struct platform *p,
                                struct digest *out, GError **err)
{
    const struct descriptor *d = manifest_choose(m, p);
    if (d) {
        *out = d->digest;
        return TRUE;
    }
    g_autofree char *want = platform_text(p), *have = manifest_platforms(m);
    return error_set(err, VARVE_ERROR_NOT_FOUND, "it has no image for %s (it has: %s)", want,
                     *have ? have : "none");
}

gboolean layout_descend(struct layout *l, const struct digest *top, const struct platform *p,
                        struct digest *manifest, struct manifest **out, GError **err)
{
    *manifest = *top;
    for (int i = 0; i < MAX_NESTING; i++) {
        g_autoptr(manifest) m = take_manifest(l, manifest, err);
        if (!m)
            return FALSE;
        if (m->is_index) {
            if (!choose_platform(m, p, manifest, err))
                return FALSE;
            continue;
        }
        if (!manifest_check_image(m, err))
            return FALSE;
        g_autoptr(GBytes) config = take_json(l, &m->config.digest, err);
        if (!config)
            return FALSE;
        *out = g_steal_pointer(&m);
        return TRUE;
    }
    return error_set(err, VARVE_ERROR_INVALID, "its indexes are nested more than %d deep",
                     MAX_NESTING);
}

static gboolean is_here(const struct layout *l, const struct digest *d)
{
    g_autofree char *name = layout_blob_path(d);
    return store_blob_has(l->store, d, NULL) ||
           (l->dir >= 0 && faccessat(l->dir, name, F_OK, 0) == 0);
}

gboolean layout_platforms(struct layout *l, const struct digest *top, GArray *out, GError **err)
{
    g_autoptr(manifest) m = take_manifest(l, top, err);
    for (guint i = 0; m && m->is_index && i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        if (d->has_platform && manifest_choose(m, &d->platform) == d && is_here(l, &d->digest))
            g_array_append_val(out, d->platform);
    }
    return m != NULL;
}

struct manifest *layout_index(const struct layout *l, GError **err)
{
    g_autoptr(GBytes) json = fs_read(l->dir, "index.json", MAX_JSON, err);
    return json ? manifest_parse(g_bytes_get_data(json, NULL), g_bytes_get_size(json),
                                 MEDIA_OCI_INDEX, err)
                : NULL;
}

gboolean layout_named(const struct layout *l, gboolean ok, GError **err)
{
    if (!ok)
        g_prefix_error(err, "cannot read the image layout %s: ", l->path);
    return ok;
}
