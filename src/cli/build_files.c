/* Files that a build leaves for scripts: --metadata-file and --iidfile. */
#include "cli/build_shown.h"

#include "base/fs.h"
#include "cli/show.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

void build_drop_stale_id(const struct shown_build *b)
{
    gboolean in_place = TRUE;
    g_autofree char *path = b->o->iidfile ? fs_destination(b->o->iidfile, &in_place) : NULL;
    if (!in_place)
        unlink(path); /* writing it will tell of what is in the way */
}

static void add_descriptor(json_t *o, const char *media_type, const struct digest *digest,
                           guint64 size)
{
    json_t *d = json_object();
    json_object_set_new(d, "mediaType", json_string(media_type));
    set_digest_text(d, "digest", digest);
    json_object_set_new(d, "size", json_integer(size));
    json_object_set_new(o, "containerimage.descriptor", d);
    set_digest_text(o, "containerimage.digest", digest);
}

/* As buildx: an index has no config. */
static void add_images(json_t *o, const struct imageset *set)
{
    const struct built_image *first = imageset_at(set, 0);
    if (set->is_index) {
        if (set->has_index)
            add_descriptor(o, set->index_type, &set->index, set->index_size);
        return;
    }
    if (first->has_config)
        set_digest_text(o, "containerimage.config.digest", &first->config);
    if (first->has_manifest)
        add_descriptor(o, first->manifest_type, &first->manifest, first->manifest_size);
    else if (first->has_config)
        set_digest_text(o, "containerimage.digest", &first->config);
}

json_t *build_metadata(const struct shown_build *b)
{
    json_t *o = json_object();
    g_autofree char *names = g_strjoinv(",", (char **)b->r->tags->pdata);
    g_autofree char *ref = g_strdup_printf("varve/%" G_GINT64_FORMAT, b->res->id);
    json_object_set_new(o, "buildx.build.ref", json_string(ref));
    add_images(o, b->res->images);
    if (*names)
        json_object_set_new(o, "image.name", json_string(names));
    return o;
}

gboolean build_write_metadata(const json_t *doc, const char *path, GError **err)
{
    char *text = json_dumps(doc, JSON_INDENT(2));
    g_autofree char *lines = g_strconcat(text, "\n", NULL);
    free(text);
    return fs_write_file(path, lines, strlen(lines), 0644, err);
}

gboolean build_write_files(const struct shown_build *b, GError **err)
{
    if (b->o->metadata_file) {
        json_t *doc = build_metadata(b);
        gboolean ok = build_write_metadata(doc, b->o->metadata_file, err);
        json_decref(doc);
        if (!ok)
            return FALSE;
    }
    if (b->o->iidfile) {
        g_autofree char *id = digest_text(imageset_id(b->res->images));
        if (!fs_write_file(b->o->iidfile, id, strlen(id), 0644, err))
            return FALSE;
    }
    return TRUE;
}
