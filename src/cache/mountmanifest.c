/* Format of a manifest: zstd of the magic "varvmnt1", then numbers as LEB128 (signed ones zigzag):
 * how many packs, contents and entries there are, then
 *
 *  - packs, sorted: digest (32 bytes), bytes of the blob, bytes uncompressed
 *  - contents, sorted by pack and offset, not overlapping: digest, pack, offset, length
 *  - entries in path order, "" first: bytes of the path that it has in common with the one before,
 *    bytes that follow, these; type (enum entry_type), mode, uid, gid, mtime in nanoseconds, last
 *    use in seconds; a file: number of its content + 1 or 0 (empty), and entries back to the first
 *    of its names or 0; a symlink: bytes of its text, these. */
#include "cache/mountmanifest.h"

#include <string.h>
#include <zstd.h>

#define MANIFEST_LEVEL 3 /* most of it are digests */

struct mount_manifest *mount_manifest_new(void)
{
    struct mount_manifest *m = g_new0(struct mount_manifest, 1);
    m->packs = g_array_new(FALSE, FALSE, sizeof(struct mount_pack));
    m->contents = g_array_new(FALSE, FALSE, sizeof(struct mount_content));
    m->entries = g_array_new(FALSE, FALSE, sizeof(struct mount_entry));
    m->text = g_string_chunk_new(4096);
    m->known = g_hash_table_new(digest_ghash, digest_gequal);
    return m;
}

void mount_manifest_free(struct mount_manifest *m)
{
    if (!m)
        return;
    g_hash_table_unref(m->known);
    g_array_unref(m->packs);
    g_array_unref(m->contents);
    g_array_unref(m->entries);
    g_string_chunk_free(m->text);
    if (m->bytes)
        g_bytes_unref(m->bytes);
    g_free(m);
}

guint64 mount_entry_size(const struct mount_manifest *m, const struct mount_entry *e)
{
    return e->type == ENTRY_FILE && e->content != MOUNT_NONE
               ? mount_content_at(m, e->content)->length
               : 0;
}

guint64 mount_manifest_files(const struct mount_manifest *m, guint64 *bytes)
{
    guint64 files = 0, sum = 0;
    for (guint i = 0; i < m->entries->len; i++) {
        const struct mount_entry *e = mount_entry_at(m, i);
        files += e->type == ENTRY_FILE;
        sum += e->leader == MOUNT_NONE ? mount_entry_size(m, e) : 0;
    }
    if (bytes)
        *bytes = sum;
    return files;
}

struct descriptor *mount_pack_descriptor(const struct mount_pack *p)
{
    struct descriptor *d = g_new0(struct descriptor, 1);
    d->media_type = g_strdup(CACHE_PACK_TYPE);
    d->digest = p->digest;
    d->size = p->size;
    return d;
}

GPtrArray *mount_manifest_packs(const struct mount_manifest *m)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    for (guint i = 0; i < m->packs->len; i++)
        g_ptr_array_add(all, mount_pack_descriptor(mount_pack_at(m, i)));
    return all;
}

gboolean mount_manifest_know(struct mount_manifest *m)
{
    g_hash_table_remove_all(m->known);
    for (guint i = 0; i < m->contents->len; i++)
        if (!g_hash_table_insert(m->known, &mount_content_at(m, i)->digest,
                                 GUINT_TO_POINTER(i + 1)))
            return FALSE;
    return TRUE;
}

guint32 mount_manifest_find(const struct mount_manifest *m, const struct digest *d)
{
    guint number = GPOINTER_TO_UINT(g_hash_table_lookup(m->known, d));
    return number ? number - 1 : MOUNT_NONE;
}

struct mount_entry *mount_manifest_entry(const struct mount_manifest *m, const char *path)
{
    guint lo = 0, hi = m->entries->len;
    while (lo < hi) {
        guint mid = lo + (hi - lo) / 2;
        int c = entry_path_cmp(path, mount_entry_at(m, mid)->path);
        if (c == 0)
            return mount_entry_at(m, mid);
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

static void put_uint(GByteArray *out, guint64 v)
{
    guint8 b[10];
    guint n = 0;
    for (; v >= 0x80; v >>= 7)
        b[n++] = v | 0x80;
    b[n++] = v;
    g_byte_array_append(out, b, n);
}

static void put_int(GByteArray *out, gint64 v)
{
    put_uint(out, ((guint64)v << 1) ^ (v < 0 ? G_MAXUINT64 : 0));
}

static void put_digest(GByteArray *out, const struct digest *d)
{
    g_byte_array_append(out, d->b, sizeof d->b);
}

static gsize common_bytes(const char *a, const char *b)
{
    gsize n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

static void put_entry(GByteArray *out, const struct mount_entry *e, guint i, const char *before)
{
    gsize same = common_bytes(before, e->path), rest = strlen(e->path) - same;
    put_uint(out, same);
    put_uint(out, rest);
    g_byte_array_append(out, (const guint8 *)e->path + same, rest);
    put_uint(out, e->type);
    put_uint(out, e->mode);
    put_uint(out, e->uid);
    put_uint(out, e->gid);
    put_int(out, e->mtime_ns);
    put_int(out, e->used);
    if (e->type == ENTRY_FILE) {
        put_uint(out, e->content == MOUNT_NONE ? 0 : (guint64)e->content + 1);
        put_uint(out, e->leader == MOUNT_NONE ? 0 : i - e->leader);
    } else if (e->type == ENTRY_SYMLINK) {
        put_uint(out, strlen(e->target));
        g_byte_array_append(out, (const guint8 *)e->target, strlen(e->target));
    }
}

static GByteArray *manifest_text(const struct mount_manifest *m)
{
    GByteArray *out = g_byte_array_new();
    g_byte_array_append(out, (const guint8 *)MOUNT_MAGIC, strlen(MOUNT_MAGIC));
    put_uint(out, m->packs->len);
    put_uint(out, m->contents->len);
    put_uint(out, m->entries->len);
    for (guint i = 0; i < m->packs->len; i++) {
        const struct mount_pack *p = mount_pack_at(m, i);
        put_digest(out, &p->digest);
        put_uint(out, p->size);
        put_uint(out, p->raw);
    }
    for (guint i = 0; i < m->contents->len; i++) {
        const struct mount_content *c = mount_content_at(m, i);
        put_digest(out, &c->digest);
        put_uint(out, c->pack);
        put_uint(out, c->offset);
        put_uint(out, c->length);
    }
    const char *before = "";
    for (guint i = 0; i < m->entries->len; i++) {
        put_entry(out, mount_entry_at(m, i), i, before);
        before = mount_entry_at(m, i)->path;
    }
    return out;
}

void mount_manifest_write(struct mount_manifest *m)
{
    g_autoptr(GByteArray) raw = manifest_text(m);
    gsize room = ZSTD_compressBound(raw->len);
    guint8 *out = g_malloc(room);
    gsize n = ZSTD_compress(out, room, raw->data, raw->len, MANIFEST_LEVEL);
    g_assert(!ZSTD_isError(n)); /* there is room enough */
    m->bytes = g_bytes_new_take(g_realloc(out, n), n);
}

static gint pack_order(gconstpointer a, gconstpointer b)
{
    const struct mount_pack *p = a, *q = b;
    int c = digest_cmp(&p->digest, &q->digest);
    if (c == 0)
        c = (p->size > q->size) - (p->size < q->size);
    return c ? c : (p->raw > q->raw) - (p->raw < q->raw);
}

static gint content_order(gconstpointer a, gconstpointer b)
{
    const struct mount_content *p = a, *q = b;
    if (p->pack != q->pack)
        return p->pack < q->pack ? -1 : 1;
    return (p->offset > q->offset) - (p->offset < q->offset);
}

/* A value with the number that it had before it was sorted. */
struct numbered {
    union {
        struct mount_pack pack;
        struct mount_content content;
    }; /* first: compared by the orders above */
    guint32 was;
};

/* Sorts items, of which used[i] are wanted, and leaves in used[i] the new number of each. */
static void sort_numbered(GArray *items, gsize size, guint32 *used, GCompareFunc order)
{
    g_autoptr(GArray) all = g_array_new(FALSE, TRUE, sizeof(struct numbered));
    for (guint i = 0; i < items->len; i++) {
        struct numbered n = {.was = i};
        memcpy(&n, items->data + i * size, size);
        if (used[i])
            g_array_append_val(all, n);
    }
    g_array_sort(all, order);
    g_array_set_size(items, 0);
    for (guint i = 0; i < all->len; i++) {
        const struct numbered *n = &g_array_index(all, struct numbered, i);
        used[n->was] = i;
        g_array_append_vals(items, n, 1);
    }
}

static void seal_contents(struct mount_manifest *m, guint32 *used)
{
    sort_numbered(m->contents, sizeof(struct mount_content), used, content_order);
    for (guint i = 0; i < m->entries->len; i++) {
        struct mount_entry *e = mount_entry_at(m, i);
        if (e->type == ENTRY_FILE && e->content != MOUNT_NONE)
            e->content = used[e->content];
    }
}

void mount_manifest_seal(struct mount_manifest *m)
{
    g_autofree guint32 *contents = g_new0(guint32, m->contents->len + 1);
    g_autofree guint32 *packs = g_new0(guint32, m->packs->len + 1);
    for (guint i = 0; i < m->entries->len; i++) {
        const struct mount_entry *e = mount_entry_at(m, i);
        if (e->type != ENTRY_FILE || e->content == MOUNT_NONE)
            continue;
        contents[e->content] = TRUE;
        packs[mount_content_at(m, e->content)->pack] = TRUE;
    }
    sort_numbered(m->packs, sizeof(struct mount_pack), packs, pack_order);
    for (guint i = 0; i < m->contents->len; i++)
        if (contents[i])
            mount_content_at(m, i)->pack = packs[mount_content_at(m, i)->pack];
    seal_contents(m, contents);
    mount_manifest_know(m);
}

static gboolean same_entry(const struct mount_entry *a, const struct mount_entry *b)
{
    return a->type == b->type && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
           a->content == b->content && a->leader == b->leader && a->mtime_ns == b->mtime_ns &&
           strcmp(a->path, b->path) == 0 && g_strcmp0(a->target, b->target) == 0;
}

static gboolean same_content(const struct mount_content *a, const struct mount_content *b)
{
    return a->pack == b->pack && a->offset == b->offset && a->length == b->length &&
           digest_cmp(&a->digest, &b->digest) == 0;
}

gboolean mount_manifest_same(const struct mount_manifest *a, const struct mount_manifest *b)
{
    if (a->packs->len != b->packs->len || a->contents->len != b->contents->len ||
        a->entries->len != b->entries->len)
        return FALSE;
    for (guint i = 0; i < a->packs->len; i++)
        if (pack_order(mount_pack_at(a, i), mount_pack_at(b, i)) != 0)
            return FALSE;
    for (guint i = 0; i < a->contents->len; i++)
        if (!same_content(mount_content_at(a, i), mount_content_at(b, i)))
            return FALSE;
    for (guint i = 0; i < a->entries->len; i++)
        if (!same_entry(mount_entry_at(a, i), mount_entry_at(b, i)))
            return FALSE;
    return TRUE;
}
