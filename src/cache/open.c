#include "cache/backend.h"

#define BUILDKIT_TYPE "application/vnd.buildkit.cacheconfig.v0"

struct cache_backend *cache_open(const struct cache_spec *spec, const struct cache_env *env,
                                 GError **err)
{
    switch (spec->type) {
    case CACHE_REGISTRY:
    case CACHE_INLINE:
        return cache_registry_open(spec, env, err);
    case CACHE_LOCAL:
        return cache_local_open(spec, env, err);
    case CACHE_GHA:
        return cache_gha_open(spec, env, err);
    case CACHE_S3:
        return cache_s3_open(spec, env, err);
    case CACHE_AZBLOB:
        return cache_azblob_open(spec, env, err);
    }
    return NULL;
}

void cache_close(struct cache_backend *b)
{
    if (b)
        b->free(b);
}

void cache_listed_free(struct cache_listed *l)
{
    if (!l)
        return;
    g_free(l->name);
    if (l->bytes)
        g_bytes_unref(l->bytes);
    g_free(l);
}

gboolean cache_is_buildkit(const struct manifest *m)
{
    gboolean is = !m->is_index && g_strcmp0(m->config.media_type, BUILDKIT_TYPE) == 0;
    for (guint i = 0; m->is_index && !is && i < m->items->len; i++)
        is = g_strcmp0(((const struct descriptor *)g_ptr_array_index(m->items, i))->media_type,
                       BUILDKIT_TYPE) == 0;
    return is;
}
