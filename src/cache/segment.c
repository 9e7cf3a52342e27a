#include "cache/segment.h"

#include "cache/zbytes.h"
#include "image/jsonout.h"

#include <string.h>

/* Bytes of JSON, about. */
#define DESCRIPTOR_WEIGHT 200
#define LAYER_WEIGHT 900
#define RECORD_WEIGHT 600
#define NUMBER_WEIGHT 6

static void descriptor_copy_into(struct descriptor *to, const struct descriptor *from)
{
    *to = (struct descriptor){
        .media_type = g_strdup(from->media_type), .digest = from->digest, .size = from->size};
}

struct cache_layer *cache_layer_copy(const struct cache_layer *l)
{
    struct cache_layer *copy = g_memdup2(l, sizeof *l);
    descriptor_copy_into(&copy->blob, &l->blob);
    descriptor_copy_into(&copy->index, &l->index);
    copy->variant = g_strdup(l->variant);
    copy->origins = g_strdupv(l->origins);
    return copy;
}

void cache_layer_free(struct cache_layer *l)
{
    if (!l)
        return;
    g_free(l->blob.media_type);
    g_free(l->index.media_type);
    g_free(l->variant);
    g_strfreev(l->origins);
    g_free(l);
}

static struct cache_record *record_copy(const struct cache_record *r)
{
    struct cache_record *copy = g_memdup2(r, sizeof *r);
    copy->layers = g_memdup2(r->layers, r->n_layers * sizeof *r->layers);
    copy->step = g_strdup(r->step);
    copy->platform = g_strdup(r->platform);
    copy->slot = g_strdup(r->slot);
    copy->inputs = g_strdup(r->inputs);
    descriptor_copy_into(&copy->inputs_blob, &r->inputs_blob);
    return copy;
}

void cache_record_free(struct cache_record *r)
{
    if (!r)
        return;
    g_free(r->layers);
    g_free(r->step);
    g_free(r->platform);
    g_free(r->slot);
    g_free(r->inputs);
    g_free(r->inputs_blob.media_type);
    g_free(r);
}

static struct cache_mount_ref *mount_ref_copy(const struct cache_mount_ref *m)
{
    struct cache_mount_ref *copy = g_memdup2(m, sizeof *m);
    copy->id = g_strdup(m->id);
    copy->platform = g_strdup(m->platform);
    descriptor_copy_into(&copy->manifest, &m->manifest);
    copy->packs = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    for (guint i = 0; i < m->packs->len; i++)
        g_ptr_array_add(copy->packs, descriptor_copy(g_ptr_array_index(m->packs, i)));
    return copy;
}

void cache_mount_ref_free(struct cache_mount_ref *m)
{
    if (!m)
        return;
    g_free(m->id);
    g_free(m->platform);
    g_free(m->manifest.media_type);
    g_clear_pointer(&m->packs, g_ptr_array_unref);
    g_free(m);
}

struct cache_segment *segment_new(void)
{
    struct cache_segment *s = g_new0(struct cache_segment, 1);
    s->supersedes = g_ptr_array_new_with_free_func(g_free);
    s->layers = g_ptr_array_new_with_free_func((GDestroyNotify)cache_layer_free);
    s->records = g_ptr_array_new_with_free_func((GDestroyNotify)cache_record_free);
    s->mounts = g_ptr_array_new_with_free_func((GDestroyNotify)cache_mount_ref_free);
    s->by_digest = g_hash_table_new_full(digest_ghash, digest_gequal, g_free, NULL);
    s->by_key = g_hash_table_new_full(digest_ghash, digest_gequal, g_free,
                                      (GDestroyNotify)g_ptr_array_unref);
    return s;
}

void segment_free(struct cache_segment *s)
{
    if (!s)
        return;
    g_ptr_array_unref(s->supersedes);
    g_ptr_array_unref(s->layers);
    g_ptr_array_unref(s->records);
    g_ptr_array_unref(s->mounts);
    g_hash_table_unref(s->by_digest);
    g_hash_table_unref(s->by_key);
    g_clear_pointer(&s->held, g_hash_table_unref);
    g_free(s);
}

/* What tells layers apart: everything but where they were seen. */
static void layer_identity(const struct cache_layer *l, struct digest *out)
{
    g_autoptr(hasher) h = hasher_new();
    hasher_add_digest(h, &l->diff_id);
    hasher_add_digest(h, &l->blob.digest);
    hasher_add_digest(h, &l->index.digest);
    hasher_add_u64(h, l->base);
    hasher_final(h, out);
}

guint segment_add_layer(struct cache_segment *s, const struct cache_layer *l)
{
    struct digest id;
    gpointer number;
    layer_identity(l, &id);
    if (g_hash_table_lookup_extended(s->by_digest, &id, NULL, &number))
        return GPOINTER_TO_UINT(number);
    g_hash_table_insert(s->by_digest, g_memdup2(&id, sizeof id), GUINT_TO_POINTER(s->layers->len));
    g_ptr_array_add(s->layers, cache_layer_copy(l));
    return s->layers->len - 1;
}

static gint compare_ages(const struct cache_record *x, const struct cache_record *y)
{
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    return digest_cmp(&x->content, &y->content);
}

static void add_key(struct cache_segment *s, const struct digest *key, struct cache_record *r)
{
    if (digest_is_zero(key))
        return;
    GPtrArray *all = g_hash_table_lookup(s->by_key, key);
    if (!all) {
        all = g_ptr_array_new();
        g_hash_table_insert(s->by_key, g_memdup2(key, sizeof *key), all);
    }
    if (all->len >= CACHE_RESULTS || g_ptr_array_find(all, r, NULL))
        return;
    guint i = all->len;
    while (i > 0 && compare_ages(g_ptr_array_index(all, i - 1), r) > 0)
        i--;
    g_ptr_array_insert(all, (gint)i, r);
}

static gboolean is_gone(GHashTable *lost, const struct descriptor *d)
{
    return d->media_type && g_hash_table_contains(lost, &d->digest);
}

static gboolean lacks_layer(const struct cache_segment *s, const struct cache_record *r,
                            GHashTable *lost)
{
    for (guint i = 0; i < r->n_layers; i++) {
        const struct cache_layer *l = segment_layer(s, r->layers[i]);
        if (is_gone(lost, &l->blob) || is_gone(lost, &l->index))
            return TRUE;
    }
    return FALSE;
}

static gboolean lacks_pack(const struct cache_mount_ref *m, GHashTable *lost)
{
    gboolean lacks = is_gone(lost, &m->manifest);
    for (guint i = 0; i < m->packs->len && !lacks; i++)
        lacks = is_gone(lost, g_ptr_array_index(m->packs, i));
    return lacks;
}

/* What it read explains a miss, no more: without that it is kept. */
static void keep_whole_record(struct cache_segment *to, const struct cache_segment *from,
                              const struct cache_record *r, GHashTable *lost)
{
    struct cache_record bare = *r;
    if (is_gone(lost, &bare.inputs_blob))
        bare.inputs_blob = (struct descriptor){NULL};
    segment_adopt(to, from, &bare);
}

struct cache_segment *segment_without(const struct cache_segment *s, GHashTable *lost)
{
    struct cache_segment *out = segment_new();
    out->created = s->created;
    for (guint i = 0; i < s->supersedes->len; i++)
        g_ptr_array_add(out->supersedes, g_strdup(g_ptr_array_index(s->supersedes, i)));
    for (guint i = 0; i < s->records->len; i++) {
        const struct cache_record *r = g_ptr_array_index(s->records, i);
        if (!lacks_layer(s, r, lost))
            keep_whole_record(out, s, r, lost);
    }
    for (guint i = 0; i < s->mounts->len; i++) {
        const struct cache_mount_ref *m = g_ptr_array_index(s->mounts, i);
        if (!lacks_pack(m, lost))
            segment_adopt_mount(out, m);
    }
    return out;
}

struct cache_record *segment_same_record(struct cache_segment *s, const struct cache_record *r)
{
    GPtrArray *all = g_hash_table_lookup(s->by_key, &r->definition);
    for (guint i = 0; all && i < all->len; i++) {
        struct cache_record *o = g_ptr_array_index(all, i);
        if (digest_cmp(&o->definition, &r->definition) == 0 &&
            digest_cmp(&o->content_key, &r->content_key) == 0 &&
            digest_cmp(&o->content, &r->content) == 0 && o->n_layers == r->n_layers)
            return o;
    }
    return NULL;
}

struct cache_record *segment_add_record(struct cache_segment *s, struct cache_record *r)
{
    struct cache_record *old = segment_same_record(s, r);
    const GPtrArray *all = segment_find(s, &r->definition);
    if (!old && all && all->len >= CACHE_RESULTS) {
        cache_record_free(r);
        return g_ptr_array_index(all, 0);
    }
    if (!old) {
        g_ptr_array_add(s->records, r);
        add_key(s, &r->definition, r);
        add_key(s, &r->content_key, r);
        return r;
    }
    old->hits = MAX(old->hits, r->hits);
    old->used = MAX(old->used, r->used);
    cache_record_free(r);
    return old;
}

void segment_add_mount(struct cache_segment *s, struct cache_mount_ref *m)
{
    for (guint i = 0; i < s->mounts->len; i++) {
        struct cache_mount_ref *old = g_ptr_array_index(s->mounts, i);
        if (strcmp(old->id, m->id) != 0 || g_strcmp0(old->platform, m->platform) != 0 ||
            digest_cmp(&old->manifest.digest, &m->manifest.digest) != 0)
            continue;
        old->created = MAX(old->created, m->created);
        cache_mount_ref_free(m);
        return;
    }
    g_ptr_array_add(s->mounts, m);
}

void segment_drop_mounts(struct cache_segment *s, const char *id, const char *platform)
{
    for (guint i = s->mounts->len; i-- > 0;) {
        struct cache_mount_ref *m = g_ptr_array_index(s->mounts, i);
        if (strcmp(m->id, id) == 0 && g_strcmp0(m->platform, platform) == 0)
            g_ptr_array_remove_index(s->mounts, i);
    }
}

static void merge_record(struct cache_segment *into, const struct cache_record *r,
                         const guint *numbers)
{
    struct cache_record *copy = record_copy(r);
    for (guint i = 0; i < copy->n_layers; i++)
        copy->layers[i] = numbers[copy->layers[i]];
    segment_add_record(into, copy);
}

void segment_merge(struct cache_segment *into, const struct cache_segment *from)
{
    g_autofree guint *numbers = g_new(guint, from->layers->len + 1);
    for (guint i = 0; i < from->layers->len; i++)
        numbers[i] = segment_add_layer(into, g_ptr_array_index(from->layers, i));
    for (guint i = 0; i < from->records->len; i++)
        merge_record(into, g_ptr_array_index(from->records, i), numbers);
    for (guint i = 0; i < from->mounts->len; i++)
        segment_adopt_mount(into, g_ptr_array_index(from->mounts, i));
}

void segment_adopt(struct cache_segment *into, const struct cache_segment *from,
                   const struct cache_record *r)
{
    struct cache_record *copy = record_copy(r);
    for (guint i = 0; i < copy->n_layers; i++)
        copy->layers[i] = segment_add_layer(into, segment_layer(from, r->layers[i]));
    segment_add_record(into, copy);
}

void segment_adopt_mount(struct cache_segment *into, const struct cache_mount_ref *m)
{
    segment_add_mount(into, mount_ref_copy(m));
}

const GPtrArray *segment_find(const struct cache_segment *s, const struct digest *key)
{
    return g_hash_table_lookup(s->by_key, key);
}

const struct cache_record *segment_slot(const struct cache_segment *s, const char *slot)
{
    const struct cache_record *newest = NULL;
    for (guint i = 0; i < s->records->len; i++) {
        const struct cache_record *r = g_ptr_array_index(s->records, i);
        if (g_strcmp0(r->slot, slot) == 0 && (r->inputs || r->inputs_blob.media_type) &&
            (!newest || r->created > newest->created))
            newest = r;
    }
    return newest;
}

gboolean segment_holds(const struct cache_segment *s, const struct digest *blob)
{
    if (g_once_init_enter(&((struct cache_segment *)s)->held)) {
        g_autoptr(GPtrArray) blobs = segment_blobs(s);
        GHashTable *held = g_hash_table_new(digest_ghash, digest_gequal);
        for (guint i = 0; i < blobs->len; i++)
            g_hash_table_add(held, &((struct descriptor *)g_ptr_array_index(blobs, i))->digest);
        g_once_init_leave(&((struct cache_segment *)s)->held, held);
    }
    return g_hash_table_contains(s->held, blob);
}

const struct cache_layer *segment_layer(const struct cache_segment *s, guint number)
{
    return g_ptr_array_index(s->layers, number);
}

gsize segment_weight(const struct cache_segment *s)
{
    gsize sum = s->layers->len * LAYER_WEIGHT;
    for (guint i = 0; i < s->records->len; i++) {
        const struct cache_record *r = g_ptr_array_index(s->records, i);
        sum += RECORD_WEIGHT + r->n_layers * NUMBER_WEIGHT + (r->step ? strlen(r->step) : 0) +
               (r->inputs ? strlen(r->inputs) : 0);
    }
    for (guint i = 0; i < s->mounts->len; i++) {
        const struct cache_mount_ref *m = g_ptr_array_index(s->mounts, i);
        sum += RECORD_WEIGHT + strlen(m->id) + m->packs->len * DESCRIPTOR_WEIGHT;
    }
    return sum;
}

static void take_blob(GPtrArray *out, GHashTable *seen, const struct descriptor *d)
{
    if (d->media_type && g_hash_table_add(seen, (gpointer)&d->digest))
        g_ptr_array_add(out, (gpointer)d);
}

GPtrArray *segment_blobs(const struct cache_segment *s)
{
    GPtrArray *out = g_ptr_array_new();
    g_autoptr(GHashTable) seen = g_hash_table_new(digest_ghash, digest_gequal);
    for (guint i = 0; i < s->layers->len; i++) {
        const struct cache_layer *l = g_ptr_array_index(s->layers, i);
        if (!l->base || !l->origins)
            take_blob(out, seen, &l->blob);
        take_blob(out, seen, &l->index);
    }
    for (guint i = 0; i < s->records->len; i++)
        take_blob(out, seen,
                  &((const struct cache_record *)g_ptr_array_index(s->records, i))->inputs_blob);
    for (guint i = 0; i < s->mounts->len; i++) {
        const struct cache_mount_ref *m = g_ptr_array_index(s->mounts, i);
        take_blob(out, seen, &m->manifest);
        for (guint k = 0; k < m->packs->len; k++)
            take_blob(out, seen, g_ptr_array_index(m->packs, k));
    }
    return out;
}

static void write_segment_descriptor(struct jsonout *j, const char *key, const struct descriptor *d)
{
    if (!d->media_type)
        return;
    g_autofree char *digest = digest_text(&d->digest);
    jsonout_open(j, key, '{');
    jsonout_str(j, "mediaType", d->media_type);
    jsonout_str(j, "digest", digest);
    jsonout_int(j, "size", (gint64)d->size);
    jsonout_close(j, '}');
}

static void write_digest(struct jsonout *j, const char *key, const struct digest *d)
{
    g_autofree char *text = digest_is_zero(d) ? NULL : digest_text(d);
    jsonout_opt_str(j, key, text);
}

static void write_layer(struct jsonout *j, const struct cache_layer *l)
{
    jsonout_open(j, NULL, '{');
    write_digest(j, "diffId", &l->diff_id);
    write_segment_descriptor(j, "blob", &l->blob);
    write_segment_descriptor(j, "index", &l->index);
    write_digest(j, "content", &l->content);
    jsonout_opt_int(j, "bytes", (gint64)l->bytes);
    jsonout_opt_int(j, "entries", (gint64)l->entries);
    jsonout_opt_int(j, "created", l->created);
    jsonout_opt_str(j, "variant", l->variant);
    if (l->base)
        jsonout_true(j, "base");
    jsonout_opt_strv(j, "origins", l->origins, l->origins ? g_strv_length(l->origins) : 0);
    jsonout_close(j, '}');
}

static void write_record(struct jsonout *j, const struct cache_record *r)
{
    jsonout_open(j, NULL, '{');
    write_digest(j, "definition", &r->definition);
    write_digest(j, "contentKey", &r->content_key);
    jsonout_open(j, "layers", '[');
    for (guint i = 0; i < r->n_layers; i++)
        jsonout_int(j, NULL, r->layers[i]);
    jsonout_close(j, ']');
    write_digest(j, "content", &r->content);
    jsonout_int(j, "created", r->created);
    jsonout_int(j, "durationUs", r->duration_us);
    jsonout_opt_str(j, "step", r->step);
    jsonout_opt_str(j, "platform", r->platform);
    jsonout_opt_str(j, "slot", r->slot);
    jsonout_opt_str(j, "inputs", r->inputs);
    write_segment_descriptor(j, "inputsBlob", &r->inputs_blob);
    jsonout_opt_int(j, "used", r->used);
    jsonout_opt_int(j, "hits", (gint64)r->hits);
    jsonout_close(j, '}');
}

static void write_mount(struct jsonout *j, const struct cache_mount_ref *m)
{
    jsonout_open(j, NULL, '{');
    jsonout_str(j, "id", m->id);
    jsonout_opt_str(j, "platform", m->platform);
    jsonout_int(j, "created", m->created);
    jsonout_int(j, "bytes", (gint64)m->bytes);
    write_segment_descriptor(j, "manifest", &m->manifest);
    jsonout_open(j, "packs", '[');
    for (guint i = 0; i < m->packs->len; i++)
        write_segment_descriptor(j, NULL, g_ptr_array_index(m->packs, i));
    jsonout_close(j, ']');
    jsonout_close(j, '}');
}

GBytes *segment_write(const struct cache_segment *s)
{
    struct jsonout j;
    jsonout_init(&j, 0);
    jsonout_open(&j, NULL, '{');
    jsonout_int(&j, "version", CACHE_SEGMENT_VERSION);
    jsonout_int(&j, "created", s->created);
    jsonout_opt_strv(&j, "supersedes", (char *const *)s->supersedes->pdata, s->supersedes->len);
    jsonout_open(&j, "layers", '[');
    for (guint i = 0; i < s->layers->len; i++)
        write_layer(&j, g_ptr_array_index(s->layers, i));
    jsonout_close(&j, ']');
    jsonout_open(&j, "records", '[');
    for (guint i = 0; i < s->records->len; i++)
        write_record(&j, g_ptr_array_index(s->records, i));
    jsonout_close(&j, ']');
    jsonout_open(&j, "mounts", '[');
    for (guint i = 0; i < s->mounts->len; i++)
        write_mount(&j, g_ptr_array_index(s->mounts, i));
    jsonout_close(&j, ']');
    jsonout_close(&j, '}');
    g_autoptr(GBytes) json = jsonout_finish(&j);
    gsize len;
    const void *bytes = g_bytes_get_data(json, &len);
    return zbytes_pack(bytes, len);
}
