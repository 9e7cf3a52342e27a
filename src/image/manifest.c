#include "image/manifest.h"

#include "base/error.h"
#include "image/jsonin.h"
#include "image/jsonout.h"
#include "store/blob.h"

#include <string.h>

#define MAX_MANIFEST (4 * 1024 * 1024)
#define MAX_DESCRIPTORS 10000
#define MAX_BLOB (G_GUINT64_CONSTANT(1) << 50)
#define MAX_SHOWN 40 /* platforms in a message */

static gboolean media_type_is_index(const char *t)
{
    return !g_strcmp0(t, MEDIA_OCI_INDEX) || !g_strcmp0(t, MEDIA_DOCKER_LIST);
}

static gboolean media_type_is_manifest(const char *t)
{
    return !g_strcmp0(t, MEDIA_OCI_MANIFEST) || !g_strcmp0(t, MEDIA_DOCKER_MANIFEST);
}

static int compare_annotation_keys(gconstpointer a, gconstpointer b, gpointer unused)
{
    return strcmp(a, b);
}

static void descriptor_clear(struct descriptor *d)
{
    g_free(d->media_type);
    g_clear_pointer(&d->annotations, g_tree_unref);
    g_strfreev(d->urls);
}

void descriptor_free(struct descriptor *d)
{
    if (!d)
        return;
    descriptor_clear(d);
    g_free(d);
}

/* Annotations never change once parsed, so copies share them. */
struct descriptor *descriptor_copy(const struct descriptor *d)
{
    struct descriptor *n = g_memdup2(d, sizeof *d);
    n->media_type = g_strdup(d->media_type);
    n->annotations = d->annotations ? g_tree_ref(d->annotations) : NULL;
    n->urls = g_strdupv(d->urls);
    return n;
}

struct manifest *manifest_new(const char *media_type)
{
    struct manifest *m = g_new0(struct manifest, 1);
    m->media_type = g_strdup(media_type);
    m->is_index = media_type_is_index(media_type);
    m->items = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    return m;
}

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    g_free(m->media_type);
    g_free(m->artifact_type);
    descriptor_clear(&m->config);
    g_ptr_array_unref(m->items);
    g_clear_pointer(&m->annotations, g_tree_unref);
    g_free(m);
}

/* A platform that does not fit the struct is none we could ever want: it becomes unknown/unknown.
 */
static gboolean parse_descriptor_platform(const json_t *obj, struct descriptor *d, GError **err)
{
    const json_t *p;
    const char *os, *arch, *variant;
    if (!jsonin_object(obj, "platform", &p, err))
        return FALSE;
    if (!p)
        return TRUE;
    if (!jsonin_string(p, "os", &os, err) || !jsonin_string(p, "architecture", &arch, err) ||
        !jsonin_string(p, "variant", &variant, err))
        return FALSE;
    struct platform *out = &d->platform;
    d->has_platform = TRUE;
    if (g_strlcpy(out->os, os ? os : "unknown", sizeof out->os) >= sizeof out->os ||
        g_strlcpy(out->arch, arch ? arch : "unknown", sizeof out->arch) >= sizeof out->arch ||
        g_strlcpy(out->variant, variant ? variant : "", sizeof out->variant) >= sizeof out->variant)
        *out = (struct platform){"unknown", "unknown", ""};
    platform_normalise(out);
    return TRUE;
}

static gboolean parse_annotations(const json_t *obj, GTree **out, GError **err)
{
    const json_t *map;
    if (!jsonin_object(obj, "annotations", &map, err))
        return FALSE;
    if (!map)
        return TRUE;
    *out = g_tree_new_full(compare_annotation_keys, NULL, g_free, g_free);
    return jsonin_map(obj, "annotations", *out, err);
}

static gboolean parse_descriptor(const json_t *obj, struct descriptor *d, GError **err)
{
    const char *type;
    gint64 size;
    if (!json_is_object(obj))
        return error_set(err, VARVE_ERROR_INVALID, "a descriptor is not an object");
    if (!jsonin_string(obj, "mediaType", &type, err) ||
        !jsonin_digest(obj, "digest", &d->digest, err) || !jsonin_int(obj, "size", &size, err) ||
        !jsonin_strv(obj, "urls", &d->urls, err))
        return FALSE;
    if (!json_object_get(obj, "size") || size < 0 || (guint64)size > MAX_BLOB)
        return error_set(err, VARVE_ERROR_INVALID,
                         "a descriptor's \"size\" is missing or out of range");
    d->size = (guint64)size;
    d->media_type = g_strdup(type ? type : "");
    return parse_annotations(obj, &d->annotations, err) && parse_descriptor_platform(obj, d, err);
}

static gboolean parse_items(const json_t *doc, const char *key, GPtrArray *items, GError **err)
{
    const json_t *list;
    if (!jsonin_array(doc, key, MAX_DESCRIPTORS, &list, err))
        return FALSE;
    for (gsize i = 0; i < json_array_size(list); i++) {
        struct descriptor *d = g_new0(struct descriptor, 1);
        g_ptr_array_add(items, d);
        if (!parse_descriptor(json_array_get(list, i), d, err))
            return FALSE;
    }
    return TRUE;
}

/* The document's media type: its own, else the server's, else derived from its members. */
static const char *kind_of(const json_t *doc, const char *said, const char *given)
{
    if (said && *said)
        return said;
    if (given && (media_type_is_index(given) || media_type_is_manifest(given)))
        return given;
    if (json_object_get(doc, "manifests"))
        return MEDIA_OCI_INDEX;
    return json_object_get(doc, "config") ? MEDIA_OCI_MANIFEST : given;
}

static gboolean check_kind(const json_t *doc, const char *type, GError **err)
{
    gint64 schema;
    if (!jsonin_int(doc, "schemaVersion", &schema, err))
        return FALSE;
    if (schema == 1)
        return error_set(err, VARVE_ERROR_UNSUPPORTED,
                         "this is a schema 1 manifest, which registries dropped in 2019; push the "
                         "image again with a newer tool");
    if (schema != 2)
        return error_set(err, VARVE_ERROR_INVALID,
                         "\"schemaVersion\" is %" G_GINT64_FORMAT ", not 2", schema);
    gboolean index = media_type_is_index(type);
    if (!index && !media_type_is_manifest(type))
        return error_set(err, VARVE_ERROR_UNSUPPORTED, "documents of type \"%s\" are not images",
                         type ? type : "(none)");
    /* One document must never mean two things to two readers. */
    if (json_object_get(doc, index ? "layers" : "manifests") ||
        (index && json_object_get(doc, "config")))
        return error_set(err, VARVE_ERROR_INVALID,
                         "it has the members of both an index and a manifest");
    return TRUE;
}

static gboolean parse_manifest(const json_t *doc, struct manifest *m, GError **err)
{
    const char *artifact;
    if (!jsonin_string(doc, "artifactType", &artifact, err) ||
        !parse_annotations(doc, &m->annotations, err))
        return FALSE;
    m->artifact_type = g_strdup(artifact);
    if (!parse_items(doc, m->is_index ? "manifests" : "layers", m->items, err))
        return FALSE;
    if (m->is_index)
        return TRUE;
    if (!json_object_get(doc, "config"))
        return error_set(err, VARVE_ERROR_INVALID, "\"config\" is missing");
    return parse_descriptor(json_object_get(doc, "config"), &m->config, err);
}

static struct manifest *parse_document(const json_t *doc, const char *media_type, GError **err)
{
    const char *said;
    if (!jsonin_string(doc, "mediaType", &said, err))
        return NULL;
    const char *type = kind_of(doc, said, media_type);
    if (!check_kind(doc, type, err))
        return NULL;
    g_autoptr(manifest) m = manifest_new(type);
    return parse_manifest(doc, m, err) ? g_steal_pointer(&m) : NULL;
}

struct manifest *manifest_parse(const void *json, gsize len, const char *media_type, GError **err)
{
    json_t *doc = jsonin_parse(json, len, MAX_MANIFEST, "image manifest", err);
    if (!doc)
        return NULL;
    struct manifest *m = parse_document(doc, media_type, err);
    json_decref(doc);
    if (!m)
        g_prefix_error(err, "cannot read the image manifest: ");
    return m;
}

static void write_platform(struct jsonout *j, const struct platform *p)
{
    jsonout_open(j, "platform", '{');
    jsonout_str(j, "architecture", p->arch);
    jsonout_str(j, "os", p->os);
    jsonout_opt_str(j, "variant", p->variant);
    jsonout_close(j, '}');
}

static void write_descriptor(struct jsonout *j, const char *key, const struct descriptor *d)
{
    g_autofree char *digest = digest_text(&d->digest);
    jsonout_open(j, key, '{');
    jsonout_str(j, "mediaType", d->media_type);
    jsonout_str(j, "digest", digest);
    jsonout_int(j, "size", (gint64)d->size);
    jsonout_opt_strv(j, "urls", d->urls, d->urls ? g_strv_length(d->urls) : 0);
    jsonout_opt_map(j, "annotations", d->annotations, FALSE);
    if (d->has_platform)
        write_platform(j, &d->platform);
    jsonout_close(j, '}');
}

GBytes *manifest_write(const struct manifest *m)
{
    struct jsonout j;
    jsonout_init(&j, 2);
    jsonout_open(&j, NULL, '{');
    jsonout_int(&j, "schemaVersion", 2);
    jsonout_str(&j, "mediaType", m->media_type);
    jsonout_opt_str(&j, "artifactType", m->artifact_type);
    if (!m->is_index)
        write_descriptor(&j, "config", &m->config);
    jsonout_open(&j, m->is_index ? "manifests" : "layers", '[');
    for (guint i = 0; i < m->items->len; i++)
        write_descriptor(&j, NULL, m->items->pdata[i]);
    jsonout_close(&j, ']');
    jsonout_opt_map(&j, "annotations", m->annotations, FALSE);
    jsonout_close(&j, '}');
    return jsonout_finish(&j);
}

static gboolean is_attestation(const struct descriptor *d)
{
    if (d->annotations && g_tree_lookup(d->annotations, "vnd.docker.reference.type"))
        return TRUE;
    return d->has_platform && !strcmp(d->platform.os, "unknown");
}

const struct descriptor *manifest_choose(const struct manifest *index, const struct platform *p)
{
    const struct descriptor *best = NULL;
    int best_score = 0;
    for (guint i = 0; index->is_index && i < index->items->len; i++) {
        const struct descriptor *d = index->items->pdata[i];
        if (is_attestation(d))
            continue;
        /* One that does not say counts as a last resort. */
        int score = d->has_platform ? 2 * platform_match(p, &d->platform) : 1;
        if (score > best_score) {
            best = d;
            best_score = score;
        }
    }
    return best;
}

gboolean manifest_check_image(const struct manifest *m, GError **err)
{
    /* The last three are wrong types written by some registries and tools. */
    static const char *const types[] = {
        MEDIA_OCI_CONFIG,   MEDIA_DOCKER_CONFIG, "",  "application/octet-stream",
        "application/json", "text/html",         NULL};
    const char *type = m->config.media_type;
    if (m->is_index || g_strv_contains(types, type))
        return TRUE;
    error_set(err, VARVE_ERROR_UNSUPPORTED, "it is an artifact (config type %.200s), not an image",
              type);
    error_add_next(err, "name an image; artifacts are fetched with the tools that made them");
    return FALSE;
}

char *manifest_platforms(const struct manifest *index)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; index->is_index && i < index->items->len; i++) {
        const struct descriptor *d = index->items->pdata[i];
        if (is_attestation(d) || !d->has_platform)
            continue;
        g_autofree char *text = platform_text(&d->platform);
        if (!g_ptr_array_find_with_equal_func(all, text, g_str_equal, NULL))
            g_ptr_array_add(all, g_steal_pointer(&text));
        if (all->len > MAX_SHOWN)
            break;
    }
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < all->len; i++)
        g_string_append_printf(s, "%s%s", i ? ", " : "",
                               i < MAX_SHOWN ? (const char *)g_ptr_array_index(all, i) : "…");
    return g_string_free(s, FALSE);
}

struct manifest *manifest_load(struct store *s, const struct digest *d, GError **err)
{
    g_autoptr(GBytes) json = store_blob_read(s, d, MAX_MANIFEST, err);
    return json ? manifest_parse(g_bytes_get_data(json, NULL), g_bytes_get_size(json), NULL, err)
                : NULL;
}
