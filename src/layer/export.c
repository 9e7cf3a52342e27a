#include "layer/export.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/io.h"
#include "layer/batcher.h"
#include "layer/decompress.h"
#include "layer/diffid.h"
#include "layer/tarwriter.h"
#include "store/blob.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define BUFFER (256 * 1024)

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
                     "unknown compression \"%s\" (known are uncompressed, gzip and zstd)", text);
}

gboolean compression_check_level(enum compression c, int level, GError **err)
{
    struct encoder unused;
    if (level >= 0 && c == COMPRESS_NONE)
        error_set(err, VARVE_ERROR_USAGE, "compression \"%s\" has no levels", compressions[c].name);
    else if (encoder_init(&unused, c, level, err))
        return TRUE;
    error_add_next(err, "leave the level out for the default");
    return FALSE;
}

struct job {
    struct store *store;
    const char *layer_id;
    const struct export_options *o;
    struct cancel *cancel;
    struct encoder encoder;
    struct layer_info info;
    char *variant;      /* of the whole blob: the encoder's, and what else changes the bytes */
    gint64 clamp_mtime; /* -1: none */
    struct layer_blob pulled; /* a blob that has its tar; zero when none is known */
};

static void report_hashed(gpointer ctx, guint64 total)
{
    const struct job *j = ctx;
    g_autofree char *name = g_strconcat("export layer ", j->layer_id, NULL);
    struct event ev = {.type = EVENT_TRANSFER,
                       .vertex = -1,
                       .name = name,
                       .current = total,
                       .target = MAX(total, j->info.size),
                       .finished = total == G_MAXUINT64};
    if (ev.finished)
        ev.current = ev.target = j->info.size;
    event_emit(j->o->events, &ev);
}

static gssize read_export_blob(gpointer ctx, void *buf, gsize len, GError **err)
{
    ssize_t n = io_read(*(int *)ctx, buf, len);
    if (n < 0)
        error_set_errno(err, errno, "cannot read a pulled layer's blob");
    return n;
}

/* A pulled layer in another compression: its own tar, since its diff ID must stay. */
static gboolean copy_pulled_tar(struct job *j, struct tar_sink *sink, GError **err)
{
    fd_auto int fd = store_blob_open(j->store, &j->pulled.digest, err);
    if (fd < 0)
        return FALSE;
    g_autoptr(decompress) d = decompress_new(read_export_blob, &fd);
    g_autofree guint8 *buf = g_malloc(BUFFER);
    gssize n;
    while ((n = decompress_read(d, buf, BUFFER, err)) > 0)
        if (!cancel_check(j->cancel, err) || !sink->write(sink, buf, (gsize)n, err))
            return FALSE;
    return n == 0;
}

static gboolean write_tar(struct job *j, struct pipeline *p, GError **err)
{
    struct batcher b;
    struct tar_options t = {.clamp_mtime = j->clamp_mtime};
    batcher_init(&b, p);
    if (j->o->events) {
        b.progress = report_hashed;
        b.ctx = j;
    }
    gboolean copy = store_blob_has(j->store, &j->pulled.digest, NULL);
    if (!(copy ? copy_pulled_tar(j, &b.sink, err)
               : tarwriter_run(j->store, j->layer_id, &t, &b.sink, j->cancel, err)))
        return FALSE;
    batcher_finish(&b);
    return TRUE;
}

/* The image's config already names the tar of a layer that was pulled (or exported before). */
static gboolean check_diff_id(const struct job *j, const struct digest *made, GError **err)
{
    if (!j->info.has_diff_id || j->clamp_mtime >= 0 || !digest_cmp(&j->info.diff_id, made))
        return TRUE;
    error_set(err, VARVE_ERROR_FAILED, "the tar of layer %s cannot be reproduced%s", j->layer_id,
              j->info.unpacked ? ": it was pulled, and its blob is no longer in the store" : "");
    error_add_next(err, "%s", j->info.unpacked ? "pull the base image again" : "run varve fsck");
    return FALSE;
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
    if ((!j->info.has_diff_id || j->clamp_mtime >= 0) &&
        !layer_diff_id_note(j->store, j->layer_id, j->clamp_mtime, &b->diff_id, err))
        return FALSE;
    return store_layer_blob_put(j->store, j->layer_id, j->variant, b, err);
}

static gboolean commit_export(const struct job *j, struct blob_writer *w, struct pipeline_result *r,
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
    ok = check_diff_id(j, &r.diff_id, err);
    if (ok)
        ok = commit_export(j, w, &r, out, err);
    else
        blob_writer_abort(w, FALSE);
    g_array_unref(r.raw);
    g_array_unref(r.members);
    if (j->o->events)
        report_hashed(j, G_MAXUINT64);
    return ok;
}

/* *found: the blob that was noted under variant is in the store. FALSE on error. */
static gboolean find_blob(const struct job *j, const char *variant, struct layer_blob *out,
                          gboolean *found, GError **err)
{
    *found = store_layer_blob_known(j->store, j->layer_id, variant, out);
    return !*found || store_blob_look(j->store, &out->digest, found, &out->size, err);
}

static gboolean find_or_make(struct job *j, struct layer_blob *out, GError **err)
{
    gboolean found;
    if (!find_blob(j, j->variant, out, &found, err) || found)
        return found;
    g_autofree char *name = g_strdup_printf("export-%s-%s", j->layer_id, j->variant);
    g_autoptr(store_lock) lock = store_lock_take(j->store, name, j->cancel, NULL, err);
    if (!lock || !find_blob(j, j->variant, out, &found, err))
        return FALSE;
    return found || make_blob(j, out, err);
}

/* By media type, OCI's or Docker's. */
static gboolean is_compressed_as(const struct layer_blob *b, enum compression wanted)
{
    gboolean gzip = g_str_has_suffix(b->media_type, "gzip"),
             zstd = g_str_has_suffix(b->media_type, "zstd");
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

/* Fills pulled. *is_it: that is what the layer came as. FALSE on error. */
static gboolean find_origin(struct job *j, gboolean *is_it, GError **err)
{
    const struct layer_blob *came = j->o->came_as;
    struct layer_blob other = {.media_type = ""};
    gboolean found;
    *is_it = FALSE;
    if (came && !store_blob_look(j->store, &came->digest, is_it, NULL, err))
        return FALSE;
    if (*is_it)
        j->pulled = *came;
    if (*is_it)
        return store_blob_look(j->store, &came->digest, is_it, &j->pulled.size, err);
    if (!find_blob(j, "pulled", &other, &found, err))
        return FALSE;
    if (found)
        j->pulled = other;
    *is_it = found && !came;
    return TRUE;
}

gboolean layer_export(struct store *s, const char *layer_id, const struct export_options *o,
                      struct cancel *c, struct layer_blob *out, GError **err)
{
    struct job j = {.store = s, .layer_id = layer_id, .o = o, .cancel = c};
    if (!encoder_init(&j.encoder, o->compression, o->level, err) ||
        !store_layer_get(s, layer_id, &j.info, err))
        return FALSE;
    gboolean kept;
    if (!find_origin(&j, &kept, err))
        return FALSE;
    if (kept && (!o->force || is_compressed_as(&j.pulled, o->compression))) {
        *out = j.pulled;
        return TRUE;
    }
    j.clamp_mtime = j.info.unpacked ? -1 : o->clamp_mtime;
    j.variant = variant_of(&j.encoder, j.clamp_mtime);
    gboolean ok = find_or_make(&j, out, err);
    g_free(j.variant);
    return ok;
}
