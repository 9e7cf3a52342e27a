/* Caches in a registry. A segment is an artifact: a manifest whose config is the segment, and whose
 * layers are all blobs that it names, so that the registry keeps them.
 *
 * Where the registry lists referrers, segments refer to a manifest that is made of the reference's
 * tag alone (the root), and have no tags. Elsewhere each has a tag of its own, TAG.<hex of its
 * digest>. TAG itself is the newest segment that holds all others, so most readers need that alone;
 * it is only a hint, for the last writer decides what it is. An image under TAG stays there, and
 * may have a cache inside (cache/inline.h). A builder's claim is an annotation of a manifest
 * without content, TAG.claim.<id>. */
#include "cache/backend.h"
#include "cache/claim.h"
#include "cache/inline.h"
#include "cache/segment.h"

#include "base/error.h"
#include "image/jsonin.h"
#include "image/jsonout.h"
#include "registry/repository.h"
#include "store/blob.h"
#include "text/reference.h"

#include <string.h>

#define ROOT_TYPE "application/vnd.varve.cache.root.v1"
#define EMPTY_TYPE "application/vnd.oci.empty.v1+json"
#define CLAIM_TYPE "application/vnd.varve.cache.claim.v1"
#define ANNOTATION_CLAIM "varve.cache.claim"
#define MAX_TAG 128
#define MAX_INLINE_IMAGES 32 /* of an index that are looked into */
#define MAX_CONFIG (8 * 1024 * 1024)

struct registry_cache {
    struct cache_backend base; /* first */
    struct store *store;
    struct registry *registry;
    struct reference *ref;
    struct repository *repository;
    char *prefix;         /* of its segments' tags */
    char *claims;         /* of its claims' */
    GMutex lock;          /* guards what follows */
    gboolean referrers;   /* this registry lists them */
    gboolean tag_is_free; /* TAG is nobody else's: there is none, or it is a segment */
    gboolean empty_sent;  /* the content of manifests without content is there */
};

static struct registry_cache *self_of(struct cache_backend *b)
{
    return (struct registry_cache *)b;
}

static void write_cache_descriptor(struct jsonout *j, const char *key, const char *type,
                                   const struct digest *d, guint64 size)
{
    g_autofree char *digest = digest_text(d);
    jsonout_open(j, key, '{');
    jsonout_str(j, "mediaType", type);
    jsonout_str(j, "digest", digest);
    jsonout_int(j, "size", (gint64)size);
    jsonout_close(j, '}');
}

static void open_manifest(struct jsonout *j, const char *artifact_type)
{
    jsonout_init(j, 0);
    jsonout_open(j, NULL, '{');
    jsonout_int(j, "schemaVersion", 2);
    jsonout_str(j, "mediaType", MEDIA_OCI_MANIFEST);
    jsonout_str(j, "artifactType", artifact_type);
}

/* A manifest without content, with one annotation. */
static GBytes *empty_manifest(const char *artifact_type, const char *name, const char *value)
{
    struct jsonout j;
    struct digest empty;
    digest_of_bytes(&empty, "{}", 2);
    open_manifest(&j, artifact_type);
    write_cache_descriptor(&j, "config", EMPTY_TYPE, &empty, 2);
    jsonout_open(&j, "layers", '[');
    write_cache_descriptor(&j, NULL, EMPTY_TYPE, &empty, 2);
    jsonout_close(&j, ']');
    jsonout_open(&j, "annotations", '{');
    jsonout_str(&j, name, value);
    jsonout_close(&j, '}');
    jsonout_close(&j, '}');
    return jsonout_finish(&j);
}

/* What segments refer to. */
static GBytes *root_manifest(const struct registry_cache *c)
{
    return empty_manifest(ROOT_TYPE, "varve.cache.tag", c->ref->tag);
}

static void root_digest(const struct registry_cache *c, struct digest *out, guint64 *size)
{
    g_autoptr(GBytes) root = root_manifest(c);
    gsize len;
    const void *bytes = g_bytes_get_data(root, &len);
    digest_of_bytes(out, bytes, len);
    *size = len;
}

static GBytes *segment_manifest(const struct registry_cache *c, const struct digest *segment,
                                gsize size, const GPtrArray *blobs, gboolean referrers)
{
    struct jsonout j;
    open_manifest(&j, CACHE_SEGMENT_TYPE);
    write_cache_descriptor(&j, "config", CACHE_SEGMENT_TYPE, segment, size);
    jsonout_open(&j, "layers", '[');
    for (guint i = 0; i < blobs->len; i++) {
        const struct descriptor *d = g_ptr_array_index(blobs, i);
        write_cache_descriptor(&j, NULL, d->media_type, &d->digest, d->size);
    }
    jsonout_close(&j, ']');
    if (referrers) {
        struct digest root;
        guint64 root_size;
        root_digest(c, &root, &root_size);
        write_cache_descriptor(&j, "subject", MEDIA_OCI_MANIFEST, &root, root_size);
    }
    jsonout_close(&j, '}');
    return jsonout_finish(&j);
}

static struct cache_listed *listed_new(const char *name)
{
    struct cache_listed *l = g_new0(struct cache_listed, 1);
    l->name = g_strdup(name);
    return l;
}

static gboolean is_listed(const GPtrArray *list, const char *name)
{
    for (guint i = 0; i < list->len; i++)
        if (strcmp(((const struct cache_listed *)g_ptr_array_index(list, i))->name, name) == 0)
            return TRUE;
    return FALSE;
}

static void add_listed(GPtrArray *list, const char *name)
{
    struct digest d;
    if (digest_parse(&d, name, NULL) && list->len < CACHE_SEGMENTS_MAX && !is_listed(list, name))
        g_ptr_array_add(list, listed_new(name));
}

/* The manifest below an index that d names; NULL: there is none, or *err is set. */
static struct manifest *fetch_child(struct registry_cache *c, const struct descriptor *d,
                                    GError **err)
{
    struct repository_document doc;
    g_autofree char *name = digest_text(&d->digest);
    if (!repository_get(c->repository, name, &doc, err) || !doc.bytes)
        return NULL;
    g_autoptr(GBytes) bytes = doc.bytes;
    return manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, err);
}

/* NULL: it has none to read, or *err is set. */
static GBytes *image_config(struct registry_cache *c, const struct manifest *m, GError **err)
{
    if (m->is_index || m->config.size > MAX_CONFIG ||
        !repository_fetch_blob(c->repository, &m->config, NULL, err))
        return NULL;
    return store_blob_read(c->store, &m->config.digest, MAX_CONFIG, err);
}

/* What an image holds for us. */
static gboolean take_one_image(struct registry_cache *c, const struct manifest *m, GPtrArray *list,
                               char **foreign, GError **err)
{
    GError *why = NULL;
    gboolean buildkit = FALSE;
    g_autoptr(GBytes) config = image_config(c, m, &why);
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    if (!config)
        return TRUE;
    GBytes *segment =
        inline_segment(g_bytes_get_data(config, NULL), g_bytes_get_size(config), &buildkit);
    if (segment) {
        g_autofree char *digest = digest_text(&m->config.digest);
        g_autofree char *name = g_strconcat("inline ", digest, NULL);
        struct cache_listed *l = listed_new(name);
        l->bytes = segment;
        g_ptr_array_add(list, l);
    } else if (buildkit && foreign && !*foreign) {
        *foreign = g_strdup("BuildKit's inline cache");
    }
    return TRUE;
}

/* What an image under TAG holds for us; of an index, its images of all platforms. */
static gboolean take_image(struct registry_cache *c, const struct manifest *m, GPtrArray *list,
                           char **foreign, GError **err)
{
    if (!m->is_index)
        return take_one_image(c, m, list, foreign, err);
    for (guint i = 0; i < MIN(m->items->len, MAX_INLINE_IMAGES); i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        GError *why = NULL;
        if (!d->has_platform || manifest_choose(m, &d->platform) != d)
            continue;
        g_autoptr(manifest) child = fetch_child(c, d, &why);
        if (why) {
            g_propagate_error(err, why);
            return FALSE;
        }
        if (child && !take_one_image(c, child, list, foreign, err))
            return FALSE;
    }
    return TRUE;
}

static void set_free(struct registry_cache *c, gboolean tag_is_free)
{
    g_mutex_lock(&c->lock);
    c->tag_is_free = tag_is_free;
    g_mutex_unlock(&c->lock);
}

/* What TAG is. */
static gboolean take_tag(struct registry_cache *c, GPtrArray *list, char **foreign, GError **err)
{
    struct repository_document doc;
    if (!repository_get(c->repository, c->ref->tag, &doc, err))
        return FALSE;
    if (!doc.bytes) {
        set_free(c, TRUE);
        return TRUE;
    }
    g_autoptr(GBytes) bytes = doc.bytes;
    g_autoptr(manifest) m =
        manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, NULL);
    g_autofree char *name = digest_text(&doc.digest);
    gboolean ours = m && !m->is_index &&
                    (g_strcmp0(m->config.media_type, CACHE_SEGMENT_TYPE) == 0 ||
                     g_strcmp0(m->artifact_type, ROOT_TYPE) == 0);
    set_free(c, ours);
    if (ours && g_strcmp0(m->artifact_type, ROOT_TYPE) != 0)
        add_listed(list, name);
    if (ours)
        return TRUE;
    if (m && cache_is_buildkit(m)) {
        if (foreign)
            *foreign = g_strdup("BuildKit's cache");
        return TRUE;
    }
    return !m || take_image(c, m, list, foreign, err);
}

static gboolean take_tags(struct registry_cache *c, GPtrArray *list, GError **err)
{
    g_autoptr(GPtrArray) tags = repository_tags(c->repository, c->prefix, CACHE_SEGMENTS_MAX, err);
    for (guint i = 0; tags && i < tags->len; i++) {
        const char *tag = g_ptr_array_index(tags, i);
        g_autofree char *name = g_strconcat("sha256:", tag + strlen(c->prefix), NULL);
        add_listed(list, name);
    }
    return tags != NULL;
}

static void take_index(const GBytes *bytes, GPtrArray *list)
{
    gsize len;
    const void *json = g_bytes_get_data((GBytes *)bytes, &len);
    g_autoptr(manifest) m = manifest_parse(json, len, MEDIA_OCI_INDEX, NULL);
    for (guint i = 0; m && m->is_index && i < m->items->len; i++) {
        const struct descriptor *d = g_ptr_array_index(m->items, i);
        g_autofree char *name = digest_text(&d->digest);
        add_listed(list, name);
    }
}

/* TRUE also where there are no referrers. */
static gboolean take_referrers(struct registry_cache *c, GPtrArray *list, GError **err)
{
    struct digest root;
    guint64 size;
    GError *why = NULL;
    root_digest(c, &root, &size);
    g_autoptr(GBytes) index = repository_referrers(c->repository, &root, &why);
    if (why) {
        g_propagate_error(err, why);
        return FALSE;
    }
    g_mutex_lock(&c->lock);
    c->referrers = index != NULL;
    g_mutex_unlock(&c->lock);
    if (index)
        take_index(index, list);
    return TRUE;
}

static GPtrArray *registry_list(struct cache_backend *b, char **foreign, GError **err)
{
    struct registry_cache *c = self_of(b);
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)cache_listed_free);
    if (take_tag(c, list, foreign, err) && take_referrers(c, list, err) && take_tags(c, list, err))
        return g_steal_pointer(&list);
    return NULL;
}

static gboolean check_segment_manifest(const struct manifest *m, GError **err)
{
    if (m->is_index || g_strcmp0(m->config.media_type, CACHE_SEGMENT_TYPE) != 0)
        return error_set(err, VARVE_ERROR_INVALID, "it is no segment of a cache");
    return m->config.size <= CACHE_SEGMENT_MAX ||
           error_set(err, VARVE_ERROR_INVALID, "a segment of the cache is larger than %d MiB",
                     CACHE_SEGMENT_MAX / 1024 / 1024);
}

static GBytes *registry_segment(struct cache_backend *b, const struct cache_listed *l, GError **err)
{
    struct registry_cache *c = self_of(b);
    struct repository_document doc;
    if (l->bytes)
        return g_bytes_ref(l->bytes);
    if (!repository_get(c->repository, l->name, &doc, err))
        return NULL;
    if (!doc.bytes) {
        error_set(err, VARVE_ERROR_NOT_FOUND, "segment %s is gone", l->name);
        return NULL;
    }
    g_autoptr(GBytes) bytes = doc.bytes;
    g_autoptr(manifest) m =
        manifest_parse(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), NULL, err);
    if (!m || !check_segment_manifest(m, err) ||
        !repository_fetch_blob(c->repository, &m->config, NULL, err))
        return NULL;
    return store_blob_read(c->store, &m->config.digest, CACHE_SEGMENT_MAX, err);
}

static gboolean registry_has(struct cache_backend *b, const struct descriptor *d, gboolean *there,
                             GError **err)
{
    return repository_has_blob(self_of(b)->repository, &d->digest, there, err);
}

static gboolean registry_fetch(struct cache_backend *b, const struct descriptor *d,
                               struct blob_tap *tap, GError **err)
{
    return repository_fetch_blob(self_of(b)->repository, d, tap, err);
}

static gboolean registry_put(struct cache_backend *b, const struct descriptor *d, guint64 *sent,
                             GError **err)
{
    struct push_stats stats = {0};
    if (!repository_push_blob(self_of(b)->repository, d, &stats, err))
        return FALSE;
    if (sent)
        *sent = stats.bytes_sent;
    return TRUE;
}

static gboolean put_bytes(struct registry_cache *c, const void *bytes, gsize len, const char *type,
                          struct digest *out, GError **err)
{
    struct descriptor d = {.media_type = (char *)type, .size = len};
    if (!store_blob_put(c->store, bytes, len, &d.digest, err))
        return FALSE;
    *out = d.digest;
    return registry_put(&c->base, &d, NULL, err);
}

/* Sends what every manifest without content names, once. */
static gboolean send_empty(struct registry_cache *c, GError **err)
{
    struct digest empty;
    g_mutex_lock(&c->lock);
    gboolean sent = c->empty_sent;
    g_mutex_unlock(&c->lock);
    if (!sent && !put_bytes(c, "{}", 2, EMPTY_TYPE, &empty, err))
        return FALSE;
    g_mutex_lock(&c->lock);
    c->empty_sent = TRUE;
    g_mutex_unlock(&c->lock);
    return TRUE;
}

/* Puts the segment as a referrer; *done FALSE: the registry does not list it as one. */
static gboolean publish_referrer(struct registry_cache *c, const struct digest *segment, gsize size,
                                 const GPtrArray *blobs, gboolean *done, GError **err)
{
    g_autoptr(GBytes) root = root_manifest(c);
    g_autoptr(GBytes) m = segment_manifest(c, segment, size, blobs, TRUE);
    struct digest d;
    digest_of_bytes(&d, g_bytes_get_data(m, NULL), g_bytes_get_size(m));
    g_autofree char *name = digest_text(&d);
    gboolean free_tag;
    g_mutex_lock(&c->lock);
    free_tag = c->tag_is_free;
    g_mutex_unlock(&c->lock);
    return send_empty(c, err) &&
           (!free_tag ||
            repository_put(c->repository, c->ref->tag, MEDIA_OCI_MANIFEST, root, NULL, err)) &&
           repository_put(c->repository, name, MEDIA_OCI_MANIFEST, m, done, err);
}

static gboolean publish_tagged(struct registry_cache *c, const struct digest *segment, gsize size,
                               const GPtrArray *blobs, GError **err)
{
    char hex[DIGEST_HEX_LEN + 1];
    struct digest d;
    g_autoptr(GBytes) m = segment_manifest(c, segment, size, blobs, FALSE);
    digest_of_bytes(&d, g_bytes_get_data(m, NULL), g_bytes_get_size(m));
    g_autofree char *tag = g_strconcat(c->prefix, digest_hex(&d, hex), NULL);
    gboolean free_tag;
    g_mutex_lock(&c->lock);
    free_tag = c->tag_is_free;
    g_mutex_unlock(&c->lock);
    return repository_put(c->repository, tag, MEDIA_OCI_MANIFEST, m, NULL, err) &&
           (!free_tag ||
            repository_put(c->repository, c->ref->tag, MEDIA_OCI_MANIFEST, m, NULL, err));
}

static gboolean registry_publish(struct cache_backend *b, GBytes *segment, const GPtrArray *blobs,
                                 GError **err)
{
    struct registry_cache *c = self_of(b);
    struct digest d;
    gsize len;
    const void *bytes = g_bytes_get_data(segment, &len);
    gboolean done = FALSE, referrers;
    g_mutex_lock(&c->lock);
    referrers = c->referrers;
    g_mutex_unlock(&c->lock);
    if (!put_bytes(c, bytes, len, CACHE_SEGMENT_TYPE, &d, err) ||
        (referrers && !publish_referrer(c, &d, len, blobs, &done, err)))
        return FALSE;
    return done || publish_tagged(c, &d, len, blobs, err);
}

static gboolean registry_retire(struct cache_backend *b, const GPtrArray *segments, GError **err)
{
    struct registry_cache *c = self_of(b);
    gboolean removed = TRUE;
    for (guint i = 0; removed && i < segments->len; i++) {
        struct digest d;
        const struct cache_listed *l = g_ptr_array_index(segments, i);
        if (digest_parse(&d, l->name, NULL) && !repository_delete(c->repository, &d, &removed, err))
            return FALSE;
    }
    return TRUE;
}

static GPtrArray *registry_claims(struct cache_backend *b, GError **err)
{
    struct registry_cache *c = self_of(b);
    g_autoptr(GPtrArray) tags = repository_tags(c->repository, c->claims, CACHE_SEGMENTS_MAX, err);
    GPtrArray *out = tags ? g_ptr_array_new_with_free_func(g_free) : NULL;
    for (guint i = tags ? tags->len : 0; i-- > 0 && out->len < CLAIMS_MAX;) {
        const char *name = (const char *)g_ptr_array_index(tags, i) + strlen(c->claims);
        if (claim_is_name(name))
            g_ptr_array_add(out, g_strdup(name));
    }
    return out;
}

/* What the manifest says. */
static GBytes *claim_of(GBytes *manifest, GError **err)
{
    gsize len;
    const char *json = g_bytes_get_data(manifest, &len), *text = NULL;
    const json_t *notes = NULL;
    json_t *doc = jsonin_parse(json, len, 2 * CLAIM_BYTES_MAX, "claim", err);
    GBytes *out = NULL;
    if (doc && jsonin_object(doc, "annotations", &notes, err) &&
        (!notes || jsonin_string(notes, ANNOTATION_CLAIM, &text, err)) &&
        (text || error_set(err, VARVE_ERROR_INVALID, "it is no claim")))
        out = g_bytes_new(text, strlen(text));
    json_decref(doc);
    return out;
}

static gboolean peek_claim(struct registry_cache *c, const char *name,
                           struct repository_document *doc, GError **err)
{
    g_autofree char *tag = g_strconcat(c->claims, name, NULL);
    return repository_peek(c->repository, tag, doc, err) &&
           (doc->bytes || error_set(err, VARVE_ERROR_NOT_FOUND, "claim %s is gone", name));
}

static GBytes *registry_claim_get(struct cache_backend *b, const char *name, GError **err)
{
    struct repository_document doc;
    if (!peek_claim(self_of(b), name, &doc, err))
        return NULL;
    g_autoptr(GBytes) bytes = doc.bytes;
    return claim_of(bytes, err);
}

static gboolean registry_claim_put(struct cache_backend *b, const char *name, GBytes *bytes,
                                   GError **err)
{
    struct registry_cache *c = self_of(b);
    gsize len;
    const char *json = g_bytes_get_data(bytes, &len);
    g_autofree char *text = g_strndup(json, len), *tag = g_strconcat(c->claims, name, NULL);
    g_autoptr(GBytes) m = empty_manifest(CLAIM_TYPE, ANNOTATION_CLAIM, text);
    return send_empty(c, err) &&
           repository_put(c->repository, tag, MEDIA_OCI_MANIFEST, m, NULL, err);
}

static gboolean registry_claim_remove(struct cache_backend *b, const char *name, GError **err)
{
    struct registry_cache *c = self_of(b);
    struct repository_document doc;
    gboolean removed;
    if (!peek_claim(c, name, &doc, err))
        return FALSE;
    g_bytes_unref(doc.bytes);
    return repository_delete(c->repository, &doc.digest, &removed, err) &&
           (removed || error_set(err, VARVE_ERROR_UNSUPPORTED, "the registry removes nothing"));
}

static void registry_cache_free(struct cache_backend *b)
{
    struct registry_cache *c = self_of(b);
    repository_free(c->repository);
    registry_free(c->registry);
    reference_free(c->ref);
    g_free(c->prefix);
    g_free(c->claims);
    g_mutex_clear(&c->lock);
    g_free(c);
}

/* TAG and a dot, or where that would be too long for a tag, something shorter made of it. */
static char *tag_prefix(const char *tag)
{
    struct digest d;
    char hex[DIGEST_HEX_LEN + 1];
    if (strlen(tag) + 1 + DIGEST_HEX_LEN <= MAX_TAG)
        return g_strconcat(tag, ".", NULL);
    digest_of_bytes(&d, tag, strlen(tag));
    return g_strdup_printf("%.40s.%.16s.", tag, digest_hex(&d, hex));
}

struct cache_backend *cache_registry_open(const struct cache_spec *spec,
                                          const struct cache_env *env, GError **err)
{
    const char *text = cache_spec_get(spec, "ref");
    g_autoptr(reference) ref = text ? reference_parse(text, err) : NULL;
    if (!text)
        error_set(err, VARVE_ERROR_USAGE, "type=registry needs ref=IMAGE");
    if (!ref)
        return NULL;
    if (!ref->tag) {
        error_set(err, VARVE_ERROR_USAGE, "a cache needs a tag, and %s is a digest", text);
        return NULL;
    }
    struct registry *r = registry_new(env->store, env->registry, env->events, env->cancel);
    const char *insecure = cache_spec_get(spec, "registry.insecure");
    if (insecure && strcmp(insecure, "false") != 0)
        registry_allow_insecure(r, ref->domain);
    g_autofree char *familiar = reference_familiar(ref);
    g_autofree char *purpose = g_strconcat(
        spec->use == CACHE_WRITE ? "write the cache " : "read the cache ", familiar, NULL);
    struct repository *p = repository_new(r, ref, purpose, spec->use == CACHE_WRITE, err);
    if (!p) {
        registry_free(r);
        return NULL;
    }
    struct registry_cache *c = g_new0(struct registry_cache, 1);
    c->base = (struct cache_backend){.label = spec->label,
                                     .list = registry_list,
                                     .segment = registry_segment,
                                     .has = registry_has,
                                     .fetch = registry_fetch,
                                     .put = registry_put,
                                     .publish = registry_publish,
                                     .retire = registry_retire,
                                     .claims = registry_claims,
                                     .claim_get = registry_claim_get,
                                     .claim_put = registry_claim_put,
                                     .claim_remove = registry_claim_remove,
                                     .free = registry_cache_free};
    c->base.host = repository_host(p);
    c->base.repository = repository_path(p);
    c->store = env->store;
    c->registry = r;
    c->repository = p;
    c->prefix = tag_prefix(ref->tag);
    c->claims = g_strconcat(c->prefix, "claim.", NULL);
    c->ref = g_steal_pointer(&ref);
    g_mutex_init(&c->lock);
    return &c->base;
}
