#include "output/image.h"

#include "base/error.h"
#include "base/pool.h"
#include "image/config.h"
#include "layer/diffid.h"
#include "output/annotation.h"
#include "store/absent.h"
#include "store/blob.h"
#include "store/images.h"
#include "text/reference.h"

#include <string.h>

struct built_image *built_image_new(struct store *s, const struct chain *chain,
                                    const struct image_conf *conf)
{
    struct built_image *b = g_new0(struct built_image, 1);
    b->store = s;
    b->chain = chain_copy(chain);
    b->conf = image_conf_copy(conf);
    b->epoch = -1;
    b->lost = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, g_free);
    return b;
}

void built_image_free(struct built_image *b)
{
    if (!b)
        return;
    chain_free(b->chain);
    image_conf_free(b->conf);
    g_hash_table_unref(b->lost);
    g_free(b);
}

/* The time that no file of a layer is younger than, -1: none. */
static gint64 clamp_of(const struct built_image *b)
{
    return b->keep_times ? -1 : b->epoch;
}

/* What the parallel hashing of layers shares. */
struct hashing {
    struct built_image *b;
    struct digest *diff_ids; /* one for each layer */
};

static gboolean hash_layer(gpointer ctx, gsize i, GError **err)
{
    struct hashing *h = ctx;
    return layer_diff_id(h->b->store, h->b->chain->ids[i], clamp_of(h->b), h->b->cancel,
                         &h->diff_ids[i], err);
}

static gboolean fill_diff_ids(struct built_image *b, GError **err)
{
    g_autofree struct digest *ids = g_new0(struct digest, b->chain->n + 1);
    struct hashing h = {b, ids};
    if (!pool_for_each(b->chain->n, hash_layer, &h, err))
        return FALSE;
    g_array_set_size(b->conf->diff_ids, 0);
    g_array_append_vals(b->conf->diff_ids, ids, b->chain->n);
    return TRUE;
}

static char *rfc3339(gint64 seconds)
{
    g_autoptr(GDateTime) t = g_date_time_new_from_unix_utc(seconds);
    return g_date_time_format(t, "%Y-%m-%dT%H:%M:%SZ");
}

/* Base images without history (or with too little) get entries that stand for their layers. */
static void pad_history(struct built_image *b)
{
    guint layers = 0;
    for (guint i = 0; i < b->conf->history->len; i++)
        layers += !((struct history *)g_ptr_array_index(b->conf->history, i))->empty_layer;
    for (; layers < b->chain->n; layers++) {
        struct history *h = g_new0(struct history, 1);
        h->comment = g_strdup("a layer that the base image's history does not tell of");
        h->created = rfc3339(0);
        g_ptr_array_insert(b->conf->history, 0, h);
    }
}

static const struct history *history_at(const struct image_conf *c, guint i)
{
    return g_ptr_array_index(c->history, i);
}

/* Times of our own history entries: that of the layer, or of the layer before. An entry of the base
 * has its own. */
static gboolean fill_times(struct built_image *b, GError **err)
{
    gint64 last = 0;
    guint layer = 0;
    for (guint i = 0; i < b->conf->history->len; i++) {
        struct history *h = g_ptr_array_index(b->conf->history, i);
        gboolean ours = !h->created;
        if (!h->empty_layer && layer < b->chain->n) {
            struct layer_info info;
            if (ours && !store_layer_get(b->store, b->chain->ids[layer], &info, err))
                return FALSE;
            if (ours)
                last = MAX(last, info.created);
            layer++;
        }
        if (ours)
            h->created = rfc3339(b->epoch >= 0 ? b->epoch : last);
        else if (last == 0 && i + 1 < b->conf->history->len &&
                 !history_at(b->conf, i + 1)->created) {
            g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(h->created, NULL);
            last = t ? g_date_time_to_unix(t) : 0;
        }
    }
    if (!b->conf->created || last > 0 || b->epoch >= 0) {
        g_free(b->conf->created);
        b->conf->created = rfc3339(b->epoch >= 0 ? b->epoch : last);
    }
    return TRUE;
}

static gboolean sum_sizes(struct built_image *b, GError **err)
{
    b->tree_bytes = 0;
    for (guint i = 0; i < b->chain->n; i++) {
        struct layer_info info;
        if (!store_layer_get(b->store, b->chain->ids[i], &info, err))
            return FALSE;
        b->tree_bytes += info.size;
    }
    return TRUE;
}

gboolean built_image_config(struct built_image *b, GError **err)
{
    if (b->has_config)
        return TRUE;
    pad_history(b);
    if (!fill_diff_ids(b, err) || !fill_times(b, err) || !sum_sizes(b, err))
        return FALSE;
    g_autoptr(GBytes) json = image_conf_write(b->conf);
    if (!store_blob_put(b->store, g_bytes_get_data(json, NULL), g_bytes_get_size(json), &b->config,
                        err))
        return FALSE;
    b->has_config = TRUE;
    return TRUE;
}

static char *layer_media_type(const struct layer_blob *blob, gboolean docker)
{
    gboolean gzip = g_str_has_suffix(blob->media_type, "gzip");
    gboolean zstd = g_str_has_suffix(blob->media_type, "zstd");
    if (docker)
        return g_strconcat(MEDIA_DOCKER_LAYER, gzip ? ".gzip" : zstd ? ".zstd" : "", NULL);
    return g_strconcat(MEDIA_OCI_LAYER, gzip ? "+gzip" : zstd ? "+zstd" : "", NULL);
}

static void G_GNUC_PRINTF(2, 3) warn(struct built_image *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    event_emit(b->events, &(struct event){.type = EVENT_WARNING, .vertex = -1, .text = text});
}

/* From where the image's base came from, else from wherever the store knows it to be. */
static gboolean fetch_blob(struct built_image *b, const struct descriptor *d, GError **err)
{
    GError *why = NULL;
    if (b->source && b->source->fetch(b->source, d, &why))
        return TRUE;
    if (!store_blob_need(b->store, &d->digest, d->size, d->media_type, why ? NULL : &why)) {
        g_propagate_error(err, why);
        return FALSE;
    }
    g_clear_error(&why);
    return TRUE;
}

/* *have: the store has the blob of d, perhaps only now. What cannot be had is tried once. */
static gboolean have_blob(struct built_image *b, const struct descriptor *d, gboolean *have,
                          GError **err)
{
    g_autoptr(GError) why = NULL;
    if (!store_blob_look(b->store, &d->digest, have, NULL, err))
        return FALSE;
    if (*have || g_hash_table_contains(b->lost, &d->digest))
        return TRUE;
    *have = fetch_blob(b, d, &why);
    if (*have)
        return TRUE;
    g_hash_table_insert(b->lost, g_memdup2(&d->digest, sizeof d->digest),
                        g_strdup(why ? why->message : ""));
    return cancel_check(b->cancel, err);
}

gboolean built_image_is_whole(struct built_image *b, gboolean *whole, GError **err)
{
    g_autoptr(manifest) m = b->has_manifest ? manifest_load(b->store, &b->manifest, NULL) : NULL;
    *whole = m != NULL;
    for (guint i = 0; *whole && i < m->items->len; i++)
        if (!have_blob(b, g_ptr_array_index(m->items, i), whole, err))
            return FALSE;
    return TRUE;
}

/* The image below: its blobs are those of the lowest layers. */
struct base {
    struct manifest *manifest; /* or NULL */
    struct image_conf *conf;   /* or NULL */
    guint n;                   /* layers from below that are the same in both */
};

static void base_clear(struct base *base)
{
    g_clear_pointer(&base->manifest, manifest_free);
    g_clear_pointer(&base->conf, image_conf_free);
}

static const struct digest *diff_id_at(const struct image_conf *c, guint i)
{
    return &g_array_index(c->diff_ids, struct digest, i);
}

/* *same: layer i of b is layer i of the image below, whose config conf is. Layers of an image that
 * came from elsewhere have their diff ids. */
static gboolean is_base_layer(struct built_image *b, const struct image_conf *conf, guint i,
                              gboolean *same, GError **err)
{
    gboolean known;
    struct digest is;
    if (!layer_diff_id_known(b->store, b->chain->ids[i], clamp_of(b), &known, &is, err))
        return FALSE;
    *same = known && digest_cmp(diff_id_at(conf, i), &is) == 0;
    return TRUE;
}

static gboolean is_lost(const GError *e)
{
    return g_error_matches(e, VARVE_ERROR, VARVE_ERROR_NOT_FOUND) ||
           g_error_matches(e, VARVE_ERROR, VARVE_ERROR_INVALID);
}

/* If it is unknown how the layers of the image below came, they are made again; FALSE only if that
 * may be recorded but could not be read this time. */
static gboolean find_base(struct built_image *b, struct base *out, GError **err)
{
    struct base base = {NULL, NULL, 0};
    g_autoptr(GError) why = NULL;
    *out = base;
    if (digest_is_zero(&b->conf->base))
        return TRUE;
    base.manifest = manifest_load(b->store, &b->conf->base, &why);
    base.conf =
        base.manifest ? image_conf_load(b->store, &base.manifest->config.digest, &why) : NULL;
    *out = base;
    if (!base.conf && !is_lost(why)) {
        g_propagate_error(err, g_steal_pointer(&why));
        return FALSE;
    }
    if (!base.conf) {
        warn(
            b,
            "the base image's original layer blobs are lost (%s): its layers may get other digests",
            why->message);
        return TRUE;
    }
    guint n = MIN(MIN(base.conf->diff_ids->len, base.manifest->items->len), b->chain->n);
    for (gboolean same = TRUE; same && out->n < n; out->n += same)
        if (!is_base_layer(b, base.conf, out->n, &same, err))
            return FALSE;
    return TRUE;
}

/* What layer i of the base image came as; NULL when that does not count. */
static const struct layer_blob *came_as(struct built_image *b, const struct base *base, guint i,
                                        struct layer_blob *out)
{
    if (i >= base->n)
        return NULL;
    const struct descriptor *d = g_ptr_array_index(base->manifest->items, i);
    *out = (struct layer_blob){
        .digest = d->digest, .diff_id = *diff_id_at(base->conf, i), .size = d->size};
    g_strlcpy(out->media_type, d->media_type, sizeof out->media_type);
    return out;
}

/* "sha256:…, a layer of the base image, is lost[ and cannot be fetched (why)]" */
static char *tell_lost(const struct built_image *b, const struct layer_blob *blob)
{
    const char *why = g_hash_table_lookup(b->lost, &blob->digest);
    g_autofree char *digest = digest_text(&blob->digest);
    return *why ? g_strdup_printf("%s, a layer of the base image, is lost and cannot be fetched "
                                  "(%s)",
                                  digest, why)
                : g_strdup_printf("%s, a layer of the base image, is lost", digest);
}

/* The blob of a layer that is known by it. */
static void came_absent(const struct absent_layer *a, struct layer_blob *out)
{
    *out = (struct layer_blob){.digest = a->blob, .diff_id = a->diff_id, .size = a->size};
    g_strlcpy(out->media_type, a->media_type, sizeof out->media_type);
}

/* An absent layer that a build made is made into a blob here when it must be another one. */
static gboolean present_own(struct built_image *b, guint i, const struct export_options *e,
                            const struct absent_layer *a, gboolean *absent, GError **err)
{
    if (!*absent || !*a->variant ||
        (!e->force && e->clamp_mtime < 0 &&
         g_str_equal(a->media_type, compression_media_type(e->compression))))
        return TRUE;
    g_autoptr(chain) one = chain_new();
    chain_append(one, b->chain->ids[i]);
    *absent = FALSE;
    return store_chain_need(b->store, one, NEED_FILES, err);
}

/* The blob that layer i should have, NULL for one of our own. *absent: the layer is not here. */
static gboolean find_came(struct built_image *b, const struct base *base, guint i,
                          const struct export_options *e, struct layer_blob *came,
                          const struct layer_blob **out, gboolean *absent, GError **err)
{
    g_auto(absent_layer) a = {.size = 0};
    if (!store_absent_get(b->store, b->chain->ids[i], absent, &a, err) ||
        !present_own(b, i, e, &a, absent, err))
        return FALSE;
    *out = came_as(b, base, i, came);
    if (!*out && *absent)
        came_absent(&a, came);
    if (*absent)
        *out = came;
    return TRUE;
}

static gboolean export_one(struct built_image *b, const struct base *base, guint i,
                           struct export_options *e, struct layer_blob *blob, GError **err)
{
    struct layer_blob came;
    gboolean have = TRUE, absent;
    if (!find_came(b, base, i, e, &came, &e->came_as, &absent, err))
        return FALSE;
    if (absent && b->to_registry) {
        *blob = came;
        return TRUE;
    }
    struct descriptor d = {.media_type = came.media_type, .digest = came.digest, .size = came.size};
    if (e->came_as && !have_blob(b, &d, &have, err))
        return FALSE;
    g_autofree char *text = have ? NULL : tell_lost(b, &came);
    if (!layer_export(b->store, b->chain->ids[i], e, b->cancel, blob, err)) {
        if (!have && !absent) /* the blob is also what an absent layer is read from */
            g_prefix_error(err, "%s: ", text);
        return FALSE;
    }
    if (!have && !e->force && digest_cmp(&blob->digest, &came.digest) != 0)
        warn(b, "%s; it was recompressed, so this image has another digest for it", text);
    return TRUE;
}

/* Where a config is made already, the tar of layer i is the one that it names. */
static gboolean find_clamp(struct built_image *b, guint i, gint64 *clamp, GError **err)
{
    return !b->has_config || i >= b->conf->diff_ids->len ||
           layer_diff_id_clamp(b->store, b->chain->ids[i], diff_id_at(b->conf, i), clamp, err);
}

static gboolean check_named(const struct built_image *b, guint i, const struct layer_blob *blob,
                            GError **err)
{
    if (!b->has_config || i >= b->conf->diff_ids->len ||
        digest_cmp(diff_id_at(b->conf, i), &blob->diff_id) == 0)
        return TRUE;
    g_autofree char *want = digest_text(diff_id_at(b->conf, i));
    error_set(err, VARVE_ERROR_FAILED,
              "layer %s cannot be made again as the image's config names it (%s)", b->chain->ids[i],
              want);
    error_add_next(err, "build or pull the image again");
    return FALSE;
}

static gboolean add_layers(struct built_image *b, struct manifest *m, const struct image_options *o,
                           GError **err)
{
    struct export_options e = o->layers;
    struct base base;
    gboolean ok = find_base(b, &base, err);
    e.events = b->events;
    if (e.clamp_mtime < 0)
        e.clamp_mtime = clamp_of(b);
    b->blob_bytes = 0;
    for (guint i = 0; ok && i < b->chain->n; i++) {
        struct layer_blob blob;
        ok = find_clamp(b, i, &e.clamp_mtime, err) && export_one(b, &base, i, &e, &blob, err) &&
             check_named(b, i, &blob, err);
        if (!ok)
            break;
        struct descriptor *d = g_new0(struct descriptor, 1);
        d->media_type = layer_media_type(&blob, o->docker_types);
        d->digest = blob.digest;
        d->size = blob.size;
        b->blob_bytes += blob.size;
        g_ptr_array_add(m->items, d);
    }
    base_clear(&base);
    return ok;
}

gboolean built_image_export(struct built_image *b, const struct image_options *o, GError **err)
{
    g_autoptr(manifest) unused = manifest_new(MEDIA_OCI_MANIFEST);
    return add_layers(b, unused, o, err);
}

/* The layers come first: making their blobs tells the diff ids that the config needs. */
gboolean built_image_manifest(struct built_image *b, const struct image_options *o, GError **err)
{
    guint64 size = 0;
    b->manifest_type = o->docker_types ? MEDIA_DOCKER_MANIFEST : MEDIA_OCI_MANIFEST;
    g_autoptr(manifest) m = manifest_new(b->manifest_type);
    if (!add_layers(b, m, o, err) || !built_image_config(b, err))
        return FALSE;
    gboolean has;
    if (!store_blob_look(b->store, &b->config, &has, &size, err))
        return FALSE;
    if (!has)
        return error_set(err, VARVE_ERROR_FAILED, "the image's config vanished from the store");
    m->config.media_type = g_strdup(o->docker_types ? MEDIA_DOCKER_CONFIG : MEDIA_OCI_CONFIG);
    m->config.digest = b->config;
    m->config.size = size;
    m->annotations = annotations_of(o->annotations, ANNOTATED_MANIFEST, &b->conf->platform);
    g_autoptr(GBytes) json = manifest_write(m);
    b->manifest_size = g_bytes_get_size(json);
    b->has_manifest = store_blob_put(b->store, g_bytes_get_data(json, NULL), g_bytes_get_size(json),
                                     &b->manifest, err);
    return b->has_manifest;
}

static gboolean put_name(struct built_image *b, const char *name, const char *origin, GError **err)
{
    g_autofree char *platform = platform_text(&b->conf->platform);
    struct image_row row = {.name = (char *)name,
                            .config = b->config,
                            .platform = platform,
                            .origin = (char *)origin,
                            .chain = b->chain,
                            .base = b->conf->base,
                            .created = g_get_real_time() / G_USEC_PER_SEC};
    guint absent;
    if (!store_chain_absent(b->store, b->chain, &absent, NULL, err))
        return FALSE;
    if (!absent) /* else its size is not known yet */
        row.size = b->tree_bytes;
    if (b->has_manifest)
        row.manifest = row.target = b->manifest;
    if (!digest_is_zero(&b->index))
        row.target = b->index;
    return store_image_put(b->store, &row, err);
}

gboolean built_image_store(struct built_image *b, const char *const *names, const char *origin,
                           GError **err)
{
    if (!built_image_config(b, err))
        return FALSE;
    if (!names || !names[0])
        return put_name(b, "", origin, err);
    for (; *names; names++)
        if (!put_name(b, *names, origin, err))
            return FALSE;
    return TRUE;
}

static gboolean is_id_prefix(const char *text)
{
    const char *hex = g_str_has_prefix(text, "sha256:") ? text + strlen("sha256:") : text;
    return strlen(hex) >= 4 && strspn(hex, "0123456789abcdef") == strlen(hex);
}

/* A tag left out or mistaken: the image of the same repository that is there. */
static gboolean tell_near(struct store *s, const struct reference *ref, GError **err)
{
    g_autofree char *canonical = reference_text(ref);
    g_autofree char *near = store_image_near(s, canonical);
    g_autoptr(reference) other = near ? reference_parse(near, NULL) : NULL;
    if (!other)
        return FALSE;
    g_autofree char *wanted = reference_familiar(ref);
    g_autofree char *shown = reference_familiar(other);
    error_set(err, VARVE_ERROR_NOT_FOUND, "%s is not in the store; %s is", wanted, shown);
    error_add_next(err, "write the name with its tag: %s", shown);
    return TRUE;
}

/* By name first, then by id. NULL without error: there is none. */
static struct image_row *find_row(struct store *s, const char *name, const char *platform,
                                  GError **err)
{
    g_autoptr(reference) ref = reference_parse(name, NULL);
    g_autofree char *canonical = ref ? reference_text(ref) : NULL;
    struct image_row *row = canonical ? store_image_find(s, canonical, platform) : NULL;
    if (row || !is_id_prefix(name))
        return row;
    const char *hex = g_str_has_prefix(name, "sha256:") ? name + strlen("sha256:") : name;
    return store_image_find_id(s, hex, platform, err);
}

/* "linux/amd64, linux/arm64": those for which name, or the index whose id it is, is here; NULL: it
 * is not here. */
static char *platforms_here(struct store *s, const char *name, const struct reference *ref)
{
    g_autofree char *canonical = ref ? reference_text(ref) : NULL;
    char *there = canonical ? store_image_platforms(s, canonical) : NULL;
    g_autoptr(image_row) r = there ? NULL : find_row(s, name, IMAGE_ANY_PLATFORM, NULL);
    g_autoptr(GPtrArray) group = r ? store_image_group(s, r) : NULL;
    if (!group)
        return there;
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < group->len; i++)
        g_string_append_printf(out, "%s%s", i ? ", " : "",
                               ((const struct image_row *)g_ptr_array_index(group, i))->platform);
    return g_string_free(out, FALSE);
}

/* It exists, but not for the requested platform (NULL: this machine's). ref: NULL, name is an id.
 */
static gboolean tell_platform(struct store *s, const char *name, const struct reference *ref,
                              const struct platform *p, GError **err)
{
    struct platform host;
    g_autofree char *there = platforms_here(s, name, ref);
    if (!there)
        return FALSE;
    platform_host(&host);
    g_autofree char *shown = ref ? reference_familiar(ref) : g_strdup(name);
    g_autofree char *wanted = platform_text(p ? p : &host);
    error_set(err, VARVE_ERROR_NOT_FOUND, "%s is in the store for %s, not for %s", shown, there,
              wanted);
    const char *choose =
        p && !strchr(there, ',') ? "leave --platform out" : "choose one of these with --platform";
    if (ref)
        error_add_next(err, "%s, or get it: varve pull --platform %s %s", choose, wanted, shown);
    else
        error_add_next(err, "%s", choose);
    return TRUE;
}

static void not_found(struct store *s, const char *name, const struct platform *p, GError **err)
{
    GError *malformed = NULL;
    g_autoptr(reference) ref = is_id_prefix(name) ? NULL : reference_parse(name, &malformed);
    if (malformed) {
        g_propagate_error(err, malformed);
        error_as_usage(err);
        error_add_next(err, "varve images lists the images' names and ids");
        return;
    }
    if (tell_platform(s, name, ref, p, err) || (ref && tell_near(s, ref, err)))
        return;
    error_set(err, VARVE_ERROR_NOT_FOUND, "no such image: %s", name);
    error_add_next(err, "varve images lists the images; varve pull %s asks its registry", name);
}

/* platform: as store_image_find(). */
static struct image_row *find_or_tell(struct store *s, const char *name, const struct platform *p,
                                      const char *platform, GError **err)
{
    GError *local = NULL;
    struct image_row *row = find_row(s, name, platform, &local);
    if (local)
        g_propagate_error(err, local);
    else if (!row)
        not_found(s, name, p, err);
    return row;
}

struct image_row *stored_image_find(struct store *s, const char *name, const struct platform *p,
                                    GError **err)
{
    g_autofree char *platform = p ? platform_text(p) : NULL;
    return find_or_tell(s, name, p, platform, err);
}

struct image_row *stored_image_any(struct store *s, const char *name, const struct platform *p,
                                   GError **err)
{
    return p ? stored_image_find(s, name, p, err)
             : find_or_tell(s, name, NULL, IMAGE_ANY_PLATFORM, err);
}

struct built_image *built_image_from_row(struct store *s, const char *name,
                                         const struct image_row *row, GError **err)
{
    if (!row->chain) {
        error_set(err, VARVE_ERROR_NOT_FOUND,
                  "%s is known, but its layers were never unpacked here", name);
        error_add_next(err, "varve pull %s", name);
        return NULL;
    }
    g_autoptr(image_conf) conf = image_conf_load(s, &row->config, err);
    if (!conf) {
        g_prefix_error(err, "cannot read the config of %s: ", name);
        return NULL;
    }
    conf->base = g_strcmp0(row->origin, "build") == 0 ? row->base : row->manifest;
    struct built_image *b = built_image_new(s, row->chain, conf);
    b->config = row->config;
    b->has_config = TRUE;
    b->has_manifest = !digest_is_zero(&row->manifest);
    b->manifest = row->manifest;
    if (b->has_manifest)
        store_blob_has(s, &b->manifest, &b->manifest_size);
    if (!sum_sizes(b, err))
        g_clear_pointer(&b, built_image_free);
    return b;
}

struct built_image *built_image_open(struct store *s, const char *name, const struct platform *p,
                                     GError **err)
{
    g_autoptr(image_row) row = stored_image_find(s, name, p, err);
    return row ? built_image_from_row(s, name, row, err) : NULL;
}

struct built_image *built_image_open_any(struct store *s, const char *name,
                                         const struct platform *p, GError **err)
{
    g_autoptr(image_row) row = stored_image_any(s, name, p, err);
    return row ? built_image_from_row(s, name, row, err) : NULL;
}
