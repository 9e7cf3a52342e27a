/* What a build makes of its image: -o, --push and --load together. */
#include "cli/build_options.h"

#include "base/error.h"

static struct output *add(struct build_options *o, const char *text, GError **err)
{
    struct output *out = output_parse(text, err);
    if (out)
        g_ptr_array_add(o->outputs, out);
    return out;
}

/* --push is for the images that are made anyhow, else for one of its own; --load likewise. */
static gboolean add_flags(struct build_options *o, GError **err)
{
    gboolean images = FALSE, loads = FALSE;
    for (guint i = 0; i < o->outputs->len; i++) {
        struct output *out = g_ptr_array_index(o->outputs, i);
        images |= out->type == OUTPUT_IMAGE;
        loads |= out->type == OUTPUT_DOCKER && !out->dest;
        out->push |= o->push && out->type == OUTPUT_IMAGE;
    }
    if ((o->outputs->len == 0 || (o->push && !images)) &&
        !add(o, o->push ? "type=image,push=true" : "type=image", err))
        return FALSE;
    return !o->load || loads || add(o, "type=docker", err) != NULL;
}

static gboolean check_names(const struct build_options *o, GError **err)
{
    for (guint i = 0; i < o->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(o->outputs, i);
        if (!out->push || out->names || o->raw_tags)
            continue;
        error_set(err, VARVE_ERROR_USAGE, "there is no name to push to");
        error_add_next(err, "add -t REGISTRY/NAME:TAG");
        return FALSE;
    }
    return TRUE;
}

static gboolean check_stdout(const struct build_options *o, GError **err)
{
    guint n = 0;
    for (guint i = 0; i < o->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(o->outputs, i);
        n += g_strcmp0(out->dest, "-") == 0;
    }
    if (n < 2)
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "--output: %u outputs go to stdout, which takes one", n);
    error_add_next(err, "give the others dest=FILE");
    return FALSE;
}

/* Whether there is a SOURCE_DATE_EPOCH, even if what it names has no time. */
static gboolean asks_for_time(const struct build_options *o)
{
    const char *text = g_hash_table_lookup(o->build_args, "SOURCE_DATE_EPOCH");
    return text && *text;
}

/* One image has one time; what an output does not say is the build's. */
gboolean build_settle_times(const struct build_options *o, gint64 build_epoch,
                            struct image_times *t, GError **err)
{
    gboolean first = TRUE;
    *t = (struct image_times){build_epoch, FALSE};
    for (guint i = 0; i < o->outputs->len; i++) {
        const struct output *out = g_ptr_array_index(o->outputs, i);
        gint64 epoch = out->epoch >= 0 ? out->epoch : build_epoch;
        gboolean keep = out->keep_times || out->rewrite_timestamp == 0;
        if (!output_makes_image(out))
            continue;
        if (!first && (epoch != t->epoch || keep != t->keep)) {
            error_set(
                err, VARVE_ERROR_USAGE,
                "--output: two outputs disagree about source-date-epoch or rewrite-timestamp");
            error_add_next(err, "these would be different images: build one after the other");
            return FALSE;
        }
        if (out->rewrite_timestamp == 1 && epoch < 0 && !out->keep_times && !asks_for_time(o)) {
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

gboolean build_parse_outputs(struct build_options *o, GError **err)
{
    o->outputs = g_ptr_array_new_with_free_func((GDestroyNotify)output_free);
    for (char **s = o->raw_outputs; s && *s; s++)
        if (!add(o, *s, err))
            return FALSE;
    if (!add_flags(o, err))
        return FALSE;
    for (guint i = 0; i < o->outputs->len; i++)
        if (!output_check(g_ptr_array_index(o->outputs, i), err))
            return FALSE;
    return check_names(o, err) && check_stdout(o, err);
}
