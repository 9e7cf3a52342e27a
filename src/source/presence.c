#include "source/presence.h"

#include "base/error.h"
#include "image/unpack.h"
#include "store/absent.h"

struct presence {
    struct layer_fetcher fetcher; /* first */
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

static gboolean refuse(GError **err)
{
    error_set(err, VARVE_ERROR_NOT_FOUND,
              "layers of the image below were left at their registry, and --pull=never does not "
              "allow pulling them");
    error_add_next(err, "leave --pull=never out");
    return FALSE;
}

static gboolean presence_fetch(struct layer_fetcher *self, struct store *s, const struct chain *c,
                               enum layer_need need, GError **err)
{
    struct presence *p = (struct presence *)self;
    if (p->o.refused)
        return refuse(err);
    struct registry *r = client(p, s, err);
    struct blob_source *src = r ? registry_origin_source(r) : NULL;
    gboolean ok = src && layers_present(s, c, need, src, p->o.events, p->o.cancel, err);
    registry_blob_source_free(src);
    if (ok || !err || !*err || g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        return ok;
    gboolean told = error_next(*err) != NULL;
    gboolean gone = g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_NOT_FOUND);
    g_prefix_error(err, "cannot get a layer that was left at its registry: ");
    if (!told || gone)
        error_add_next(err, "pull the image that it is of again (varve pull, or build --pull)");
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
    p->fetcher = (struct layer_fetcher){presence_fetch, presence_free};
    p->o = *o;
    g_mutex_init(&p->lock);
    store_set_fetcher(s, &p->fetcher);
}
