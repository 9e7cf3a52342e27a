#include "cache/mountref.h"

#include "base/error.h"
#include "store/blob.h"

#include <string.h>

/* As Dockerfiles write it: ids are kept as clean paths. */
static const char *bare(const char *id)
{
    return id + strspn(id, "/");
}

gboolean mount_refs_wanted(const struct cache_spec *spec, const char *cache_id)
{
    for (char **m = spec->mounts; m && *m; m++)
        if (strcmp(bare(*m), bare(cache_id)) == 0)
            return TRUE;
    return spec->all_mounts;
}

GPtrArray *mount_refs_of(const struct cache_segment *s, const char *id, const char *platform)
{
    GPtrArray *out = g_ptr_array_new();
    for (guint i = 0; i < s->mounts->len; i++) {
        struct cache_mount_ref *m = g_ptr_array_index(s->mounts, i);
        if (strcmp(m->id, id) == 0 && g_strcmp0(m->platform, platform) == 0)
            g_ptr_array_add(out, m);
    }
    return out;
}

static struct mount_manifest *load_one(struct cache_backend *b, struct store *s,
                                       const struct cache_mount_ref *m, GError **err)
{
    if (m->manifest.size > MOUNT_MAX_MANIFEST) {
        error_set(err, VARVE_ERROR_INVALID, "the manifest of a cache mount is too large");
        return NULL;
    }
    if (!b->fetch(b, &m->manifest, NULL, err))
        return NULL;
    g_autoptr(GBytes) bytes = store_blob_read(s, &m->manifest.digest, MOUNT_MAX_MANIFEST, err);
    return bytes ? mount_manifest_parse(bytes, err) : NULL;
}

/* What refs (at least one) hold together. */
static struct mount_manifest *mount_refs_load(struct cache_backend *b, struct store *s,
                                              const GPtrArray *refs, GError **err)
{
    g_autoptr(mount_manifest) all = load_one(b, s, g_ptr_array_index(refs, 0), err);
    for (guint i = 1; all && i < refs->len; i++) {
        g_autoptr(mount_manifest) next = load_one(b, s, g_ptr_array_index(refs, i), err);
        g_autoptr(GBytes) both = next ? mount_manifest_merge(all, next) : NULL;
        g_clear_pointer(&all, mount_manifest_free);
        all = both ? mount_manifest_parse(both, err) : NULL;
    }
    return g_steal_pointer(&all);
}

static gboolean fetch_packs(struct cache_backend *b, struct store *s, const GPtrArray *packs,
                            guint64 *bytes, GError **err)
{
    for (guint i = 0; i < packs->len; i++) {
        const struct descriptor *d = g_ptr_array_index(packs, i);
        if (store_blob_has(s, &d->digest, NULL))
            continue;
        if (!b->fetch(b, d, NULL, err))
            return FALSE;
        *bytes += d->size;
    }
    return TRUE;
}

gboolean mount_refs_fill(struct cache_backend *b, const struct mount_dir *d, const GPtrArray *refs,
                         guint64 *files, guint64 *bytes, GError **err)
{
    *bytes = *files = 0;
    g_autoptr(mount_manifest) m = mount_refs_load(b, d->store, refs, err);
    g_autoptr(GPtrArray) packs = m ? mount_import_packs(m, d, err) : NULL;
    return packs && fetch_packs(b, d->store, packs, bytes, err) && mount_import(m, d, files, err);
}

static GPtrArray *copy_packs(const GPtrArray *packs)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    for (guint i = 0; i < packs->len; i++)
        g_ptr_array_add(copy, descriptor_copy(g_ptr_array_index(packs, i)));
    return copy;
}

static struct cache_mount_ref *ref_new(const struct mount_volume *v, const struct descriptor *m,
                                       const GPtrArray *packs, guint64 bytes)
{
    struct cache_mount_ref *out = g_new0(struct cache_mount_ref, 1);
    out->id = g_strdup(v->id);
    out->platform = g_strdup(v->platform);
    out->created = g_get_real_time() / G_USEC_PER_SEC;
    out->bytes = bytes;
    out->manifest = (struct descriptor){
        .media_type = g_strdup(CACHE_MOUNT_TYPE), .digest = m->digest, .size = m->size};
    out->packs = copy_packs(packs);
    return out;
}

/* What there was and this directory may not have stays beside what it has. */
static struct cache_mount_ref *merge_ref(struct store *s, const struct mount_volume *v,
                                         const struct mount_manifest *before,
                                         const struct mount_export *e, GError **err)
{
    struct descriptor d = {.size = 0};
    guint64 bytes;
    g_autoptr(GBytes) text = store_blob_read(s, &e->manifest.digest, MOUNT_MAX_MANIFEST, err);
    g_autoptr(mount_manifest) mine = text ? mount_manifest_parse(text, err) : NULL;
    g_autoptr(GBytes) both = mine ? mount_manifest_merge(before, mine) : NULL;
    g_autoptr(mount_manifest) all = both ? mount_manifest_parse(both, err) : NULL;
    if (!all)
        return NULL;
    const void *data = g_bytes_get_data(both, &d.size);
    if (!store_blob_put(s, data, d.size, &d.digest, err))
        return NULL;
    mount_manifest_files(all, &bytes);
    g_autoptr(GPtrArray) packs = mount_manifest_packs(all);
    return ref_new(v, &d, packs, bytes);
}

static gboolean is_among(const GPtrArray *refs, const struct cache_mount_ref *m)
{
    for (guint i = 0; i < refs->len; i++)
        if (digest_cmp(
                &((const struct cache_mount_ref *)g_ptr_array_index(refs, i))->manifest.digest,
                &m->manifest.digest) == 0)
            return TRUE;
    return FALSE;
}

gboolean mount_refs_export(struct cache_backend *b, const struct mount_volume *v,
                           const struct mount_dir *d, const GPtrArray *refs, guint64 max_bytes,
                           struct cache_mount_ref **out, guint64 *left_out, GError **err)
{
    struct mount_export e = {.bytes = 0};
    *out = NULL;
    g_autoptr(mount_manifest) before = refs->len ? mount_refs_load(b, d->store, refs, err) : NULL;
    if ((refs->len && !before) || !mount_export(d, before, max_bytes, &e, err))
        return FALSE;
    *left_out = e.left_out;
    if (!(e.unchanged && refs->len == 1))
        *out = before && !v->filled ? merge_ref(d->store, v, before, &e, err)
                                    : ref_new(v, &e.manifest, e.packs, e.bytes);
    gboolean ok = *out || (e.unchanged && refs->len == 1);
    mount_export_clear(&e);
    if (*out && is_among(refs, *out))
        g_clear_pointer(out, cache_mount_ref_free);
    return ok;
}
