#include "output/imageset.h"

#include "image/manifest.h"
#include "output/annotation.h"
#include "store/blob.h"

struct imageset *imageset_new(struct store *s, gboolean is_index)
{
    struct imageset *set = g_new0(struct imageset, 1);
    set->store = s;
    set->is_index = is_index;
    set->images = g_ptr_array_new_with_free_func((GDestroyNotify)built_image_free);
    return set;
}

void imageset_free(struct imageset *set)
{
    if (!set)
        return;
    g_ptr_array_unref(set->images);
    g_free(set);
}

void imageset_add(struct imageset *set, struct built_image *b)
{
    g_ptr_array_add(set->images, b);
}

struct built_image *imageset_at(const struct imageset *set, guint i)
{
    return g_ptr_array_index(set->images, i);
}

struct built_image *imageset_main(const struct imageset *set)
{
    struct platform host;
    guint best = 0;
    int match = 0;
    platform_host(&host);
    for (guint i = 0; i < set->images->len; i++) {
        int m = platform_match(&host, &imageset_at(set, i)->conf->platform);
        if (m > match) {
            match = m;
            best = i;
        }
    }
    return imageset_at(set, best);
}

static struct descriptor *describe_image(const struct built_image *b, const struct image_options *o)
{
    struct descriptor *d = g_new0(struct descriptor, 1);
    d->media_type = g_strdup(b->manifest_type);
    d->digest = b->manifest;
    d->size = b->manifest_size;
    d->has_platform = TRUE;
    d->platform = b->conf->platform;
    d->annotations =
        annotations_of(o->annotations, ANNOTATED_MANIFEST_DESCRIPTOR, &b->conf->platform);
    return d;
}

static gboolean make_index(struct imageset *set, const struct image_options *o, GError **err)
{
    set->index_type = o->docker_types ? MEDIA_DOCKER_LIST : MEDIA_OCI_INDEX;
    g_autoptr(manifest) m = manifest_new(set->index_type);
    for (guint i = 0; i < set->images->len; i++)
        g_ptr_array_add(m->items, describe_image(imageset_at(set, i), o));
    m->annotations = annotations_of(o->annotations, ANNOTATED_INDEX, NULL);
    g_autoptr(GBytes) json = manifest_write(m);
    set->index_size = g_bytes_get_size(json);
    set->has_index = store_blob_put(set->store, g_bytes_get_data(json, NULL),
                                    g_bytes_get_size(json), &set->index, err);
    for (guint i = 0; set->has_index && i < set->images->len; i++)
        imageset_at(set, i)->index = set->index;
    return set->has_index;
}

gboolean imageset_make(struct imageset *set, const struct image_options *o, GError **err)
{
    for (guint i = 0; i < set->images->len; i++) {
        struct built_image *b = imageset_at(set, i);
        if (built_image_manifest(b, o, err))
            continue;
        g_autofree char *platform = platform_text(&b->conf->platform);
        if (set->images->len > 1)
            g_prefix_error(err, "the image for %s: ", platform);
        return FALSE;
    }
    return !set->is_index || make_index(set, o, err);
}

gboolean imageset_store(const struct imageset *set, const char *const *names, const char *origin,
                        GError **err)
{
    for (guint i = 0; i < set->images->len; i++)
        if (!built_image_store(imageset_at(set, i), names, origin, err))
            return FALSE;
    return TRUE;
}

/* Whether group has an image for each that the index lists. */
static gboolean is_complete(struct store *s, const GPtrArray *group)
{
    const struct image_row *first = g_ptr_array_index(group, 0);
    g_autoptr(manifest) m =
        image_row_in_index(first) ? manifest_load(s, &first->target, NULL) : NULL;
    for (guint i = 0; m && i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        gboolean found = FALSE;
        for (guint k = 0; !found && k < group->len; k++) {
            const struct image_row *r = g_ptr_array_index(group, k);
            found = digest_cmp(&r->manifest, &d->digest) == 0 && r->chain;
        }
        if (!found)
            return FALSE;
    }
    return m && m->is_index;
}

static gboolean open_group(struct imageset *set, const GPtrArray *group, const char *name,
                           GError **err)
{
    const struct image_row *first = g_ptr_array_index(group, 0);
    set->index = first->target;
    set->has_index = set->is_index;
    for (guint i = 0; i < group->len; i++) {
        struct built_image *b =
            built_image_from_row(set->store, name, g_ptr_array_index(group, i), err);
        if (!b)
            return FALSE;
        imageset_add(set, b);
    }
    if (set->has_index)
        store_blob_has(set->store, &set->index, &set->index_size);
    return TRUE;
}

struct imageset *imageset_open(struct store *s, const char *name, const struct platform *p,
                               GError **err)
{
    /* Any image of an index leads to it, even where none is for this machine. */
    g_autoptr(image_row) row = stored_image_any(s, name, p, err);
    if (!row)
        return NULL;
    g_autoptr(GPtrArray) group = p ? NULL : store_image_group(s, row);
    gboolean index = group && is_complete(s, group);
    g_autoptr(image_row) one = index ? NULL : stored_image_find(s, name, p, err);
    if (!index && !one)
        return NULL;
    g_autoptr(imageset) set = imageset_new(s, index);
    g_autoptr(GPtrArray) alone = g_ptr_array_new();
    if (one)
        g_ptr_array_add(alone, one);
    return open_group(set, index ? group : alone, name, err) ? g_steal_pointer(&set) : NULL;
}

const struct digest *imageset_target(const struct imageset *set)
{
    const struct built_image *first = imageset_at(set, 0);
    if (set->is_index)
        return set->has_index ? &set->index : NULL;
    return first->has_manifest ? &first->manifest : NULL;
}

const struct digest *imageset_id(const struct imageset *set)
{
    const struct built_image *first = imageset_at(set, 0);
    if (set->is_index)
        return set->has_index ? &set->index : NULL;
    return first->has_config ? &first->config : NULL;
}
