/* What a build makes of its image: -o, --push and --load together. */
#include "build/values.h"

#include "build/building.h"

#include "base/error.h"

#include <string.h>

static struct output *add_output(struct build_request *r, const char *text, GError **err)
{
    struct output *out = output_parse(text, err);
    if (out)
        g_ptr_array_add(r->outputs, out);
    return out;
}

/* --push applies to the images that are made by outputs, else to a new one; --load likewise. */
static gboolean add_flags(struct build_request *r, gboolean push, gboolean load, GError **err)
{
    gboolean images = FALSE, loads = FALSE;
    for (guint i = 0; i < r->outputs->len; i++) {
        struct output *out = g_ptr_array_index(r->outputs, i);
        images |= out->type == OUTPUT_IMAGE;
        loads |= out->type == OUTPUT_DOCKER && !out->dest;
        out->push |= push && out->type == OUTPUT_IMAGE;
    }
    if ((r->outputs->len == 0 || (push && !images)) &&
        !add_output(r, push ? "type=image,push=true" : "type=image", err))
        return FALSE;
    return !load || loads || add_output(r, "type=docker", err) != NULL;
}

static gboolean check_outputs_named(const struct build_request *r, GError **err)
{
    for (guint i = 0; i < r->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(r->outputs, i);
        if (!out->push || out->names || r->name)
            continue;
        error_set(err, VARVE_ERROR_USAGE, "there is no name to push to");
        error_add_next(err, "add -t REGISTRY/NAME:TAG");
        return FALSE;
    }
    return TRUE;
}

static gboolean check_stdout(const struct build_request *r, GError **err)
{
    guint n = 0;
    for (guint i = 0; i < r->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(r->outputs, i);
        n += g_strcmp0(out->dest, "-") == 0;
    }
    if (n < 2)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "--output: %u outputs go to stdout; only one can", n);
    error_add_next(err, "give the others dest=FILE");
    return FALSE;
}

/* Whether there is a SOURCE_DATE_EPOCH, even if what it names has no time. */
static gboolean asks_for_time(const struct build_request *r)
{
    const char *text = g_hash_table_lookup(r->build_args, "SOURCE_DATE_EPOCH");
    return text && *text;
}

/* One image has one time; outputs without one use the build's. */
gboolean build_settle_times(const struct build_request *r, gint64 build_epoch,
                            struct image_times *t, GError **err)
{
    gboolean first = TRUE;
    *t = (struct image_times){build_epoch, FALSE};
    for (guint i = 0; i < r->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(r->outputs, i);
        gint64 epoch = out->epoch >= 0 ? out->epoch : build_epoch;
        gboolean keep = out->keep_times || out->rewrite_timestamp == 0;
        if (!output_makes_image(out))
            continue;
        if (!first && (epoch != t->epoch || keep != t->keep)) {
            error_set(
                err, VARVE_ERROR_USAGE,
                "--output: two outputs disagree about source-date-epoch or rewrite-timestamp");
            error_add_next(err, "these would be different images: build them one after the other");
            return FALSE;
        }
        if (out->rewrite_timestamp == 1 && epoch < 0 && !out->keep_times && !asks_for_time(r)) {
            error_set(err, VARVE_ERROR_USAGE,
                      "--output: rewrite-timestamp=true does not say which time");
            error_add_next(err, "add source-date-epoch=SECONDS, or set SOURCE_DATE_EPOCH");
            return FALSE;
        }
        *t = (struct image_times){epoch, keep};
        first = FALSE;
    }
    return TRUE;
}

static void annotate(struct output *out, const GPtrArray *annotations)
{
    for (guint i = 0; i < annotations->len; i++)
        output_annotate(out, annotation_copy(g_ptr_array_index(annotations, i)));
}

/* Two outputs must not write the same file or directory. */
static gboolean check_places(const struct build_request *r, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < r->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(r->outputs, i);
        if (!out->dest || g_str_equal(out->dest, "-") ||
            g_hash_table_add(seen, g_canonicalize_filename(out->dest, NULL)))
            continue;
        error_set(err, VARVE_ERROR_USAGE, "--output: two outputs go to %s", out->dest);
        error_add_next(err, "give each its own dest=");
        return FALSE;
    }
    return TRUE;
}

gboolean build_set_outputs(struct build_request *r, char **specs, gboolean push, gboolean load,
                           GError **err)
{
    for (char **s = specs; s && *s; s++)
        if (!add_output(r, *s, err))
            return FALSE;
    if (!add_flags(r, push, load, err))
        return FALSE;
    for (guint i = 0; i < r->outputs->len; i++) {
        if (output_makes_image(g_ptr_array_index(r->outputs, i)))
            annotate(g_ptr_array_index(r->outputs, i), r->annotations);
        if (!output_check(g_ptr_array_index(r->outputs, i), err))
            return FALSE;
    }
    return check_outputs_named(r, err) && check_stdout(r, err) && check_places(r, err);
}

static struct output_env output_env_of(const struct build *b)
{
    return (struct output_env){.registry = b->batch->config ? b->batch->config->registry : NULL,
                               .tags = (const char *const *)b->r->tags->pdata,
                               .docker_host = b->r->docker_host,
                               .stream = b->r->out_fd};
}

/* Docker's builder passes over them, too. */
static void note_astray(struct build *b, const struct output_platforms *p)
{
    const struct annotation *a = annotations_astray(b->r->annotations, p->all, p->n);
    g_autofree char *kind = a ? annotation_kind(a) : NULL;
    if (a)
        event_note(b->ports.events, "--annotation %s:%s is for another platform than this build's",
                   kind, a->key);
}

gboolean build_check_outputs(struct build *b, GError **err)
{
    const struct output_platforms p = {(const struct platform *)b->r->platforms->data,
                                       b->r->platforms->len, build_makes_index(b->r)};
    const struct output_env env = output_env_of(b);
    note_astray(b, &p);
    for (guint i = 0; i < b->r->outputs->len; i++)
        if (!output_check_platforms(g_ptr_array_index(b->r->outputs, i), &p, &env, b->ports.cancel,
                                    err))
            return FALSE;
    return TRUE;
}

/* Tags the image in the local store, whatever else is asked for: its digest is what users see. */
static gboolean needs_config(const struct build *b)
{
    if (b->r->wants_id)
        return TRUE;
    for (guint i = 0; i < b->r->outputs->len; i++) {
        if (output_makes_image(g_ptr_array_index(b->r->outputs, i)))
            return TRUE;
    }
    return FALSE;
}

/* The config needs the digests of the layers' tars. If an output makes blobs of them, that comes
 * first. */
static gboolean make_configs(struct build *b, const struct output_env *env, GError **err)
{
    const struct imageset *set = b->result.images;
    for (guint i = 0; i < b->r->outputs->len; i++)
        if (!output_export(g_ptr_array_index(b->r->outputs, i), b->result.images, env, err))
            return FALSE;
    if (!needs_config(b))
        return TRUE;
    if (!build_add_inline_cache(b, err))
        return FALSE;
    for (guint i = 0; i < set->images->len; i++)
        if (!built_image_config(imageset_at(set, i), err))
            return FALSE;
    return TRUE;
}

/* An index that is no output's has an id, too. */
static gboolean make_wanted_id(struct build *b, GError **err)
{
    static const struct image_options o = {.layers = EXPORT_DEFAULTS};
    const struct imageset *set = b->result.images;
    return !b->r->wants_id || !set->is_index || set->has_index ||
           imageset_make(b->result.images, &o, err);
}

/* Where the store had no image of the name, as on a machine that only builds. */
static void ask_sizes(struct build *b, const struct output_env *env)
{
    g_autofree guint64 *bytes = g_new0(guint64, b->result.legs->len);
    const struct output *pushing = NULL;
    for (guint i = 0; !pushing && i < b->r->outputs->len; i++)
        if (((const struct output *)g_ptr_array_index(b->r->outputs, i))->push)
            pushing = g_ptr_array_index(b->r->outputs, i);
    if (!b->r->wants_sizes || !pushing)
        return;
    output_replaced_bytes(pushing, b->result.images, env, bytes);
    for (guint i = 0; i < b->result.legs->len; i++)
        ((struct build_leg *)g_ptr_array_index(b->result.legs, i))->replaced_bytes = bytes[i];
}

gboolean build_make_outputs(struct build *b, GError **err)
{
    const struct output_env env = output_env_of(b);
    build_make_images(b);
    if (!make_configs(b, &env, err))
        return FALSE;
    build_compare(b);
    ask_sizes(b, &env);
    b->result.outputs = g_array_new(FALSE, TRUE, sizeof(struct output_result));
    for (guint i = 0; i < b->r->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(b->r->outputs, i);
        struct output_result r = {0};
        if (!output_run(out, b->result.images, &env, &r, err))
            return FALSE;
        g_array_append_val(b->result.outputs, r);
    }
    return make_wanted_id(b, err);
}
