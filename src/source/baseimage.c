#include "source/baseimage.h"

#include "base/error.h"
#include "base/fs.h"
#include "image/config.h"
#include "image/layout.h"
#include "image/unpack.h"
#include "store/absent.h"
#include "store/blob.h"
#include "store/images.h"

#include <string.h>

/* One resolved image. */
struct found {
    struct digest id; /* identifies it in the graph */
    char *canonical;  /* name with tag or digest, or the layout's path */
    enum context_kind kind;
    struct reference *ref;  /* registry and local images; NULL for layouts */
    char *platform;         /* as text */
    struct digest manifest; /* zero for images built here and never exported */
    struct digest target;   /* what the name names */
    struct digest config;
    struct digest base;  /* the manifest that its layers came with; zero: unknown */
    struct chain *chain; /* NULL until asked for */
    gboolean built;      /* here: its layers come from more than one image */
};

struct baseimages {
    const struct sources_options *o;
    GMutex lock;             /* guards table and client */
    GHashTable *asked;       /* char* (what resolve() was asked) → struct found*, owned */
    GHashTable *table;       /* struct digest* → struct found*, the first of that digest */
    struct registry *client; /* made at its first use */
};

static void found_free(gpointer p)
{
    struct found *f = p;
    g_free(f->canonical);
    reference_free(f->ref);
    g_free(f->platform);
    chain_free(f->chain);
    g_free(f);
}

struct baseimages *baseimages_new(const struct sources_options *o)
{
    struct baseimages *b = g_new0(struct baseimages, 1);
    b->o = g_memdup2(o, sizeof *o);
    g_mutex_init(&b->lock);
    b->table = g_hash_table_new(digest_ghash, digest_gequal);
    b->asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, found_free);
    return b;
}

void baseimages_free(struct baseimages *b)
{
    if (!b)
        return;
    g_hash_table_unref(b->table);
    g_hash_table_unref(b->asked);
    registry_free(b->client);
    g_mutex_clear(&b->lock);
    g_free((gpointer)b->o);
    g_free(b);
}

static struct registry *client(struct baseimages *b)
{
    g_mutex_lock(&b->lock);
    if (!b->client)
        b->client = registry_new(b->o->store, b->o->registry, b->o->events, b->o->cancel);
    struct registry *r = b->client;
    g_mutex_unlock(&b->lock);
    return r;
}

static gboolean load_conf(struct baseimages *b, struct found *f, struct image_conf **conf,
                          GError **err)
{
    *conf = image_conf_load(b->o->store, &f->config, err);
    if (*conf) {
        (*conf)->base = f->base;
        return TRUE;
    }
    g_prefix_error(err, "cannot read the config of %s: ", f->canonical);
    return FALSE;
}

/* An image of the local store, pulled before or built here. NULL when there is none. */
static struct found *find_stored(struct baseimages *b, const char *name, const char *platform)
{
    g_autoptr(image_row) row = store_image_find(b->o->store, name, platform);
    if (!row || !store_blob_has(b->o->store, &row->config, NULL))
        return NULL;
    gboolean built = g_strcmp0(row->origin, "build") == 0;
    struct found *f = g_new0(struct found, 1);
    f->manifest = row->manifest;
    f->target = row->target;
    f->config = row->config;
    f->built = built;
    f->base = built ? row->base : row->manifest;
    f->id = built ? row->config : row->manifest;
    f->chain = g_steal_pointer(&row->chain);
    return f;
}

static gboolean put_row(struct baseimages *b, const struct found *f, GError **err)
{
    struct image_row row = {.name = f->canonical,
                            .manifest = f->manifest,
                            .target = f->target,
                            .config = f->config,
                            .platform = f->platform,
                            .origin = (char *)"pull",
                            .chain = f->chain,
                            .created = g_get_real_time() / G_USEC_PER_SEC};
    return store_image_put(b->o->store, &row, err);
}

static struct found *ask_registry(struct baseimages *b, const struct reference *ref,
                                  const struct platform *p, GError **err)
{
    struct resolved r;
    if (!registry_resolve(client(b), ref, p, &r, err))
        return NULL;
    struct found *f = g_new0(struct found, 1);
    f->manifest = f->base = r.manifest;
    f->target = r.target;
    f->config = r.config;
    f->id = r.manifest;
    return f;
}

static struct found *pull_refused(const struct reference *ref, GError **err)
{
    g_autofree char *shown = reference_familiar(ref);
    error_set(err, VARVE_ERROR_NOT_FOUND,
              "%s is not in the local store, and --pull=never does not allow pulling it", shown);
    error_add_next(err, "run varve pull %s, or leave out --pull=never", shown);
    return NULL;
}

/* An image that the registry does not have may be in the store under another tag. */
static void tell_near(struct baseimages *b, const struct reference *ref, const char *name,
                      GError **err)
{
    g_autofree char *near = store_image_near(b->o->store, name);
    g_autoptr(reference) other = near ? reference_parse(near, NULL) : NULL;
    if (!other || !err || !*err || g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        return;
    g_autoptr(GError) why = g_steal_pointer(err);
    g_autofree char *wanted = reference_familiar(ref);
    g_autofree char *shown = reference_familiar(other);
    error_set(err, why->code, "%s is not in the store; %s is (%s)", wanted, shown, why->message);
    error_add_next(err, "varve run %s, or FROM %s", shown, shown);
}

/* Likewise, it may have been built or loaded for another platform. */
static gboolean tell_platform(struct baseimages *b, const struct reference *ref, const char *name,
                              const char *platform, GError **err)
{
    g_autoptr(image_row) row = store_image_find(b->o->store, name, IMAGE_ANY_PLATFORM);
    if (!row || g_strcmp0(row->origin, "pull") == 0 || !err || !*err ||
        g_error_matches(*err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        return FALSE;
    g_autofree char *there = store_image_platforms(b->o->store, name);
    g_autoptr(GError) why = g_steal_pointer(err);
    g_autofree char *shown = reference_familiar(ref);
    error_set(err, why->code, "%s is in the store for %s, not for %s (%s)", shown, there, platform,
              why->message);
    error_add_next(err, "ask for %s, or build or load that image for %s first",
                   strchr(there, ',') ? "one of these" : there, platform);
    return TRUE;
}

static struct found *find_image(struct baseimages *b, const char *text, const struct platform *p,
                                GError **err)
{
    g_autoptr(reference) ref = reference_parse(text, err);
    if (!ref)
        return NULL;
    g_autofree char *name = reference_text(ref);
    g_autofree char *platform = platform_text(p);
    struct found *f = b->o->pull == PULL_ALWAYS ? NULL : find_stored(b, name, platform);
    gboolean asked = !f;
    if (!f)
        f = b->o->pull == PULL_NEVER ? pull_refused(ref, err) : ask_registry(b, ref, p, err);
    if (!f) {
        if (b->o->pull != PULL_ALWAYS && !tell_platform(b, ref, name, platform, err))
            tell_near(b, ref, name, err);
        return NULL;
    }
    f->kind = CONTEXT_IMAGE;
    f->canonical = g_steal_pointer(&name);
    f->platform = g_steal_pointer(&platform);
    f->ref = g_steal_pointer(&ref);
    if (asked && !put_row(b, f, err))
        g_clear_pointer(&f, found_free);
    return f;
}

/* Splits "<path>[:tag][@digest]", both after the last slash; with a digest the tag is ignored. */
static char *split_layout(const char *value, char **ref)
{
    const char *slash = strrchr(value, '/'), *name = slash ? slash + 1 : value;
    const char *at = strchr(name, '@'), *stop = at ? at : name + strlen(name);
    const char *colon = g_strrstr_len(name, stop - name, ":");
    *ref = at ? g_strdup(at + 1) : colon ? g_strdup(colon + 1) : NULL;
    return g_strndup(value, (colon ? colon : stop) - value);
}

static gboolean read_manifest_config(struct baseimages *b, const struct digest *manifest,
                                     struct digest *config, GError **err)
{
    g_autoptr(manifest) m = manifest_load(b->o->store, manifest, err);
    if (!m)
        return FALSE;
    *config = m->config.digest;
    return TRUE;
}

static struct found *find_layout(struct baseimages *b, const char *value, const struct platform *p,
                                 GError **err)
{
    g_autofree char *ref = NULL;
    g_autofree char *path = split_layout(value, &ref);
    struct digest manifest, config;
    if (!layout_resolve(b->o->store, path, ref, p, &manifest, err) ||
        !read_manifest_config(b, &manifest, &config, err))
        return NULL;
    struct found *f = g_new0(struct found, 1);
    f->kind = CONTEXT_OCI_LAYOUT;
    f->manifest = f->target = f->base = manifest;
    f->config = config;
    f->id = manifest;
    f->canonical = g_steal_pointer(&path);
    f->platform = platform_text(p);
    return f;
}

/* Takes f, which key was asked for. Returns the one that stays. */
static struct found *remember(struct baseimages *b, const char *key, struct found *f)
{
    g_mutex_lock(&b->lock);
    struct found *known = g_hash_table_lookup(b->asked, key);
    if (known)
        found_free(f);
    else
        g_hash_table_insert(b->asked, g_strdup(key), f);
    f = known ? known : f;
    if (!g_hash_table_contains(b->table, &f->id))
        g_hash_table_insert(b->table, &f->id, f);
    g_mutex_unlock(&b->lock);
    return f;
}

static struct found *remembered(struct baseimages *b, const char *key)
{
    g_mutex_lock(&b->lock);
    struct found *f = g_hash_table_lookup(b->asked, key);
    g_mutex_unlock(&b->lock);
    return f;
}

/* The same for all that ask: the legs of a build must not start from two images of one name. */
gboolean baseimages_resolve(struct baseimages *b, enum context_kind kind, const char *reference,
                            const struct platform *p, struct resolved_image *out, GError **err)
{
    g_autofree char *platform = platform_text(p);
    g_autofree char *key = g_strdup_printf("%d %s %s", kind, platform, reference);
    struct image_conf *conf = NULL;
    struct found *f = remembered(b, key), *fresh = NULL;
    if (!f)
        f = fresh = kind == CONTEXT_OCI_LAYOUT ? find_layout(b, reference, p, err)
                                               : find_image(b, reference, p, err);
    if (!f || !load_conf(b, f, &conf, err)) {
        g_clear_pointer(&fresh, found_free);
        return FALSE;
    }
    if (fresh)
        f = remember(b, key, fresh);
    *out = (struct resolved_image){g_strdup(f->canonical), f->id, conf};
    return TRUE;
}

static gboolean unpack_from_registry(struct baseimages *b, struct found *f, GError **err)
{
    struct blob_source *src = registry_blob_source(client(b), f->ref);
    gboolean ok =
        image_unpack(b->o->store, &f->manifest, src, b->o->events, b->o->cancel, &f->chain, err);
    registry_blob_source_free(src);
    return ok && put_row(b, f, err);
}

/* Gets what is left at its registry of a chain that is known. */
static gboolean complete(struct baseimages *b, struct found *f, enum layer_need need, GError **err)
{
    gboolean missing;
    if (!store_chain_lacks(b->o->store, f->chain, need, &missing, err) || !missing)
        return !missing;
    if (b->o->pull == PULL_NEVER) {
        error_set(err, VARVE_ERROR_NOT_FOUND,
                  "layers of it were left at their registry, and --pull=never does not allow "
                  "pulling them");
        error_add_next(err, "leave --pull=never out");
        return FALSE;
    }
    struct blob_source *src =
        f->built ? registry_origin_source(client(b)) : registry_blob_source(client(b), f->ref);
    gboolean ok = layers_present(b->o->store, f->chain, need, src, b->o->events, b->o->cancel, err);
    registry_blob_source_free(src);
    return ok;
}

static gboolean describe(struct baseimages *b, struct found *f, enum layer_need need, GError **err)
{
    return image_describe(b->o->store, &f->manifest, &f->chain, err) && complete(b, f, need, err) &&
           put_row(b, f, err);
}

static gboolean unpack_from_layout(struct baseimages *b, struct found *f, GError **err)
{
    struct blob_source *src = layout_blob_source(b->o->store, f->canonical);
    gboolean ok =
        image_unpack(b->o->store, &f->manifest, src, b->o->events, b->o->cancel, &f->chain, err);
    layout_blob_source_free(src);
    return ok;
}

static gboolean make_chain(struct baseimages *b, struct found *f, enum layer_need need,
                           GError **err)
{
    if (f->kind == CONTEXT_OCI_LAYOUT)
        return unpack_from_layout(b, f, err);
    return need == NEED_FILES ? unpack_from_registry(b, f, err) : describe(b, f, need, err);
}

struct chain *baseimages_chain(struct baseimages *b, const struct source_op *op,
                               enum layer_need need, GError **err)
{
    g_mutex_lock(&b->lock);
    struct found *f = g_hash_table_lookup(b->table, &op->digest);
    g_mutex_unlock(&b->lock);
    if (!f) {
        error_set(err, VARVE_ERROR_FAILED, "%s was not resolved", op->identifier);
        return NULL;
    }
    if (!(f->chain ? complete(b, f, need, err) : make_chain(b, f, need, err))) {
        g_prefix_error(err, "cannot unpack %s: ", f->canonical);
        return NULL;
    }
    return chain_copy(f->chain);
}
