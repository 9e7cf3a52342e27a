#include "image/dockerarchive.h"

#include "base/error.h"
#include "base/fs.h"
#include "image/jsonin.h"
#include "image/manifest.h"
#include "store/blob.h"

#include <string.h>
#include <unistd.h>

#define MAX_IMAGES 1000
#define MAX_LAYERS 10000

/* manifest.json is a list; jsonin_parse() takes objects, like all other documents. */
static json_t *parse_list(GBytes *bytes, GError **err)
{
    json_error_t e;
    json_t *list = json_loadb(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                              JSON_REJECT_DUPLICATES, &e);
    gsize n = json_is_array(list) ? json_array_size(list) : 0;
    if (n > 0 && n <= MAX_IMAGES)
        return list;
    error_set(err, VARVE_ERROR_INVALID, "cannot read the archive's manifest.json: %s",
              list ? "it is not a list of 1 to 1000 images" : e.text);
    json_decref(list);
    return NULL;
}

/* By the blob's first bytes: the archive does not say. */
static const char *compression_suffix(struct store *s, const struct digest *d)
{
    guint8 magic[4] = {0};
    fd_auto int fd = store_blob_open(s, d, NULL);
    if (fd < 0 || pread(fd, magic, 4, 0) < 2)
        return "";
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        return ".gzip";
    return !memcmp(magic, "\x28\xb5\x2f\xfd", 4) ? ".zstd" : "";
}

static gboolean set_descriptor(struct store *s, const struct image_archive *a, const char *name,
                               struct descriptor *d, GError **err)
{
    if (!image_archive_blob(s, a, name, &d->digest, err))
        return FALSE;
    return store_blob_has(s, &d->digest, &d->size) ||
           error_set(err, VARVE_ERROR_FAILED, "the blob of %s vanished from the store", name);
}

static gboolean fill_layout(struct store *s, const struct image_archive *a, const json_t *image,
                            struct manifest *m, GError **err)
{
    const char *config;
    g_auto(GStrv) layers = NULL;
    if (!jsonin_string(image, "Config", &config, err) ||
        !jsonin_strv(image, "Layers", &layers, err))
        return FALSE;
    if (!config)
        return error_set(err, VARVE_ERROR_INVALID, "the archive's manifest.json names no config");
    m->config.media_type = g_strdup(MEDIA_DOCKER_CONFIG);
    if (!set_descriptor(s, a, config, &m->config, err))
        return FALSE;
    for (guint i = 0; layers && layers[i] && i < MAX_LAYERS; i++) {
        struct descriptor *d = g_new0(struct descriptor, 1);
        g_ptr_array_add(m->items, d);
        if (!set_descriptor(s, a, layers[i], d, err))
            return FALSE;
        d->media_type = g_strconcat(MEDIA_DOCKER_LAYER, compression_suffix(s, &d->digest), NULL);
    }
    return TRUE;
}

static gboolean put_manifest(struct store *s, const struct manifest *m, struct digest *out,
                             GError **err)
{
    g_autoptr(GBytes) json = manifest_write(m);
    return store_blob_put(s, g_bytes_get_data(json, NULL), g_bytes_get_size(json), out, err);
}

static gboolean convert(struct store *s, const struct image_archive *a, const json_t *item,
                        GPtrArray *images, GError **err)
{
    g_autoptr(manifest) m = manifest_new(MEDIA_DOCKER_MANIFEST);
    g_auto(GStrv) tags = NULL;
    if (!json_is_object(item))
        return error_set(err, VARVE_ERROR_INVALID,
                         "the archive's manifest.json lists something that is not an image");
    if (!jsonin_strv(item, "RepoTags", &tags, err) || !fill_layout(s, a, item, m, err))
        return FALSE;
    struct loaded_image *image = loaded_image_new();
    g_ptr_array_add(images, image);
    image->config = m->config.digest;
    for (guint i = 0; tags && tags[i]; i++)
        loaded_image_add_name(image, tags[i]);
    if (!put_manifest(s, m, &image->manifest, err))
        return FALSE;
    image->top = image->manifest;
    return TRUE;
}

gboolean dockerarchive_convert(struct store *s, const struct image_archive *a, GPtrArray *images,
                               GError **err)
{
    GBytes *bytes = image_archive_small(a, "manifest.json");
    if (!bytes) {
        error_set(
            err, VARVE_ERROR_INVALID,
            "the archive has neither index.json nor manifest.json: it does not contain an image");
        error_add_next(err, "archives of docker save and varve save do; a file system becomes an "
                            "image by FROM scratch and ADD FILE.tar /");
        return FALSE;
    }
    json_t *list = parse_list(bytes, err);
    gboolean ok = list != NULL;
    for (gsize i = 0; ok && i < json_array_size(list); i++)
        ok = convert(s, a, json_array_get(list, i), images, err);
    json_decref(list);
    return ok;
}
