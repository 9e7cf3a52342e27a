#include "registry/blobget.h"

#include "base/error.h"

/* Bodies that end early without the protocol noticing. */
#define MAX_SHORT 3

guint64 blob_get_size(const struct blob_get *g)
{
    return blob_writer_size(g->writer);
}

static gboolean begin_blob(struct http_sink *sink, const struct http_response *a, GError **err)
{
    struct blob_get *g = (struct blob_get *)sink;
    if (a->status == 200 && blob_writer_size(g->writer) > 0 && !blob_writer_restart(g->writer, err))
        return FALSE;
    guint64 have = blob_writer_size(g->writer);
    if (a->status == 206 && a->range_start != have)
        return error_set(err, VARVE_ERROR_INVALID,
                         "it sent a different part of the blob than requested");
    if (a->content_length == HTTP_UNKNOWN || have + a->content_length == g->d->size)
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID,
                     "it has %" G_GUINT64_FORMAT
                     " bytes for a blob that the manifest says has %" G_GUINT64_FORMAT,
                     have + a->content_length, g->d->size);
}

static gboolean take_blob_data(struct http_sink *sink, const void *bytes, gsize len, GError **err)
{
    struct blob_get *g = (struct blob_get *)sink;
    guint64 at = blob_writer_size(g->writer);
    if (len > g->d->size - at)
        return error_set(err, VARVE_ERROR_INVALID,
                         "it sends more than the %" G_GUINT64_FORMAT
                         " bytes that the manifest says",
                         g->d->size);
    if (!blob_writer_write(g->writer, bytes, len, err))
        return FALSE;
    if (g->tap)
        g->tap->bytes(g->tap, at, bytes, len);
    transfer_tell(&g->transfer, blob_writer_size(g->writer));
    return TRUE;
}

static gboolean get_rest(struct blob_get *g, GError **err)
{
    g_auto(http_response) a;
    http_response_init(&a);
    for (guint i = 0; i < MAX_SHORT && blob_writer_size(g->writer) < g->d->size; i++) {
        if (!g->ask(g, &a, err))
            return FALSE;
        if (a.status == 416 && blob_writer_size(g->writer) > 0) {
            if (!blob_writer_restart(g->writer, err))
                return FALSE;
        } else if (a.status != 200 && a.status != 206) {
            return g->refuse(g, &a, err);
        }
    }
    return TRUE;
}

static gboolean is_invalid(const GError *err)
{
    return g_error_matches(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

/* Everything once; the writer is gone afterwards. */
static gboolean get_once(struct blob_get *g, GError **err)
{
    guint64 have;
    g->writer = blob_writer_resume(g->store, &g->d->digest, &have, err);
    if (!g->writer)
        return FALSE;
    if (have > g->d->size && !blob_writer_restart(g->writer, err)) {
        blob_writer_abort(g->writer, FALSE);
        return FALSE;
    }
    transfer_init(&g->transfer, g->events, g->name, g->d->size);
    GError *why = NULL;
    gboolean ok = get_rest(g, &why);
    transfer_finish(&g->transfer, blob_writer_size(g->writer));
    if (ok)
        return blob_writer_commit(g->writer, &g->d->digest, NULL, err);
    blob_writer_abort(g->writer, !is_invalid(why));
    g_propagate_error(err, why);
    return FALSE;
}

static gboolean get_verified(struct blob_get *g, GError **err)
{
    GError *why = NULL;
    /* Wrong bytes: none were kept. Retry once, since they may come from a damaged earlier part. */
    for (guint i = 0; i < 2; i++) {
        g_clear_error(&why);
        if (get_once(g, &why))
            return TRUE;
        if (!is_invalid(why))
            break;
    }
    g_propagate_error(err, why);
    return FALSE;
}

gboolean blob_get_run(struct blob_get *g, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    g->sink = (struct http_sink){begin_blob, take_blob_data};
    if (store_blob_has(g->store, &g->d->digest, NULL))
        return TRUE;
    g_autofree char *name = g_strconcat("pull-", digest_hex(&g->d->digest, hex), NULL);
    g_autoptr(store_lock) lock = store_lock_take(g->store, name, g->cancel, NULL, err);
    return lock && (store_blob_has(g->store, &g->d->digest, NULL) || get_verified(g, err));
}
