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

static char *metadata_text(const struct shown_build *b)
{
    json_t *o = json_object();
    g_autofree char *names = g_strjoinv(",", (char **)b->r->tags->pdata);
    g_autofree char *ref = g_strdup_printf("varve/%" G_GINT64_FORMAT, b->res->id);
    json_object_set_new(o, "buildx.build.ref", json_string(ref));
    if (b->res->image->has_config)
        set_digest_text(o, "containerimage.config.digest", &b->res->image->config);
    if (b->res->image->has_manifest) {
        json_t *d = json_object();
        json_object_set_new(d, "mediaType", json_string(b->res->image->manifest_type));
        set_digest_text(d, "digest", &b->res->image->manifest);
        json_object_set_new(d, "size", json_integer(b->res->image->manifest_size));
        json_object_set_new(o, "containerimage.descriptor", d);
        set_digest_text(o, "containerimage.digest", &b->res->image->manifest);
    } else if (b->res->image->has_config) {
        set_digest_text(o, "containerimage.digest", &b->res->image->config);
    }
    if (*names)
        json_object_set_new(o, "image.name", json_string(names));
    char *text = json_dumps(o, JSON_INDENT(2));
    char *out = g_strconcat(text, "\n", NULL);
    free(text);
    json_decref(o);
    return out;
}

gboolean build_write_files(const struct shown_build *b, GError **err)
{
    if (b->o->metadata_file) {
        g_autofree char *text = metadata_text(b);
        if (!fs_write_file(b->o->metadata_file, text, strlen(text), 0644, err))
            return FALSE;
    }
    if (b->o->iidfile) {
        g_autofree char *id = digest_text(&b->res->image->config);
        if (!fs_write_file(b->o->iidfile, id, strlen(id), 0644, err))
            return FALSE;
    }
    return TRUE;
}
