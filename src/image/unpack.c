#include "image/unpack.h"

#include "base/error.h"
#include "base/fs.h"
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
    struct absent_layer
        *fill;           /* likewise: the layer that is known, but not here; an empty id: none */
    gboolean index_only; /* the layers are absent and stay so, but get their indexes */
    gboolean *repeated;  /* likewise: the same layer lies deeper in the chain already */
    GMutex lock;         /* guards next and err */
    guint next;          /* first layer that nobody has taken */
    GError *err;         /* the first; stops all */
};

static const struct descriptor *blob_of(const struct unpacking *u, guint i)
{
    return g_ptr_array_index(u->blobs, i);
}

static const struct digest *diff_id_of(const struct unpacking *u, guint i)
{
    return &g_array_index(u->diff_ids, struct digest, i);
}

static void mark_repeated(struct unpacking *u)
{
    for (guint i = 1; i < u->blobs->len; i++)
        for (guint k = 0; k < i && !u->repeated[i]; k++)
            u->repeated[i] = digest_cmp(diff_id_of(u, k), diff_id_of(u, i)) == 0;
}

/* The layers below layer i, when all of them are known; NULL otherwise. */
static struct chain *chain_below(const struct unpacking *u, guint i)
{
    g_autoptr(chain) below = chain_new();
    for (guint k = 0; k < i; k++) {
        const char *id = *u->done[k].id ? u->done[k].id : u->fill[k].id;
        if (!*id)
            return NULL;
        chain_append(below, id);
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

static struct layer_want want_of(const struct unpacking *u, guint i, const struct chain *parents)
{
    const struct descriptor *d = blob_of(u, i);
    return (struct layer_want){.store = u->store,
                               .diff_id = diff_id_of(u, i),
                               .parents = parents,
                               .repeated = u->repeated[i],
                               .fill = *u->fill[i].id ? u->fill[i].id : NULL,
                               .index_only = u->index_only,
                               .events = u->events,
                               .cancel = u->cancel,
                               .blob = &d->digest,
                               .blob_size = d->size,
                               .blob_type = d->media_type};
}

/* What of the layers is here, and what is known. */
static gboolean find_known(struct unpacking *u, GError **err)
{
    for (guint i = 0; i < u->blobs->len; i++) {
        gboolean absent;
        struct layer_info info;
        g_autoptr(chain) below = chain_below(u, i);
        struct layer_want w = want_of(u, i, below);
        if (!layer_find(&w, &absent, &info))
            continue;
        if (!absent)
            u->done[i] = info;
        else if (!store_absent_get(u->store, info.id, &absent, &u->fill[i], err))
            return FALSE;
    }
    return TRUE;
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

static gboolean from_stored(struct unpacking *u, guint i, const struct chain *parents, GError **err)
{
    const struct descriptor *d = blob_of(u, i);
    struct layer_want w = want_of(u, i, parents);
    return ensure_blob(u, i, err) &&
           layer_from_blob(&w, &d->digest, d->media_type, &u->done[i], err);
}

/* Whether the store's blob is no longer what its name says. */
static gboolean is_damaged(const struct unpacking *u, guint i)
{
    struct digest is;
    const struct digest *named = &blob_of(u, i)->digest;
    fd_auto int fd = store_blob_open(u->store, named, NULL);
    return fd >= 0 && digest_of_fd(&is, fd, "a blob", NULL, NULL) && digest_cmp(&is, named) != 0;
}

/* Unpacks layer i from its blob, upon parents (NULL: unknown yet). A blob that was damaged in the
 * store is fetched once more. */
static gboolean from_blob(struct unpacking *u, guint i, const struct chain *parents, GError **err)
{
    GError *why = NULL;
    if (from_stored(u, i, parents, &why))
        return TRUE;
    if (!u->source || !g_error_matches(why, VARVE_ERROR, VARVE_ERROR_INVALID) ||
        !is_damaged(u, i) || !store_blob_delete(u->store, &blob_of(u, i)->digest, NULL)) {
        g_propagate_error(err, why);
        return FALSE;
    }
    g_error_free(why);
    return from_stored(u, i, parents, err);
}

/* Unpacks layer i while it is fetched. When that fails though the blob arrived (it was resumed, or
 * some bytes came wrong at first), once more from the blob. */
static gboolean from_source(struct unpacking *u, guint i, const struct chain *parents, GError **err)
{
    const struct descriptor *d = blob_of(u, i);
    g_autoptr(pulltap) tap = pulltap_new(u->source, d);
    g_autoptr(GError) why = NULL;
    struct layer_want w = want_of(u, i, parents);
    gboolean ok = layer_from_stream(&w, pulltap_read, tap, &u->done[i], &why);
    if (!pulltap_finish(tap, err))
        return FALSE;
    if (!ok)
        return from_blob(u, i, parents, err);
    return !*u->done[i].id || layer_note_blob(u->store, u->done[i].id, &d->digest, d->media_type,
                                              diff_id_of(u, i), err);
}

/* Layers from other images may have other blobs there. What cannot be fetched is not needed now.
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
    if (u->repeated[i])
        return ensure_blob(u, i, err);
    return tapped ? from_source(u, i, parents, err) : from_blob(u, i, parents, err);
}

/* Of absent layers some may be wanted without what they lie on: the first of those wanted is not
 * the image's lowest then. */
static gboolean is_lowest(const struct unpacking *u, guint i)
{
    return *u->fill[i].id ? u->fill[i].below->n == 0 : i == 0;
}

/* Takes the next layer that is missing: its number, or -1. *parents gets the layers below if there
 * are none. */
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
        *parents = is_lowest(u, (guint)taken) ? chain_new() : NULL;
    g_mutex_unlock(&u->lock);
    return taken;
}

static gpointer unpack_worker(gpointer data)
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
        threads[i] = work_helper("varve-unpack", unpack_worker, u);
    unpack_worker(u);
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
        g_autoptr(chain) below = *u->fill[i].id ? chain_copy(u->fill[i].below) : chain_below(u, i);
        if (!from_blob(u, i, below, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean unpack_layers(struct unpacking *u, GError **err)
{
    if (!check(u, err))
        return FALSE;
    mark_repeated(u);
    if (!find_known(u, err))
        return FALSE;
    keep_blobs(u);
    return unpack_missing(u, err) && unpack_rest(u, err);
}

static void unpacking_init(struct unpacking *u)
{
    g_mutex_init(&u->lock);
    u->done = g_new0(struct layer_info, u->blobs->len + 1);
    u->fill = g_new0(struct absent_layer, u->blobs->len + 1);
    u->repeated = g_new0(gboolean, u->blobs->len + 1);
}

static void unpacking_clear(struct unpacking *u)
{
    for (guint i = 0; i < u->blobs->len; i++)
        absent_layer_clear(&u->fill[i]);
    g_free(u->done);
    g_free(u->fill);
    g_free(u->repeated);
    g_clear_error(&u->err);
    g_mutex_clear(&u->lock);
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
    unpacking_init(&u);
    gboolean ok = unpack_layers(&u, err);
    if (ok)
        *out = chain_below(&u, blobs->len);
    unpacking_clear(&u);
    return ok;
}

/* One absent layer after the other: what lies below one is known before it. */
static gboolean describe_layers(struct unpacking *u, GError **err)
{
    if (!check(u, err))
        return FALSE;
    mark_repeated(u);
    for (guint i = 0; i < u->blobs->len; i++) {
        g_autoptr(chain) below = chain_below(u, i);
        struct layer_want w = want_of(u, i, below);
        if (!layer_describe(&w, &u->done[i], err))
            return FALSE;
    }
    return TRUE;
}

static gboolean layers_describe(struct store *s, const GPtrArray *blobs, const GArray *diff_ids,
                                struct chain **out, GError **err)
{
    struct unpacking u = {.store = s, .blobs = blobs, .diff_ids = diff_ids};
    unpacking_init(&u);
    gboolean ok = describe_layers(&u, err);
    if (ok)
        *out = chain_below(&u, blobs->len);
    unpacking_clear(&u);
    return ok;
}

static void add_absent(GPtrArray *blobs, GArray *diff_ids, const struct absent_layer *a)
{
    struct descriptor *d = g_new0(struct descriptor, 1);
    d->media_type = g_strdup(a->media_type);
    d->digest = a->blob;
    d->size = a->size;
    g_ptr_array_add(blobs, d);
    g_array_append_val(diff_ids, a->diff_id);
}

/* Those of c that are not here: their ids to ids, and what they are made of. */
static gboolean list_absent(struct store *s, const struct chain *c, struct chain *ids,
                            GPtrArray *blobs, GArray *diff_ids, GError **err)
{
    for (guint i = 0; i < c->n; i++) {
        gboolean absent;
        g_auto(absent_layer) a = {.size = 0};
        if (!store_absent_get(s, c->ids[i], &absent, &a, err))
            return FALSE;
        if (!absent)
            continue;
        chain_append(ids, c->ids[i]);
        add_absent(blobs, diff_ids, &a);
    }
    return TRUE;
}

static gboolean is_in(struct store *s, const struct chain *c, const struct digest *diff_id)
{
    struct layer_info info;
    for (guint i = 0; i < c->n; i++)
        if (store_layer_get(s, c->ids[i], &info, NULL) && info.has_diff_id &&
            digest_cmp(&info.diff_id, diff_id) == 0)
            return TRUE;
    return FALSE;
}

/* u's layers are ids; one that was filled meanwhile is done. */
static gboolean take_absent(struct unpacking *u, const struct chain *ids, GError **err)
{
    for (guint i = 0; i < ids->n; i++) {
        gboolean absent;
        struct absent_layer *a = &u->fill[i];
        if (!store_absent_get(u->store, ids->ids[i], &absent, a, err) ||
            (!absent && !store_layer_get(u->store, ids->ids[i], &u->done[i], err)))
            return FALSE;
        if (absent)
            u->repeated[i] = is_in(u->store, a->below, diff_id_of(u, i));
    }
    return TRUE;
}

gboolean layers_present(struct store *s, const struct chain *c, enum layer_need need,
                        struct blob_source *src, struct event_sink *events, struct cancel *cancel,
                        GError **err)
{
    g_autoptr(chain) ids = chain_new();
    g_autoptr(GPtrArray) blobs = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    g_autoptr(GArray) diff_ids = g_array_new(FALSE, FALSE, sizeof(struct digest));
    if (!list_absent(s, c, ids, blobs, diff_ids, err))
        return FALSE;
    struct unpacking u = {.store = s,
                          .blobs = blobs,
                          .diff_ids = diff_ids,
                          .source = src,
                          .events = events,
                          .cancel = cancel,
                          .index_only = need == NEED_TREE};
    unpacking_init(&u);
    gboolean ok = take_absent(&u, ids, err) && unpack_missing(&u, err) && unpack_rest(&u, err);
    unpacking_clear(&u);
    return ok;
}

static gboolean load_image(struct store *s, const struct digest *manifest, struct manifest **m,
                           struct image_conf **conf, GError **err)
{
    g_autoptr(manifest) loaded = manifest_load(s, manifest, err);
    if (!loaded)
        return FALSE;
    if (loaded->is_index)
        return error_set(err, VARVE_ERROR_INVALID,
                         "an index was given where an image's manifest is needed");
    *conf = image_conf_load(s, &loaded->config.digest, err);
    if (*conf)
        *m = g_steal_pointer(&loaded);
    return *conf != NULL;
}

gboolean image_describe(struct store *s, const struct digest *manifest, struct chain **out,
                        GError **err)
{
    g_autoptr(manifest) m = NULL;
    g_autoptr(image_conf) conf = NULL;
    return load_image(s, manifest, &m, &conf, err) &&
           layers_describe(s, m->items, conf->diff_ids, out, err);
}

gboolean image_unpack(struct store *s, const struct digest *manifest, struct blob_source *src,
                      struct event_sink *events, struct cancel *c, struct chain **out, GError **err)
{
    g_autoptr(manifest) m = NULL;
    g_autoptr(image_conf) conf = NULL;
    return load_image(s, manifest, &m, &conf, err) &&
           layers_unpack(s, m->items, conf->diff_ids, src, events, c, out, err);
}
