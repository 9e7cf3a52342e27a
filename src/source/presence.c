#include "source/presence.h"

#include "base/error.h"
#include "cache/import.h"
#include "image/unpack.h"
#include "store/absent.h"

#include <errno.h>
#include <stddef.h>

struct presence {
    struct layer_fetcher fetcher; /* first */
    struct blob_source blobs;     /* everywhere: the caches, then the registries */
    struct store *store;          /* that it is of */
    struct presence_options o;
    GMutex lock;                   /* guards what follows */
    struct registry_config *owned; /* what load gave */
    struct registry *client;       /* made at its first use */
};

/* NULL on error. */
static struct registry *client(struct presence *p, struct store *s, GError **err)
{
    g_autoptr(GMutexLocker) lock G_GNUC_UNUSED = g_mutex_locker_new(&p->lock);
    if (p->client)
        return p->client;
    const struct registry_config *config = p->o.registry;
    if (!config && p->o.load && !(config = p->owned = p->o.load(&p->o.cancel, err)))
        return NULL;
    p->client = registry_new(s, config, p->o.events, p->o.cancel);
    return p->client;
}

static gboolean refuse_pull(GError **err)
{
    error_set(err, VARVE_ERROR_NOT_FOUND,
              "layers of the image below were left at their registry, and --pull=never does not "
              "allow pulling them");
    error_add_next(err, "leave --pull=never out");
    return FALSE;
}

/* This machine's disk is full: that says nothing of what is elsewhere. */
static gboolean is_full(const GError *why)
{
    return error_errno(why) == ENOSPC || error_errno(why) == EDQUOT;
}

/* Whether it means that what was to be had is lost. */
static gboolean means_lost(const GError *why)
{
    return !g_error_matches(why, VARVE_ERROR, VARVE_ERROR_CANCELLED) && !is_full(why);
}

/* A blob, from a cache if one has it, else from a registry that had it. */
static gboolean fetch_anywhere(struct blob_source *self, const struct descriptor *d,
                               struct blob_tap *tap, GError **err)
{
    struct presence *p = (struct presence *)((char *)self - offsetof(struct presence, blobs));
    g_autoptr(GError) why = NULL;
    struct blob_source *cache = p->o.cache ? cache_reader_blobs(p->o.cache) : NULL;
    if (cache && cache->fetch_tapped(cache, d, tap, &why))
        return TRUE;
    if (is_full(why)) {
        g_propagate_error(err, g_steal_pointer(&why));
        return FALSE;
    }
    if (p->o.cancel && !cancel_check(p->o.cancel, err))
        return FALSE;
    if (p->o.refused)
        return refuse_pull(err);
    struct registry *r = client(p, p->store, err);
    struct blob_source *src = r ? registry_origin_source(r) : NULL;
    gboolean ok = src && (tap ? src->fetch_tapped(src, d, tap, err) : src->fetch(src, d, err));
    registry_blob_source_free(src);
    if (!ok && why && err && *err && g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND)) {
        g_clear_error(err);
        g_propagate_error(err, g_steal_pointer(&why));
    }
    return ok;
}

static gboolean fetch_whole(struct blob_source *self, const struct descriptor *d, GError **err)
{
    return fetch_anywhere(self, d, NULL, err);
}

/* The layers of a build made elsewhere come from a cache, those of an image from a registry. */
static gboolean lacks_own(struct store *s, const struct chain *c)
{
    gboolean own = FALSE;
    for (guint i = 0; i < c->n && !own; i++) {
        gboolean absent;
        g_auto(absent_layer) a = {.size = 0};
        own = store_absent_get(s, c->ids[i], &absent, &a, NULL) && absent && *a.variant;
    }
    return own;
}

static void tell_where(struct presence *p, struct store *s, const struct chain *c, GError **err)
{
    gboolean told = error_next(*err) != NULL;
    gboolean gone = g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    gboolean own = lacks_own(s, c);
    g_prefix_error(err,
                   "cannot get a layer that was left %s: ", own ? "in a cache" : "at its registry");
    if (told && !gone)
        return;
    error_add_next(err, "%s",
                   !own ? "pull the image that it is of again (varve pull, or build --pull), or "
                          "build it again with --no-cache"
                   : p->o.cache
                       ? "build it again without this cache"
                       : "build it again with an output that holds its files (--push, --load or "
                         "-o), or with --no-cache");
}

/* What is still not here after a failure is lost for this build. */
static void lose(struct presence *p, const struct chain *c, enum layer_need need)
{
    struct store *s = p->store;
    for (guint i = 0; i < c->n; i++) {
        g_autoptr(chain) one = chain_new();
        gboolean missing;
        chain_append(one, c->ids[i]);
        if (store_chain_lacks(s, one, need, &missing, NULL) && missing)
            store_layer_lose(s, c->ids[i]);
    }
}

static gboolean presence_fetch(struct layer_fetcher *self, struct store *s, const struct chain *c,
                               enum layer_need need, GError **err)
{
    struct presence *p = (struct presence *)self;
    GError *why = NULL;
    if (p->o.refused && !p->o.cache)
        return refuse_pull(err);
    if (cache_fetch_indexes(s, c, need, &p->blobs,
                            p->o.cache ? cache_reader_claims(p->o.cache) : NULL, &why) &&
        layers_present(s, c, need, &p->blobs, p->o.events, p->o.cancel, &why))
        return TRUE;
    if (means_lost(why))
        lose(p, c, need);
    g_propagate_error(err, why);
    if (err && !g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        tell_where(p, s, c, err);
    return FALSE;
}

static gboolean presence_fetch_blob(struct layer_fetcher *self, struct store *s,
                                    const struct digest *blob, guint64 size, const char *media_type,
                                    GError **err)
{
    struct presence *p = (struct presence *)self;
    const struct descriptor d = {.media_type = (char *)media_type, .digest = *blob, .size = size};
    GError *why = NULL;
    if (fetch_anywhere(&p->blobs, &d, NULL, &why))
        return TRUE;
    if (means_lost(why))
        store_blob_lose(s, blob);
    g_propagate_error(err, why);
    return FALSE;
}

static void presence_free(struct layer_fetcher *self)
{
    struct presence *p = (struct presence *)self;
    registry_free(p->client);
    registry_config_free(p->owned);
    g_mutex_clear(&p->lock);
    g_free(p);
}

void presence_install(struct store *s, const struct presence_options *o)
{
    struct presence *p = g_new0(struct presence, 1);
    p->fetcher = (struct layer_fetcher){presence_fetch, presence_fetch_blob, presence_free};
    p->blobs = (struct blob_source){.fetch = fetch_whole, .fetch_tapped = fetch_anywhere};
    p->store = s;
    p->o = *o;
    g_mutex_init(&p->lock);
    store_set_fetcher(s, &p->fetcher);
}
