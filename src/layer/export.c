#include "layer/export.h"

#include "base/error.h"
#include "layer/batcher.h"
#include "layer/tarwriter.h"
#include "store/blob.h"

#include <stdio.h>
#include <string.h>

#define LAYER_TAR "application/vnd.oci.image.layer.v1.tar"

static const struct {
    const char *name, *media_type;
} compressions[] = {
    [COMPRESS_NONE] = {"uncompressed", LAYER_TAR},
    [COMPRESS_GZIP] = {"gzip", LAYER_TAR "+gzip"},
    [COMPRESS_ZSTD] = {"zstd", LAYER_TAR "+zstd"},
};

const char *compression_media_type(enum compression c)
{
    return compressions[c].media_type;
}

gboolean compression_parse(const char *text, enum compression *out, GError **err)
{
    for (gsize i = 0; i < G_N_ELEMENTS(compressions); i++) {
        if (strcmp(text, compressions[i].name) != 0)
            continue;
        *out = (enum compression)i;
        return TRUE;
    }
    return error_set(err, VARVE_ERROR_USAGE,
                     "there is no compression \"%s\" (uncompressed, gzip and zstd are known)",
                     text);
}

struct job {
    struct store *store;
    const char *layer_id;
    const struct export_options *o;
    struct cancel *cancel;
    struct encoder encoder;
    char *variant;  /* of the whole blob: the encoder's, and what else changes the bytes */
    guint64 target; /* bytes of content, for progress */
};

static void report(gpointer ctx, guint64 total)
{
    const struct job *j = ctx;
    g_autofree char *name = g_strconcat("export layer ", j->layer_id, NULL);
    struct event ev = {.type = EVENT_TRANSFER,
                       .vertex = -1,
                       .name = name,
                       .current = total,
                       .target = MAX(total, j->target),
                       .finished = total == G_MAXUINT64};
    if (ev.finished)
        ev.current = ev.target = j->target;
    event_emit(j->o->events, &ev);
}

static gboolean write_tar(struct job *j, struct pipeline *p, GError **err)
{
    struct batcher b;
    struct tar_options t = {.clamp_mtime = j->o->clamp_mtime};
    batcher_init(&b, p);
    if (j->o->events) {
        b.progress = report;
        b.ctx = j;
    }
    if (!tarwriter_run(j->store, j->layer_id, &t, &b.sink, j->cancel, err))
        return FALSE;
    batcher_finish(&b);
    return TRUE;
}

/* Every member is found in the newest blob that holds it, so that older blobs may go. */
static gboolean note_members(const struct job *j, struct pipeline_result *r,
                             const struct digest *blob, GError **err)
{
    if (!r->members->len)
        return TRUE;
    for (guint i = 0; i < r->members->len; i++)
        g_array_index(r->members, struct member_info, i).blob = *blob;
    return store_member_put(j->store, j->encoder.variant, (const struct digest *)r->raw->data,
                            (const struct member_info *)r->members->data, r->members->len, err);
}

static gboolean note_layer(const struct job *j, const struct layer_blob *b, GError **err)
{
    struct layer_info info;
    if (!store_layer_get(j->store, j->layer_id, &info, err))
        return FALSE;
    /* A pulled layer's own diff ID stays: it is what images with that layer call it. */
    if (!info.has_diff_id && j->o->clamp_mtime < 0 &&
        !store_layer_set_diff_id(j->store, j->layer_id, &b->diff_id, err))
        return FALSE;
    return store_layer_blob_put(j->store, j->layer_id, j->variant, b, err);
}

static gboolean commit(const struct job *j, struct blob_writer *w, struct pipeline_result *r,
                       struct layer_blob *out, GError **err)
{
    *out = (struct layer_blob){.diff_id = r->diff_id, .size = blob_writer_size(w)};
    g_strlcpy(out->media_type, compression_media_type(j->encoder.compression),
              sizeof out->media_type);
    if (!blob_writer_commit(w, NULL, &out->digest, err))
        return FALSE;
    return note_members(j, r, &out->digest, err) && note_layer(j, out, err);
}

static gboolean make_blob(struct job *j, struct layer_blob *out, GError **err)
{
    struct blob_writer *w = blob_writer_new(j->store, err);
    if (!w)
        return FALSE;
    struct pipeline_result r;
    struct pipeline *p = pipeline_new(j->store, &j->encoder, w, j->cancel);
    gboolean ok = write_tar(j, p, err) && pipeline_finish(p, &r, err);
    pipeline_free(p);
    if (!ok) {
        blob_writer_abort(w, FALSE);
        return FALSE;
    }
    ok = commit(j, w, &r, out, err);
    g_array_unref(r.raw);
    g_array_unref(r.members);
    if (j->o->events)
        report(j, G_MAXUINT64);
    return ok;
}

static gboolean find_blob(struct job *j, const char *variant, struct layer_blob *out)
{
    return store_layer_blob_find(j->store, j->layer_id, variant, out) &&
           store_blob_has(j->store, &out->digest, NULL);
}

static gboolean find_or_make(struct job *j, struct layer_blob *out, GError **err)
{
    if (find_blob(j, j->variant, out))
        return TRUE;
    g_autofree char *name = g_strdup_printf("export-%s-%s", j->layer_id, j->variant);
    g_autoptr(store_lock) lock = store_lock_take(j->store, name, j->cancel, NULL, err);
    if (!lock)
        return FALSE;
    return find_blob(j, j->variant, out) || make_blob(j, out, err);
}

/* By media type, OCI's or Docker's. */
static gboolean is_compressed_as(const struct layer_blob *b, enum compression wanted)
{
    gboolean gzip = g_str_has_suffix(b->media_type, "gzip"), zstd = g_str_has_suffix(b->media_type, "zstd");
    switch (wanted) {
    case COMPRESS_GZIP:
        return gzip;
    case COMPRESS_ZSTD:
        return zstd;
    default:
        return !gzip && !zstd;
    }
}

static char *variant_of(const struct encoder *e, gint64 clamp_mtime)
{
    if (clamp_mtime < 0)
        return g_strdup(e->variant);
    return g_strdup_printf("%s-clamp%" G_GINT64_FORMAT, e->variant, clamp_mtime);
}

gboolean layer_export(struct store *s, const char *layer_id, const struct export_options *o,
                      struct cancel *c, struct layer_blob *out, GError **err)
{
    struct job j = {.store = s, .layer_id = layer_id, .o = o, .cancel = c};
    struct layer_info info;
    if (!encoder_init(&j.encoder, o->compression, o->level, err))
        return FALSE;
    if (find_blob(&j, "pulled", out) && (!o->force || is_compressed_as(out, o->compression)))
        return TRUE;
    if (!store_layer_get(s, layer_id, &info, err))
        return FALSE;
    j.target = info.size;
    j.variant = variant_of(&j.encoder, o->clamp_mtime);
    gboolean ok = find_or_make(&j, out, err);
    g_free(j.variant);
    return ok;
}
