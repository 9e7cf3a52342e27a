/* Format, little endian: magic "varvsta2", u32 items, u32 CRC-32 of all that follows the header,
 * u64 bytes of the string area; then one record of 88 bytes per item, sorted by entry_path_cmp;
 * then the string area, paths ended by NUL. A file that fails the check counts as empty: a wrong
 * digest in it would make every build of its context fail. */
#include "tree/statcache.h"

#include <libdeflate.h>
#include <string.h>

#define MAGIC "varvsta2"

struct header {
    char magic[8];
    guint32 n;       /* records */
    guint32 crc;     /* of what follows the header */
    guint64 strings; /* bytes of the string area */
};
struct record {
    guint32 path;  /* offset in the string area */
    guint32 flags; /* FLAG_* */
    guint64 size;  /* of the file */
    gint64 mtime;  /* nanoseconds */
    gint64 ctime;  /* nanoseconds */
    guint64 dev;   /* device */
    guint64 ino;   /* inode */
    guint8 digest[32];
    guint64 zero; /* unused */
};
#define FLAG_XATTRS 1

static guint32 checksum(gconstpointer file, gsize len)
{
    const struct header *h = file;
    return libdeflate_crc32(0, h + 1, len - sizeof *h);
}

guint statcache_len(GBytes *bytes)
{
    gsize len;
    const struct header *h = g_bytes_get_data(bytes, &len);
    if (len < sizeof *h || memcmp(h->magic, MAGIC, sizeof h->magic) != 0)
        return 0;
    guint n = GUINT32_FROM_LE(h->n);
    guint64 strings = GUINT64_FROM_LE(h->strings), records = (guint64)n * sizeof(struct record);
    if (records > len - sizeof *h || strings != len - sizeof *h - records)
        return 0;
    if (strings == 0 || ((const char *)h)[len - 1] != '\0')
        return 0;
    return checksum(h, len) == GUINT32_FROM_LE(h->crc) ? n : 0;
}

gboolean statcache_at(GBytes *bytes, guint i, struct statcache_item *out)
{
    const struct header *h = g_bytes_get_data(bytes, NULL);
    const struct record *r = (const struct record *)(h + 1) + i;
    const char *strings = (const char *)((const struct record *)(h + 1) + GUINT32_FROM_LE(h->n));
    guint32 path = GUINT32_FROM_LE(r->path);
    if (path >= GUINT64_FROM_LE(h->strings))
        return FALSE;
    out->path = strings + path;
    out->size = GUINT64_FROM_LE(r->size);
    out->mtime_ns = GINT64_FROM_LE(r->mtime);
    out->st.ctime_ns = GINT64_FROM_LE(r->ctime);
    out->st.dev = GUINT64_FROM_LE(r->dev);
    out->st.ino = GUINT64_FROM_LE(r->ino);
    memcpy(out->digest.b, r->digest, sizeof r->digest);
    out->has_xattrs = (GUINT32_FROM_LE(r->flags) & FLAG_XATTRS) != 0;
    return TRUE;
}

static void append_record(GByteArray *out, const struct statcache_item *item, guint32 path)
{
    struct record r = {
        .path = GUINT32_TO_LE(path),
        .flags = GUINT32_TO_LE(item->has_xattrs ? FLAG_XATTRS : 0),
        .size = GUINT64_TO_LE(item->size),
        .mtime = GINT64_TO_LE(item->mtime_ns),
        .ctime = GINT64_TO_LE(item->st.ctime_ns),
        .dev = GUINT64_TO_LE(item->st.dev),
        .ino = GUINT64_TO_LE(item->st.ino),
    };
    memcpy(r.digest, item->digest.b, sizeof r.digest);
    g_byte_array_append(out, (const guint8 *)&r, sizeof r);
}

GBytes *statcache_build(const GArray *items)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    struct header h = {.magic = MAGIC, .n = GUINT32_TO_LE(items->len)};
    guint64 strings = 0;
    for (guint i = 0; i < items->len; i++)
        strings += strlen(g_array_index(items, struct statcache_item, i).path) + 1;
    if (strings > G_MAXUINT32)
        return NULL;
    h.strings = GUINT64_TO_LE(strings);
    g_byte_array_append(out, (const guint8 *)&h, sizeof h);
    guint32 at = 0;
    for (guint i = 0; i < items->len; i++) {
        const struct statcache_item *item = &g_array_index(items, struct statcache_item, i);
        append_record(out, item, at);
        at += strlen(item->path) + 1;
    }
    for (guint i = 0; i < items->len; i++) {
        const char *path = g_array_index(items, struct statcache_item, i).path;
        g_byte_array_append(out, (const guint8 *)path, strlen(path) + 1);
    }
    ((struct header *)out->data)->crc = GUINT32_TO_LE(checksum(out->data, out->len));
    return g_byte_array_free_to_bytes(g_steal_pointer(&out));
}
