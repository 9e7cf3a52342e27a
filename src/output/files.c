/* type=local and type=tar: the files of the images, one part for each platform. */
#include "output/exporters.h"

#include "base/error.h"
#include "layer/chainview.h"

/* The parts, with what their trees come from. */
struct parts {
    GPtrArray *views; /* struct chainview* */
    GArray *all;      /* struct tree_part */
};

static void parts_clear(struct parts *p)
{
    for (guint i = 0; i < p->all->len; i++) {
        struct tree_part *part = &g_array_index(p->all, struct tree_part, i);
        tree_free(part->tree);
        g_free(part->platform);
        g_free(part->dir);
    }
    g_array_unref(p->all);
    g_ptr_array_unref(p->views);
}

/* A tar of one image is never split, as in BuildKit. */
static gboolean is_split(const struct output *o, const struct imageset *set)
{
    return o->split < 0                                     ? set->is_index
           : o->type == OUTPUT_TAR && set->images->len == 1 ? FALSE
                                                            : o->split;
}

static gboolean add_part(struct parts *p, const struct built_image *b, gboolean split, GError **err)
{
    struct chainview *view = chainview_new(b->store, b->chain, b->cancel, err);
    if (!view)
        return FALSE;
    g_ptr_array_add(p->views, view);
    struct tree_part part = {chainview_tree(view, "the result", err),
                             platform_text(&b->conf->platform), NULL};
    if (split)
        part.dir = g_strdelimit(g_strdup(part.platform), "/", '_');
    g_array_append_val(p->all, part);
    return part.tree != NULL;
}

static guint count_files(const struct tree *t)
{
    guint n = 0;
    for (guint i = 0; i < entry_list_len(t->entries); i++)
        n += entry_list_at(t->entries, i)->type == ENTRY_FILE;
    return n;
}

static gboolean write_dirs(const struct output *o, const struct imageset *set,
                           const struct parts *p, gint64 clamp, struct output_result *r,
                           GError **err)
{
    for (guint i = 0; i < p->all->len; i++) {
        const struct tree_part *part = &g_array_index(p->all, struct tree_part, i);
        g_autofree char *dest = g_build_filename(o->dest, part->dir, NULL);
        if (!place_named(
                dest, tree_write_dir(set->store, part, dest, clamp, &r->bytes_written, err), err))
            return FALSE;
    }
    return TRUE;
}

static gboolean write_parts(const struct output *o, const struct imageset *set,
                            const struct output_env *env, const struct parts *p,
                            struct output_result *r, GError **err)
{
    const struct tree_part *all = (const struct tree_part *)p->all->data;
    gint64 clamp = o->keep_times ? -1 : o->epoch >= 0 ? o->epoch : imageset_at(set, 0)->epoch;
    if (!tree_check_parts(all, p->all->len, err))
        return FALSE;
    if (o->type == OUTPUT_LOCAL)
        return write_dirs(o, set, p, clamp, r, err);
    struct place place;
    gboolean ok =
        place_open(&place, o->dest, env->stream, err) &&
        place_named(o->dest,
                    tree_write_tar(all, p->all->len, place.fd, clamp, &r->bytes_written, err), err);
    return place_close(&place, ok, &r->bytes_written, err);
}

gboolean files_run(const struct output *o, const struct imageset *set, const struct output_env *env,
                   struct output_result *r, GError **err)
{
    struct parts p = {g_ptr_array_new_with_free_func((GDestroyNotify)chainview_free),
                      g_array_new(FALSE, FALSE, sizeof(struct tree_part))};
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < set->images->len; i++) {
        ok = add_part(&p, imageset_at(set, i), is_split(o, set), err);
        r->files += ok ? count_files(g_array_index(p.all, struct tree_part, i).tree) : 0;
    }
    ok = ok && write_parts(o, set, env, &p, r, err);
    parts_clear(&p);
    return ok;
}
