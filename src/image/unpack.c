#include "image/unpack.h"

#include "base/error.h"
#include "base/work.h"
#include "image/config.h"
#include "image/pulltap.h"
#include "layer/apply.h"
#include "store/blob.h"

#include <string.h>

#define MAX_LAYERS 500 /* overlayfs takes no more (OVL_MAX_STACK) */
#define PARALLEL 3     /* layers at work at once, as many as Docker pulls */

/* The layers of one image on their way. */
struct unpacking {
    struct store *store;
    const GPtrArray *blobs; /* struct descriptor*, lowest layer first */
    const GArray *diff_ids; /* struct digest, likewise */
    struct blob_source *source;
    struct event_sink *events;
    struct cancel *cancel;
    struct layer_info *done; /* one for each layer; an empty id: not yet */
    GMutex lock;             /* guards next and err */
    guint next;              /* first layer that nobody has taken */
    GError *err;             /* the first; stops all */
};

static const struct descriptor *blob_of(const struct unpacking *u, guint i)
{
    return g_ptr_array_index(u->blobs, i);
}

static const struct digest *diff_id_of(const struct unpacking *u, guint i)
{
    return &g_array_index(u->diff_ids, struct digest, i);
}

/* The same layer lies deeper in the image already. */
static gboolean is_repeated(const struct unpacking *u, guint i)
{
    for (guint k = 0; k < i; k++)
        if (digest_cmp(diff_id_of(u, k), diff_id_of(u, i)) == 0)
            return TRUE;
    return FALSE;
}

/* The layers below layer i, when all of them are there; NULL otherwise. */
static struct chain *chain_below(const struct unpacking *u, guint i)
{
    g_autoptr(chain) below = chain_new();
    for (guint k = 0; k < i; k++) {
        if (!*u->done[k].id)
            return NULL;
        chain_append(below, u->done[k].id);
    }
    return g_steal_pointer(&below);
}

/* Layer types of OCI (also non-distributable) and Docker (also foreign): all are tars. */
static gboolean check_type(const struct descriptor *d, GError **err)
{
    static const char *const known[] = {MEDIA_OCI_LAYER, MEDIA_DOCKER_LAYER,
                                        "application/vnd.oci.image.layer.nondistributable.v1.tar",
                                        "application/vnd.docker.image.rootfs.foreign.diff.tar"};
    static const char *const suffixes[] = {"", "+gzip", "+zstd", ".gzip", ".zstd"};
    for (gsize i = 0; i < G_N_ELEMENTS(known); i++) {
        if (!g_str_has_prefix(d->media_type, known[i]))
            continue;
        for (gsize k = 0; k < G_N_ELEMENTS(suffixes); k++)
            if (g_str_equal(d->media_type + strlen(known[i]), suffixes[k]))
                return TRUE;
    }
    return error_set(err, VARVE_ERROR_UNSUPPORTED,
                     "the image has a layer of type \"%s\", which is not a file system",
                     d->media_type);
}

static gboolean check(const struct unpacking *u, GError **err)
{
    if (u->diff_ids->len != u->blobs->len)
        return error_set(err, VARVE_ERROR_INVALID,
                         "the image's manifest has %u layers, but its config %u", u->blobs->len,
                         u->diff_ids->len);
    if (u->blobs->len > MAX_LAYERS)
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "the image has %u layers, which cannot be mounted: overlayfs takes %d",
                         u->blobs->len, MAX_LAYERS);
    for (guint i = 0; i < u->blobs->len; i++)
        if (!check_type(blob_of(u, i), err))
            return FALSE;
    return TRUE;
}

static void find_done(struct unpacking *u)
{
    for (guint i = 0; i < u->blobs->len; i++) {
        g_autoptr(chain) below = chain_below(u, i);
        if (!is_repeated(u, i) &&
            !layer_find_unpacked(u->store, diff_id_of(u, i), below, &u->done[i]))
            *u->done[i].id = '\0';
    }
}

static gboolean ensure_blob(struct unpacking *u, guint i, GError **err)
{
    const struct descriptor *d = blob_of(u, i);
    if (store_blob_has(u->store, &d->digest, NULL))
        return TRUE;
    if (u->source)
        return u->source->fetch(u->source, d, err);
    g_autofree char *text = digest_text(&d->digest);
    return error_set(err, VARVE_ERROR_NOT_FOUND, "layer %s is not in the store", text);
}

/* Unpacks layer i from its blob, upon parents (NULL: unknown yet). */
static gboolean from_blob(struct unpacking *u, guint i, const struct chain *parents, GError **err)
{
    const struct descriptor *d = blob_of(u, i);
    if (!ensure_blob(u, i, err))
        return FALSE;
    return (is_repeated(u, i) ? layer_repeat_from_blob : layer_from_blob)(
        u->store, &d->digest, d->media_type, diff_id_of(u, i), parents, u->events, u->cancel,
        &u->done[i], err);
}

/* Unpacks layer i while it is fetched. When that fails though the blob arrived (it was resumed, or
 * some bytes came wrong at first), once more from the blob. */
static gboolean from_source(struct unpacking *u, guint i, const struct chain *parents, GError **err)
{
    const struct descriptor *d = blob_of(u, i);
    g_autoptr(pulltap) tap = pulltap_new(u->source, d);
    g_autoptr(GError) why = NULL;
    gboolean ok = layer_from_stream(u->store, pulltap_read, tap, diff_id_of(u, i), parents,
                                    u->cancel, &u->done[i], &why);
    if (!pulltap_finish(tap, err))
        return FALSE;
    if (!ok)
        return from_blob(u, i, parents, err);
    return !*u->done[i].id || layer_note_blob(u->store, u->done[i].id, &d->digest, d->media_type,
                                              diff_id_of(u, i), err);
}

/* Layers that other images brought may have other blobs there. What cannot be had is not needed
 * now.
 */
static void keep_blobs(struct unpacking *u)
{
    for (guint i = 0; u->source && u->source->once && i < u->blobs->len; i++)
        if (*u->done[i].id)
            ensure_blob(u, i, NULL);
}

/* The first step with a layer. One that needs those below it may come out empty. What is unpacked
 * while it is fetched is shown as that. */
static gboolean unpack_layer(struct unpacking *u, guint i, const struct chain *parents,
                             GError **err)
{
    const struct descriptor *d = blob_of(u, i);
    gboolean tapped =
        u->source && u->source->fetch_tapped && !store_blob_has(u->store, &d->digest, NULL);
    if (is_repeated(u, i))
        return ensure_blob(u, i, err);
    return tapped ? from_source(u, i, parents, err) : from_blob(u, i, parents, err);
}

/* Takes the next layer that is missing: its number, or -1. *parents gets the layers below if they
 * are there. */
static gint64 take_layer(struct unpacking *u, struct chain **parents)
{
    gint64 taken = -1;
    g_mutex_lock(&u->lock);
    while (taken < 0 && !u->err && u->next < u->blobs->len) {
        if (!*u->done[u->next].id)
            taken = u->next;
        u->next++;
    }
    if (taken >= 0)
        *parents = taken ? NULL : chain_new();
    g_mutex_unlock(&u->lock);
    return taken;
}

static gpointer worker_main(gpointer data)
{
    struct unpacking *u = data;
    for (;;) {
        g_autoptr(chain) parents = NULL;
        GError *err = NULL;
        gint64 i = take_layer(u, &parents);
        if (i < 0)
            return NULL;
        if (unpack_layer(u, (guint)i, parents, &err))
            continue;
        g_mutex_lock(&u->lock);
        if (u->err)
            g_error_free(err);
        else
            u->err = err;
        g_mutex_unlock(&u->lock);
    }
}

/* All layers alone, as far as that goes. */
static gboolean unpack_missing(struct unpacking *u, GError **err)
{
    GThread *threads[PARALLEL - 1] = {0};
    guint missing = 0;
    for (guint i = 0; i < u->blobs->len; i++)
        missing += *u->done[i].id ? 0 : 1;
    for (guint i = 0; i < PARALLEL - 1 && i + 1 < missing; i++)
        threads[i] = work_helper("varve-unpack", worker_main, u);
    worker_main(u);
    for (guint i = 0; i < PARALLEL - 1; i++)
        if (threads[i])
            g_thread_join(threads[i]);
    if (!u->err)
        return TRUE;
    g_propagate_error(err, g_steal_pointer(&u->err));
    return FALSE;
}

/* Those that need the layers below them, from the bottom up. */
static gboolean unpack_rest(struct unpacking *u, GError **err)
{
    for (guint i = 0; i < u->blobs->len; i++) {
        if (*u->done[i].id)
            continue;
        g_autoptr(chain) below = chain_below(u, i);
        if (!from_blob(u, i, below, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean unpack_layers(struct unpacking *u, GError **err)
{
    if (!check(u, err))
        return FALSE;
    find_done(u);
    keep_blobs(u);
    return unpack_missing(u, err) && unpack_rest(u, err);
}

gboolean layers_unpack(struct store *s, const GPtrArray *blobs, const GArray *diff_ids,
                       struct blob_source *src, struct event_sink *events, struct cancel *c,
                       struct chain **out, GError **err)
{
    struct unpacking u = {.store = s,
                          .blobs = blobs,
                          .diff_ids = diff_ids,
                          .source = src,
                          .events = events,
                          .cancel = c};
    g_mutex_init(&u.lock);
    u.done = g_new0(struct layer_info, blobs->len + 1);
    gboolean ok = unpack_layers(&u, err);
    if (ok)
        *out = chain_below(&u, blobs->len);
    g_free(u.done);
    g_clear_error(&u.err);
    g_mutex_clear(&u.lock);
    return ok;
}

gboolean image_unpack(struct store *s, const struct digest *manifest, struct blob_source *src,
                      struct event_sink *events, struct cancel *c, struct chain **out, GError **err)
{
    g_autoptr(manifest) m = manifest_load(s, manifest, err);
    if (!m)
        return FALSE;
    if (m->is_index)
        return error_set(err, VARVE_ERROR_INVALID,
                         "an index was given where an image's manifest is needed");
    g_autoptr(image_conf) conf = image_conf_load(s, &m->config.digest, err);
    return conf && layers_unpack(s, m->items, conf->diff_ids, src, events, c, out, err);
}
