#include "image/load.h"

#include "base/error.h"
#include "base/fs.h"
#include "image/archive.h"
#include "image/config.h"
#include "image/dockerarchive.h"
#include "image/layout.h"
#include "image/layoutread.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MAX_IMAGES 1000

struct loading {
    const struct load_options *o;
    struct platform wanted; /* of an index */
    GPtrArray *images;      /* struct loaded_image* */
};

/* The name that index.json gives; its "ref.name" may be a bare tag, which is none. */
static const char *name_of(const struct descriptor *d)
{
    const char *name = d->annotations ? g_tree_lookup(d->annotations, ANNOTATION_IMAGE_NAME) : NULL;
    if (name || !d->annotations)
        return name;
    name = g_tree_lookup(d->annotations, ANNOTATION_REF_NAME);
    return name && strpbrk(name, ":/") ? name : NULL;
}

/* Names the images of top. FALSE: there are none yet. */
static gboolean name_top(const struct loading *l, const struct descriptor *top)
{
    gboolean found = FALSE;
    for (guint i = 0; i < l->images->len; i++) {
        struct loaded_image *image = g_ptr_array_index(l->images, i);
        if (digest_cmp(&image->top, &top->digest) != 0)
            continue;
        loaded_image_add_name(image, name_of(top));
        found = TRUE;
    }
    return found;
}

/* Attestations are listed as images for "unknown". */
static gboolean is_image_for(const struct platform *wanted, const struct descriptor *d)
{
    if (!d->has_platform)
        return TRUE;
    return strcmp(d->platform.os, "unknown") != 0 &&
           (!wanted || platform_match(wanted, &d->platform) > 0);
}

static gboolean add_image(struct loading *l, struct layout *layout, const struct descriptor *top,
                          const struct platform *p, GError **err)
{
    g_autoptr(manifest) m = NULL;
    struct loaded_image *image = loaded_image_new();
    g_ptr_array_add(l->images, image);
    image->top = top->digest;
    loaded_image_add_name(image, name_of(top));
    if (!layout_descend(layout, &top->digest, p, &image->manifest, &m, err))
        return FALSE;
    image->config = m->config.digest;
    return TRUE;
}

/* All images of an index, or the one that is asked for. */
static gboolean add_top(struct loading *l, struct layout *layout, const struct descriptor *d,
                        GError **err)
{
    g_autoptr(GArray) platforms = g_array_new(FALSE, FALSE, sizeof(struct platform));
    if (name_top(l, d))
        return TRUE;
    if (!l->o->platform && !layout_platforms(layout, &d->digest, platforms, err))
        return FALSE;
    if (platforms->len == 0)
        return add_image(l, layout, d, &l->wanted, err);
    for (guint i = 0; i < platforms->len; i++)
        if (!add_image(l, layout, d, &g_array_index(platforms, struct platform, i), err))
            return FALSE;
    return TRUE;
}

static gboolean add_tops(struct loading *l, struct layout *layout, const struct manifest *index,
                         GError **err)
{
    if (index && index->items->len > MAX_IMAGES)
        return error_set(err, VARVE_ERROR_INVALID, "it lists more than %d images", MAX_IMAGES);
    for (guint i = 0; index && i < index->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(index->items, i);
        if (is_image_for(l->o->platform, d) && !add_top(l, layout, d, err))
            return FALSE;
    }
    return index != NULL;
}

static gboolean from_archive(struct loading *l, const char *path, GError **err)
{
    g_autoptr(image_archive) a = image_archive_read(l->o->store, path, err);
    if (!a)
        return FALSE;
    GBytes *json = image_archive_small(a, "index.json");
    if (!json) {
        gboolean ok = dockerarchive_convert(l->o->store, a, l->images, err);
        if (!ok)
            g_prefix_error(err, "%s: ", path);
        return ok;
    }
    struct layout layout = {.store = l->o->store, .path = path, .dir = -1};
    g_autoptr(manifest) index =
        manifest_parse(g_bytes_get_data(json, NULL), g_bytes_get_size(json), MEDIA_OCI_INDEX, err);
    return layout_named(&layout, add_tops(l, &layout, index, err), err);
}

static gboolean from_dir(struct loading *l, const char *path, int dir, GError **err)
{
    struct layout layout = {.store = l->o->store, .path = path, .dir = dir};
    g_autoptr(manifest) index = layout_index(&layout, err);
    return layout_named(&layout, add_tops(l, &layout, index, err), err);
}

static gboolean read_platform(struct store *s, struct loaded_image *image, GError **err)
{
    g_autoptr(image_conf) conf = image_conf_load(s, &image->config, err);
    if (conf)
        image->platform = conf->platform;
    if (conf && !*image->platform.arch)
        platform_host(&image->platform);
    return conf != NULL;
}

/* Those for other platforms go; the others get their chains. */
static gboolean unpack_loaded(struct loading *l, const char *path, struct blob_source *src,
                              GError **err)
{
    const struct load_options *o = l->o;
    for (guint i = 0; i < l->images->len;) {
        struct loaded_image *image = g_ptr_array_index(l->images, i);
        if (!read_platform(o->store, image, err))
            return FALSE;
        if (o->platform && platform_match(o->platform, &image->platform) <= 0) {
            g_ptr_array_remove_index(l->images, i);
            continue;
        }
        if (!image_unpack(o->store, &image->manifest, src, o->events, o->cancel, &image->chain,
                          err)) {
            g_prefix_error(err, "cannot unpack %s: ", path);
            return FALSE;
        }
        i++;
    }
    return TRUE;
}

static gboolean found_some(const struct loading *l, const char *path, GError **err)
{
    if (l->images->len)
        return TRUE;
    g_autofree char *platform = l->o->platform ? platform_text(l->o->platform) : NULL;
    return error_set(err, VARVE_ERROR_NOT_FOUND, "%s does not contain an image%s%s", path,
                     platform ? " for " : "", platform ? platform : "");
}

GPtrArray *load_images(const struct load_options *o, const char *path, GError **err)
{
    g_autoptr(GPtrArray) images = g_ptr_array_new_with_free_func((GDestroyNotify)loaded_image_free);
    struct loading l = {.o = o, .images = images};
    if (o->platform)
        l.wanted = *o->platform;
    else
        platform_host(&l.wanted);
    fd_auto int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 && errno != ENOTDIR) {
        error_set_errno(err, errno, "cannot open %s", path);
        return NULL;
    }
    struct blob_source *src = dir < 0 ? NULL : layout_blob_source(o->store, path);
    gboolean ok = (dir < 0 ? from_archive(&l, path, err) : from_dir(&l, path, dir, err)) &&
                  unpack_loaded(&l, path, src, err) && found_some(&l, path, err);
    layout_blob_source_free(src);
    return ok ? g_steal_pointer(&images) : NULL;
}
