#include "cache/manage.h"

#include "cache/manageblobs.h"

#include "base/csv.h"
#include "base/error.h"

#include <string.h>

static gboolean is_path(const char *text)
{
    return *text == '/' || g_str_has_prefix(text, "./") || g_str_has_prefix(text, "../") ||
           g_str_equal(text, ".") || g_str_equal(text, "..");
}

/* A field of CSV, with name in place of its own when that is not NULL. */
static void add_field(GString *out, const char *name, const char *rest)
{
    g_autofree char *field = name ? g_strconcat(name, "=", rest, NULL) : g_strdup(rest);
    g_auto(GStrv) parts = g_strsplit(field, "\"", -1);
    g_autofree char *quoted = g_strjoinv("\"\"", parts);
    g_string_append_printf(out, "%s\"%s\"", out->len ? "," : "", quoted);
}

/* A directory is src= where a cache is read and dest= where it is written; here it is either. */
static char *respell_reference(enum cache_use use, char **fields)
{
    const char *name = use == CACHE_READ ? "src" : "dest";
    g_autoptr(GString) out = g_string_new(NULL);
    for (char **f = fields; *f; f++) {
        const char *eq = strchr(*f, '=');
        gboolean directory = g_str_has_prefix(*f, "src=") || g_str_has_prefix(*f, "dest=");
        add_field(out, directory ? name : NULL, directory ? eq + 1 : *f);
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

struct cache_spec *manage_parse(enum cache_use use, const char *text, char **env, GPtrArray *notes,
                                GError **err)
{
    g_autofree char *dir = is_path(text) ? g_strconcat("src=", text, NULL) : NULL;
    g_auto(GStrv) fields = dir ? NULL : csv_split(text, err);
    char *local[] = {(char *)"type=local", dir, NULL};
    if (!dir && !fields) {
        g_prefix_error(err, "%s: ", text);
        error_as_usage(err);
        return NULL;
    }
    g_autofree char *spelled = respell_reference(use, dir ? local : fields);
    struct cache_spec *s = cache_spec_parse(use, spelled, env, notes, err);
    if (!s)
        error_add_next(err, "REF is an image name, a directory like ./cache, or what --cache-from "
                            "takes: type=s3,bucket=…");
    return s;
}

static guint64 own_layer_size(const struct cache_segment *s, const struct cache_record *r)
{
    return r->n_layers ? segment_layer(s, r->layers[r->n_layers - 1])->blob.size : 0;
}

static guint64 packs_size(const struct cache_mount_ref *m)
{
    guint64 sum = m->manifest.size;
    for (guint i = 0; i < m->packs->len; i++)
        sum += ((const struct descriptor *)g_ptr_array_index(m->packs, i))->size;
    return sum;
}

/* Of entries that were used in the same second, first those that others stand on; mounts last. */
static gint used_last_first(gconstpointer a, gconstpointer b)
{
    const struct manage_entry *x = a, *y = b;
    guint deep_x = x->record ? x->record->n_layers : G_MAXUINT,
          deep_y = y->record ? y->record->n_layers : G_MAXUINT;
    if (x->used != y->used)
        return x->used > y->used ? -1 : 1;
    return deep_x != deep_y ? (deep_x < deep_y ? -1 : 1) : 0;
}

GArray *manage_entries(const struct cache_segment *s)
{
    GArray *out = g_array_new(FALSE, TRUE, sizeof(struct manage_entry));
    for (guint i = 0; i < s->records->len; i++) {
        const struct cache_record *r = g_ptr_array_index(s->records, i);
        struct manage_entry e = {
            .record = r, .used = MAX(r->used, r->created), .size = own_layer_size(s, r)};
        g_array_append_val(out, e);
    }
    for (guint i = 0; i < s->mounts->len; i++) {
        const struct cache_mount_ref *m = g_ptr_array_index(s->mounts, i);
        struct manage_entry e = {.mount = m, .used = m->created, .size = packs_size(m)};
        g_array_append_val(out, e);
    }
    g_array_sort(out, used_last_first);
    return out;
}

guint64 manage_bytes(const struct cache_segment *s)
{
    guint64 sum = 0;
    g_autoptr(GPtrArray) blobs = segment_blobs(s);
    for (guint i = 0; i < blobs->len; i++)
        sum += ((const struct descriptor *)g_ptr_array_index(blobs, i))->size;
    return sum;
}

void manage_adopt(struct cache_segment *into, const struct cache_segment *from,
                  const struct manage_entry *e)
{
    if (e->record)
        segment_adopt(into, from, e->record);
    else
        segment_adopt_mount(into, e->mount);
}

GPtrArray *manage_blobs(const struct cache_segment *from, const struct manage_entry *e)
{
    g_autoptr(cache_segment) one = segment_new();
    GPtrArray *out = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    manage_adopt(one, from, e);
    g_autoptr(GPtrArray) blobs = segment_blobs(one);
    for (guint i = 0; i < blobs->len; i++)
        g_ptr_array_add(out, descriptor_copy(g_ptr_array_index(blobs, i)));
    return out;
}

void manage_mark_lost(const struct cache_segment *s, GArray *entries, const GPtrArray *problems)
{
    g_autoptr(GHashTable) bad = g_hash_table_new(digest_ghash, digest_gequal);
    for (guint i = 0; i < problems->len; i++)
        g_hash_table_add(bad, &((struct manage_problem *)g_ptr_array_index(problems, i))->digest);
    for (guint i = 0; i < entries->len && problems->len > 0; i++) {
        struct manage_entry *e = &g_array_index(entries, struct manage_entry, i);
        g_autoptr(GPtrArray) blobs = manage_blobs(s, e);
        for (guint k = 0; k < blobs->len; k++)
            e->lost |= g_hash_table_contains(
                bad, &((const struct descriptor *)g_ptr_array_index(blobs, k))->digest);
    }
}

static gboolean publish_part(struct cache_backend *b, struct cache_segment *part, GError **err)
{
    part->created = g_get_real_time() / G_USEC_PER_SEC;
    g_autoptr(GPtrArray) blobs = segment_blobs(part);
    g_autoptr(GBytes) bytes = segment_write(part);
    return b->publish(b, bytes, blobs, err);
}

gboolean manage_publish(struct cache_backend *b, const struct cache_segment *from,
                        const GArray *entries, const GPtrArray *supersedes, GError **err)
{
    g_autoptr(cache_segment) part = segment_new();
    for (guint i = 0; i < entries->len; i++) {
        const struct manage_entry *e = &g_array_index(entries, struct manage_entry, i);
        if (part->layers->len + part->mounts->len >= PART_MAX ||
            segment_weight(part) >= CACHE_SEGMENT_WEIGHT) {
            if (!publish_part(b, part, err))
                return FALSE;
            segment_free(part);
            part = segment_new();
        }
        manage_adopt(part, from, e);
    }
    for (guint i = 0; supersedes && i < supersedes->len; i++)
        g_ptr_array_add(
            part->supersedes,
            g_strdup(((const struct cache_listed *)g_ptr_array_index(supersedes, i))->name));
    return publish_part(b, part, err);
}
