/* Reading a manifest from outside (mountmanifest.c describes the format). All that an import relies
 * on is checked here: each entry lies in a directory listed before it, so that no path leads
 * through a symlink; contents lie inside their packs; what all of it unpacks to is limited. */
#include "cache/mountmanifest.h"

#include "base/error.h"
#include "layer/decompress.h"
#include "tree/walk.h"

#include <string.h>

#define READ_CHUNK (64 * 1024)
#define MAX_NAME 255 /* bytes of one component of a path: the kernel's limit */
/* The fewest bytes that one takes. */
#define MIN_PACK (sizeof(struct digest) + 2)
#define MIN_CONTENT (sizeof(struct digest) + 3)
#define MIN_ENTRY 8

struct manifest_reader {
    const guint8 *at, *end;   /* what is left to read */
    gboolean bad;             /* it ended too early, or a number is too large */
    struct mount_manifest *m; /* being filled */
    GString *path;            /* of the entry before */
    GArray *dirs;             /* guint: entries of the directories above it, from the root down */
    guint64 text;             /* bytes of paths and targets so far */
    guint64 bytes;            /* of files so far */
};

static guint64 get_uint(struct manifest_reader *r)
{
    guint64 v = 0;
    for (guint shift = 0; shift < 64 && r->at < r->end; shift += 7) {
        guint8 b = *r->at++;
        if (shift == 63 && b > 1)
            break;
        v |= (guint64)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return v;
    }
    r->bad = TRUE;
    return 0;
}

static gint64 get_int(struct manifest_reader *r)
{
    guint64 v = get_uint(r);
    return (gint64)((v >> 1) ^ (v & 1 ? G_MAXUINT64 : 0));
}

static guint32 get_uint32(struct manifest_reader *r)
{
    guint64 v = get_uint(r);
    if (v > G_MAXUINT32)
        r->bad = TRUE;
    return (guint32)v;
}

/* The next len bytes, or NULL. */
static const guint8 *get_bytes(struct manifest_reader *r, guint64 len)
{
    const guint8 *p = r->at;
    if (r->bad || len > (guint64)(r->end - r->at)) {
        r->bad = TRUE;
        return NULL;
    }
    r->at += len;
    return p;
}

static void get_digest(struct manifest_reader *r, struct digest *out)
{
    const guint8 *p = get_bytes(r, sizeof out->b);
    if (p)
        memcpy(out->b, p, sizeof out->b);
}

static gboolean cut_short(GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "it is cut short or malformed");
}

/* How many of something there are: never more than the bytes left can hold. */
static gboolean get_count(struct manifest_reader *r, gsize least, guint64 max, const char *what,
                          guint *out, GError **err)
{
    guint64 n = get_uint(r);
    if (n > max)
        return error_set(err, VARVE_ERROR_INVALID,
                         "it has %" G_GUINT64_FORMAT " %s, at most %" G_GUINT64_FORMAT
                         " are allowed",
                         n, what, max);
    *out = (guint)n;
    return n * least <= (guint64)(r->end - r->at) || cut_short(err);
}

static gboolean read_packs(struct manifest_reader *r, guint n, GError **err)
{
    guint64 sum = 0;
    for (guint i = 0; i < n; i++) {
        struct mount_pack p = {0};
        get_digest(r, &p.digest);
        p.size = get_uint(r);
        p.raw = get_uint(r);
        if (r->bad)
            return cut_short(err);
        if (p.raw > MOUNT_MAX_BYTES - sum || p.size > MOUNT_MAX_BYTES)
            return error_set(err, VARVE_ERROR_INVALID,
                             "its packs have more than %" G_GUINT64_FORMAT " bytes",
                             MOUNT_MAX_BYTES);
        sum += p.raw;
        g_array_append_val(r->m->packs, p);
    }
    return TRUE;
}

static gboolean read_contents(struct manifest_reader *r, guint n, GError **err)
{
    guint32 pack = 0;
    guint64 end = 0;
    for (guint i = 0; i < n; i++) {
        struct mount_content c = {0};
        get_digest(r, &c.digest);
        c.pack = get_uint32(r);
        c.offset = get_uint(r);
        c.length = get_uint(r);
        if (r->bad)
            return cut_short(err);
        if (c.pack >= r->m->packs->len)
            return error_set(err, VARVE_ERROR_INVALID, "content %u is in pack %u of %u", i, c.pack,
                             r->m->packs->len);
        guint64 raw = mount_pack_at(r->m, c.pack)->raw;
        if (c.length == 0 || c.offset > raw || c.length > raw - c.offset)
            return error_set(err, VARVE_ERROR_INVALID, "content %u lies outside of its pack", i);
        if (c.pack < pack || (c.pack == pack && c.offset < end))
            return error_set(err, VARVE_ERROR_INVALID, "contents %u and %u overlap", i - 1, i);
        pack = c.pack;
        end = c.offset + c.length;
        g_array_append_val(r->m->contents, c);
    }
    return mount_manifest_know(r->m) ||
           error_set(err, VARVE_ERROR_INVALID, "it has a content twice");
}

static gboolean count_text(struct manifest_reader *r, guint64 len, GError **err)
{
    r->text += len + 1;
    return r->text <= MOUNT_MAX_TEXT ||
           error_set(err, VARVE_ERROR_INVALID, "its paths have more than %d bytes", MOUNT_MAX_TEXT);
}

/* Whether name is a component of a path that stays where it is put. */
static gboolean is_plain_name(const char *name, gsize len)
{
    return len > 0 && len <= MAX_NAME && !(len == 1 && name[0] == '.') &&
           !(len == 2 && name[0] == '.' && name[1] == '.');
}

static gboolean is_plain_path(const char *path)
{
    for (const char *p = path;;) {
        const char *slash = strchrnul(p, '/');
        if (!is_plain_name(p, slash - p))
            return FALSE;
        if (!*slash)
            return TRUE;
        p = slash + 1;
    }
}

/* Takes directories off the stack until path lies in the last. FALSE: it lies in none. */
static gboolean find_parent(struct manifest_reader *r, const char *path)
{
    const char *slash = strrchr(path, '/');
    gsize len = slash ? slash - path : 0;
    while (r->dirs->len > 0) {
        guint last = g_array_index(r->dirs, guint, r->dirs->len - 1);
        const char *dir = mount_entry_at(r->m, last)->path;
        if (strlen(dir) == len && strncmp(dir, path, len) == 0)
            return TRUE;
        g_array_set_size(r->dirs, r->dirs->len - 1);
    }
    return FALSE;
}

static gboolean check_place(struct manifest_reader *r, const char *path, GError **err)
{
    guint n = r->m->entries->len;
    if (n == 0)
        return !*path || error_set(err, VARVE_ERROR_INVALID, "its first entry is not the root");
    g_autofree char *shown = g_strescape(path, NULL);
    if (!is_plain_path(path))
        return error_set(err, VARVE_ERROR_INVALID, "\"%.200s\" is not a path inside of it", shown);
    if (entry_path_cmp(mount_entry_at(r->m, n - 1)->path, path) >= 0)
        return error_set(err, VARVE_ERROR_INVALID, "\"%.200s\" is there twice or out of order",
                         shown);
    if (!find_parent(r, path))
        return error_set(err, VARVE_ERROR_INVALID, "\"%.200s\" is not in a directory", shown);
    return r->dirs->len <= WALK_MAX_DEPTH + 1 ||
           error_set(err, VARVE_ERROR_INVALID, "\"%.200s\" is more than %d directories deep", shown,
                     WALK_MAX_DEPTH);
}

static const char *read_path(struct manifest_reader *r, GError **err)
{
    guint64 same = get_uint(r), len = get_uint(r);
    const guint8 *rest = get_bytes(r, len);
    if (!rest || same > r->path->len || memchr(rest, 0, len)) {
        cut_short(err);
        return NULL;
    }
    if (same + len > WALK_MAX_PATH) {
        error_set(err, VARVE_ERROR_INVALID, "it has a path of more than %d bytes", WALK_MAX_PATH);
        return NULL;
    }
    g_string_truncate(r->path, same);
    g_string_append_len(r->path, (const char *)rest, len);
    if (!count_text(r, r->path->len, err) || !check_place(r, r->path->str, err))
        return NULL;
    return g_string_chunk_insert_len(r->m->text, r->path->str, r->path->len);
}

static gboolean read_target_text(struct manifest_reader *r, struct mount_entry *e, GError **err)
{
    guint64 len = get_uint(r);
    const guint8 *text = get_bytes(r, len);
    if (!text || len == 0 || len > WALK_MAX_PATH || memchr(text, 0, len))
        return cut_short(err);
    e->target = g_string_chunk_insert_len(r->m->text, (const char *)text, len);
    return count_text(r, len, err);
}

static gboolean read_file(struct manifest_reader *r, struct mount_entry *e, GError **err)
{
    guint64 content = get_uint(r), back = get_uint(r);
    if (r->bad || content > r->m->contents->len || back > r->m->entries->len)
        return cut_short(err);
    e->content = content ? content - 1 : MOUNT_NONE;
    if (back) {
        e->leader = r->m->entries->len - back;
        const struct mount_entry *l = mount_entry_at(r->m, e->leader);
        if (l->type != ENTRY_FILE || l->leader != MOUNT_NONE || l->content != e->content)
            return error_set(err, VARVE_ERROR_INVALID, "entry %u is a link to something else",
                             r->m->entries->len);
        return TRUE;
    }
    r->bytes += mount_entry_size(r->m, e);
    return r->bytes <= MOUNT_MAX_BYTES ||
           error_set(err, VARVE_ERROR_INVALID,
                     "its files have more than %" G_GUINT64_FORMAT " bytes", MOUNT_MAX_BYTES);
}

static gboolean read_attributes(struct manifest_reader *r, struct mount_entry *e, GError **err)
{
    guint64 type = get_uint(r);
    e->mode = get_uint32(r);
    e->uid = get_uint32(r);
    e->gid = get_uint32(r);
    e->mtime_ns = get_int(r);
    e->used = get_int(r);
    if (r->bad)
        return cut_short(err);
    if (type < ENTRY_FILE || type > ENTRY_SYMLINK || (!*e->path && type != ENTRY_DIR))
        return error_set(err, VARVE_ERROR_INVALID, "entry %u has the type %" G_GUINT64_FORMAT,
                         r->m->entries->len, type);
    if (e->mode > 07777 || e->uid == G_MAXUINT32 || e->gid == G_MAXUINT32)
        return error_set(err, VARVE_ERROR_INVALID, "entry %u has a wrong mode or owner",
                         r->m->entries->len);
    e->type = type;
    return TRUE;
}

static gboolean read_entry(struct manifest_reader *r, GError **err)
{
    struct mount_entry e = {.content = MOUNT_NONE, .leader = MOUNT_NONE};
    e.path = read_path(r, err);
    if (!e.path || !read_attributes(r, &e, err))
        return FALSE;
    if (e.type == ENTRY_FILE && !read_file(r, &e, err))
        return FALSE;
    if (e.type == ENTRY_SYMLINK && !read_target_text(r, &e, err))
        return FALSE;
    guint number = r->m->entries->len;
    g_array_append_val(r->m->entries, e);
    if (e.type == ENTRY_DIR)
        g_array_append_val(r->dirs, number);
    return TRUE;
}

static gboolean read_manifest(struct manifest_reader *r, GError **err)
{
    guint packs, contents, entries;
    const guint8 *magic = get_bytes(r, strlen(MOUNT_MAGIC));
    if (!magic || memcmp(magic, MOUNT_MAGIC, strlen(MOUNT_MAGIC)) != 0)
        return error_set(err, VARVE_ERROR_INVALID, "it is something else");
    if (!get_count(r, MIN_PACK, MOUNT_MAX_PACKS, "packs", &packs, err) ||
        !get_count(r, MIN_CONTENT, MOUNT_MAX_ENTRIES, "contents", &contents, err) ||
        !get_count(r, MIN_ENTRY, MOUNT_MAX_ENTRIES, "entries", &entries, err) ||
        !read_packs(r, packs, err) || !read_contents(r, contents, err))
        return FALSE;
    for (guint i = 0; i < entries; i++)
        if (!read_entry(r, err))
            return FALSE;
    if (entries == 0 || r->at != r->end)
        return cut_short(err);
    return TRUE;
}

struct byte_source {
    const guint8 *at; /* not read yet */
    gsize left;       /* bytes there */
};

static gssize read_source(gpointer ctx, void *buf, gsize len, GError **err)
{
    struct byte_source *s = ctx;
    gsize n = MIN(len, s->left);
    memcpy(buf, s->at, n);
    s->at += n;
    s->left -= n;
    return n;
}

static GByteArray *manifest_unpack(GBytes *bytes, GError **err)
{
    struct byte_source source;
    source.at = g_bytes_get_data(bytes, &source.left);
    if (source.left == 0 || source.left > MOUNT_MAX_MANIFEST) {
        error_set(err, VARVE_ERROR_INVALID, "it has %zu bytes, at most %d are allowed", source.left,
                  MOUNT_MAX_MANIFEST);
        return NULL;
    }
    g_autoptr(decompress) d = decompress_new(read_source, &source);
    g_autoptr(GByteArray) out = g_byte_array_sized_new(READ_CHUNK);
    g_autofree guint8 *buf = g_malloc(READ_CHUNK);
    for (gssize n; (n = decompress_read(d, buf, READ_CHUNK, err)) != 0;) {
        if (n < 0)
            return NULL;
        if (out->len + n > MOUNT_MAX_TEXT) {
            error_set(err, VARVE_ERROR_INVALID, "it has more than %d bytes", MOUNT_MAX_TEXT);
            return NULL;
        }
        g_byte_array_append(out, buf, n);
    }
    return g_steal_pointer(&out);
}

struct mount_manifest *mount_manifest_parse(GBytes *bytes, GError **err)
{
    g_autoptr(GByteArray) raw = manifest_unpack(bytes, err);
    g_autoptr(mount_manifest) m = mount_manifest_new();
    struct manifest_reader r = {.m = m};
    gboolean ok = FALSE;
    if (raw) {
        r.at = raw->data;
        r.end = raw->data + raw->len;
        r.path = g_string_new(NULL);
        r.dirs = g_array_new(FALSE, FALSE, sizeof(guint));
        ok = read_manifest(&r, err);
        g_string_free(r.path, TRUE);
        g_array_unref(r.dirs);
    }
    if (!ok) {
        g_prefix_error(err, "cannot read an exported cache mount: ");
        return NULL;
    }
    m->bytes = g_bytes_ref(bytes);
    return g_steal_pointer(&m);
}
