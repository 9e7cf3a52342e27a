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

static void annotate(struct output *out, char **annotations)
{
    for (char **a = annotations; a && *a; a++) {
        const char *eq = strchr(*a, '=');
        if (!out->image.annotations)
            out->image.annotations =
                g_tree_new_full((GCompareDataFunc)(gpointer)strcmp, NULL, g_free, g_free);
        g_tree_insert(out->image.annotations, g_strndup(*a, eq - *a), g_strdup(eq + 1));
    }
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
        annotate(g_ptr_array_index(r->outputs, i), r->annotations);
        if (!output_check(g_ptr_array_index(r->outputs, i), err))
            return FALSE;
    }
    return check_outputs_named(r, err) && check_stdout(r, err);
}
