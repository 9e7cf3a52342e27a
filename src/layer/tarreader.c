#include "layer/tarreader.h"

#include "base/error.h"
#include "layer/tarnumber.h"
#include "layer/tarpax.h"

#include <string.h>

#define BLOCK 512
#define MAX_SEGMENTS 100000

/* Offsets of the header's fields (POSIX ustar; GNU's where it differs). */
enum {
    AT_NAME = 0,
    AT_MODE = 100,
    AT_UID = 108,
    AT_GID = 116,
    AT_SIZE = 124,
    AT_MTIME = 136,
    AT_CHECKSUM = 148,
    AT_TYPE = 156,
    AT_LINK = 157,
    AT_MAGIC = 257,
    AT_MAJOR = 329,
    AT_MINOR = 337,
    AT_PREFIX = 345,
    AT_GNU_SPARSE = 386,
    AT_GNU_EXTENDED = 482,
    AT_GNU_REALSIZE = 483,
    AT_STAR_TRAILER = 508,
};

struct tarreader {
    struct ring *ring;
    gsize taken;                  /* bytes of the last span, consumed at the next call */
    guint64 left;                 /* stored bytes of this entry not read yet */
    gsize padding;                /* bytes after them up to the next block */
    struct tar_header h;          /* of this entry */
    struct tarpax pax;            /* records in front of it */
    GString *path, *link;         /* names built here */
    GString *gnu_path, *gnu_link; /* 'L' and 'K' entries in front of it; empty: none */
    GArray *segments;             /* struct tar_segment of a sparse file */
    guint8 block[BLOCK];
};

struct tarreader *tarreader_new(struct ring *from)
{
    struct tarreader *r = g_new0(struct tarreader, 1);
    r->ring = from;
    tarpax_init(&r->pax);
    r->path = g_string_new(NULL);
    r->link = g_string_new(NULL);
    r->gnu_path = g_string_new(NULL);
    r->gnu_link = g_string_new(NULL);
    r->segments = g_array_new(FALSE, FALSE, sizeof(struct tar_segment));
    return r;
}

void tarreader_free(struct tarreader *r)
{
    if (!r)
        return;
    tarpax_clear(&r->pax);
    g_string_free(r->path, TRUE);
    g_string_free(r->link, TRUE);
    g_string_free(r->gnu_path, TRUE);
    g_string_free(r->gnu_link, TRUE);
    g_array_unref(r->segments);
    g_free(r);
}

static gboolean cut_short(GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "the archive is cut short");
}

/* Copies exactly len bytes; *eof (may be NULL: an error then) when the stream ends before the
 * first. */
static gboolean take_bytes(struct tarreader *r, guint8 *to, gsize len, gboolean *eof, GError **err)
{
    for (gsize done = 0; done < len;) {
        gsize there;
        const guint8 *p = ring_peek(r->ring, &there, err);
        if (!p)
            return FALSE;
        if (!there && !done && eof) {
            *eof = TRUE;
            return TRUE;
        }
        if (!there)
            return cut_short(err);
        gsize n = MIN(there, len - done);
        memcpy(to + done, p, n);
        ring_consume(r->ring, n);
        done += n;
    }
    return TRUE;
}

static gboolean skip(struct tarreader *r, guint64 len, GError **err)
{
    while (len) {
        gsize there;
        const guint8 *p = ring_peek(r->ring, &there, err);
        if (!p)
            return FALSE;
        if (!there)
            return cut_short(err);
        gsize n = MIN(there, len);
        ring_consume(r->ring, n);
        len -= n;
    }
    return TRUE;
}

gboolean tarreader_drain(struct tarreader *r, GError **err)
{
    ring_consume(r->ring, r->taken);
    r->taken = 0;
    for (;;) {
        gsize there;
        if (!ring_peek(r->ring, &there, err))
            return FALSE;
        if (!there)
            return TRUE;
        ring_consume(r->ring, there);
    }
}

gboolean tarreader_data(struct tarreader *r, guint64 max, const guint8 **p, gsize *len,
                        GError **err)
{
    ring_consume(r->ring, r->taken);
    r->left -= r->taken;
    r->taken = 0;
    *len = 0;
    if (!r->left)
        return TRUE;
    gsize there;
    *p = ring_peek(r->ring, &there, err);
    if (!*p)
        return FALSE;
    if (!there)
        return cut_short(err);
    *len = r->taken = MIN(there, MIN(max, r->left));
    return TRUE;
}

static gboolean finish_entry(struct tarreader *r, GError **err)
{
    ring_consume(r->ring, r->taken);
    guint64 rest = r->left - r->taken + r->padding;
    r->taken = 0;
    r->left = 0;
    r->padding = 0;
    return skip(r, rest, err);
}

static void set_stored(struct tarreader *r, guint64 size)
{
    r->left = size;
    r->padding = (BLOCK - size % BLOCK) % BLOCK;
}

static gboolean all_zero(const guint8 *block)
{
    return block[0] == 0 && memcmp(block, block + 1, BLOCK - 1) == 0;
}

static gboolean checksum_ok(const guint8 *b)
{
    gint64 wanted, unsigned_sum = 8 * ' ', signed_sum = 8 * ' ';
    if (!tarnumber_field(b + AT_CHECKSUM, 8, &wanted))
        return FALSE;
    for (int i = 0; i < BLOCK; i++) {
        if (i >= AT_CHECKSUM && i < AT_CHECKSUM + 8)
            continue;
        unsigned_sum += b[i];
        signed_sum += (gint8)b[i];
    }
    return wanted == unsigned_sum || wanted == signed_sum;
}

static gboolean field(const struct tarreader *r, gsize at, gsize len, gint64 *out, GError **err)
{
    if (tarnumber_field(r->block + at, len, out))
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "a number in the header of \"%.100s\" is malformed",
                     (const char *)r->block + AT_NAME);
}

static void append_field(GString *s, const guint8 *b, gsize at, gsize len)
{
    g_string_append_len(s, (const char *)b + at, (gssize)strnlen((const char *)b + at, len));
}

/* ustar keeps the front of long names in a prefix; GNU and old headers have other things there. */
static void set_names(struct tarreader *r)
{
    const guint8 *b = r->block;
    gsize prefix = 0;
    if (!memcmp(b + AT_MAGIC, "ustar", 6))
        prefix = !memcmp(b + AT_STAR_TRAILER, "tar", 4) ? 131 : 155;
    g_string_truncate(r->path, 0);
    append_field(r->path, b, AT_PREFIX, prefix);
    if (r->path->len)
        g_string_append_c(r->path, '/');
    append_field(r->path, b, AT_NAME, 100);
    g_string_truncate(r->link, 0);
    append_field(r->link, b, AT_LINK, 100);
    r->h.path = r->path->str;
    r->h.linkpath = r->link->str;
    if (r->gnu_path->len)
        r->h.path = r->gnu_path->str;
    if (r->gnu_link->len)
        r->h.linkpath = r->gnu_link->str;
    if (r->pax.path)
        r->h.path = r->pax.path;
    if (r->pax.linkpath)
        r->h.linkpath = r->pax.linkpath;
    if (r->pax.sparse_name)
        r->h.path = r->pax.sparse_name;
}

static gboolean check_header_names(const struct tarreader *r, GError **err)
{
    if (strlen(r->h.path) < TAR_MAX_PATH && strlen(r->h.linkpath) < TAR_MAX_PATH)
        return TRUE;
    return error_set(err, VARVE_ERROR_INVALID, "the path \"%.64s…\" has more than %d bytes",
                     r->h.path, TAR_MAX_PATH - 1);
}

static gboolean set_type(struct tarreader *r, GError **err)
{
    char t = (char)r->block[AT_TYPE];
    gsize len = strlen(r->h.path);
    /* Before POSIX, a directory was a file whose name ends in '/'. */
    if (t == '\0' && len && r->h.path[len - 1] == '/')
        t = '5';
    if (t == '\0' || t == '7' || t == 'S')
        t = '0';
    r->h.type = t;
    if (t >= '0' && t <= '6')
        return TRUE;
    return error_set(err, VARVE_ERROR_UNSUPPORTED, "\"%s\" is an entry of unknown type (%d)",
                     r->h.path, t);
}

static gboolean set_ids(struct tarreader *r, GError **err)
{
    gint64 uid, gid, mode, major = 0, minor = 0;
    if (!field(r, AT_UID, 8, &uid, err) || !field(r, AT_GID, 8, &gid, err) ||
        !field(r, AT_MODE, 8, &mode, err))
        return FALSE;
    if ((r->h.type == '3' || r->h.type == '4') &&
        (!field(r, AT_MAJOR, 8, &major, err) || !field(r, AT_MINOR, 8, &minor, err)))
        return FALSE;
    if (r->pax.has_uid)
        uid = (gint64)r->pax.uid;
    if (r->pax.has_gid)
        gid = (gint64)r->pax.gid;
    if (uid < 0 || gid < 0 || uid >= G_MAXUINT32 || gid >= G_MAXUINT32 || major < 0 || minor < 0 ||
        major > 0xfff || minor > 0xfffff)
        return error_set(err, VARVE_ERROR_INVALID,
                         "the owner or device number of \"%s\" is out of range", r->h.path);
    r->h.uid = (guint32)uid;
    r->h.gid = (guint32)gid;
    r->h.mode = mode & 07777;
    r->h.devmajor = (guint32)major;
    r->h.devminor = (guint32)minor;
    return TRUE;
}

static gboolean set_mtime(struct tarreader *r, GError **err)
{
    gint64 seconds;
    if (r->pax.has_mtime) {
        r->h.mtime_ns = r->pax.mtime_ns;
        return TRUE;
    }
    if (!field(r, AT_MTIME, 12, &seconds, err))
        return FALSE;
    seconds = CLAMP(seconds, G_MININT64 / 1000000000, G_MAXINT64 / 1000000000);
    r->h.mtime_ns = seconds * 1000000000;
    return TRUE;
}

/* Only files have data, whatever the other types' size says. */
static gboolean set_size(struct tarreader *r, GError **err)
{
    gint64 size;
    if (!field(r, AT_SIZE, 12, &size, err))
        return FALSE;
    if (r->pax.has_size)
        size = (gint64)r->pax.size;
    if (size < 0 || size > G_MAXINT64 / 2)
        return error_set(err, VARVE_ERROR_INVALID, "the size of \"%s\" is out of range", r->h.path);
    r->h.size = r->h.type == '0' ? (guint64)size : 0;
    set_stored(r, r->h.size);
    return TRUE;
}

/* Segments in order, inside the file, and as many bytes as are stored. */
static gboolean check_segments(struct tarreader *r, guint64 real_size, GError **err)
{
    guint64 at = 0, sum = 0;
    gboolean ok = real_size <= G_MAXINT64 / 2;
    for (guint i = 0; ok && i < r->segments->len; i++) {
        const struct tar_segment *s = &g_array_index(r->segments, struct tar_segment, i);
        ok = s->offset >= at && s->offset <= real_size && s->size <= real_size - s->offset;
        at = s->offset + s->size;
        sum += s->size;
    }
    if (!ok || sum != r->left)
        return error_set(err, VARVE_ERROR_INVALID,
                         "the map of the sparse file \"%s\" is inconsistent", r->h.path);
    r->h.size = real_size;
    r->h.n_segments = r->segments->len;
    r->h.is_sparse = TRUE;
    r->h.segments = (const struct tar_segment *)r->segments->data;
    return TRUE;
}

static gboolean too_many_segments(const struct tarreader *r, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "the sparse file \"%s\" has more than %d pieces",
                     r->h.path, MAX_SEGMENTS);
}

/* n offset and size pairs of the old GNU format; an empty one ends the list. */
static gboolean add_gnu_segments(struct tarreader *r, const guint8 *p, int n, GError **err)
{
    for (int i = 0; i < n; i++, p += 24) {
        gint64 offset, size;
        if (!p[0])
            return TRUE;
        if (!tarnumber_field(p, 12, &offset) || !tarnumber_field(p + 12, 12, &size) || offset < 0 ||
            size < 0)
            return error_set(err, VARVE_ERROR_INVALID,
                             "the map of the sparse file \"%s\" is malformed", r->h.path);
        if (r->segments->len == MAX_SEGMENTS)
            return too_many_segments(r, err);
        struct tar_segment s = {(guint64)offset, (guint64)size};
        g_array_append_val(r->segments, s);
    }
    return TRUE;
}

static gboolean read_gnu_sparse(struct tarreader *r, GError **err)
{
    gint64 real_size;
    g_array_set_size(r->segments, 0);
    if (!field(r, AT_GNU_REALSIZE, 12, &real_size, err) ||
        !add_gnu_segments(r, r->block + AT_GNU_SPARSE, 4, err))
        return FALSE;
    gboolean more = r->block[AT_GNU_EXTENDED];
    while (more) {
        guint8 ext[BLOCK];
        if (!take_bytes(r, ext, BLOCK, NULL, err) || !add_gnu_segments(r, ext, 21, err))
            return FALSE;
        more = ext[504];
    }
    return check_segments(r, real_size < 0 ? G_MAXUINT64 : (guint64)real_size, err);
}

/* The next decimal line of a format 1.0 map, block by block. *at is the position in block. */
static gboolean map_number(struct tarreader *r, guint8 *block, gsize *at, guint64 *out,
                           GError **err)
{
    char text[24];
    gsize n = 0;
    for (;;) {
        if (*at == BLOCK) {
            if (r->left < BLOCK)
                return error_set(err, VARVE_ERROR_INVALID,
                                 "the map of the sparse file \"%s\" is cut short", r->h.path);
            if (!take_bytes(r, block, BLOCK, NULL, err))
                return FALSE;
            r->left -= BLOCK;
            *at = 0;
        }
        char c = (char)block[(*at)++];
        if (c == '\n' || n + 1 == sizeof text)
            break;
        text[n++] = c;
    }
    text[n] = '\0';
    return tarnumber_decimal(text, out) ||
           error_set(err, VARVE_ERROR_INVALID, "the map of the sparse file \"%s\" is malformed",
                     r->h.path);
}

/* Format 1.0: number of segments, then offset and size of each, one a line, padded to a block. */
static gboolean read_map(struct tarreader *r, GError **err)
{
    guint8 block[BLOCK];
    gsize at = BLOCK;
    guint64 n;
    if (!map_number(r, block, &at, &n, err))
        return FALSE;
    if (n > MAX_SEGMENTS)
        return too_many_segments(r, err);
    for (guint64 i = 0; i < n; i++) {
        struct tar_segment s;
        if (!map_number(r, block, &at, &s.offset, err) || !map_number(r, block, &at, &s.size, err))
            return FALSE;
        g_array_append_val(r->segments, s);
    }
    return TRUE;
}

static gboolean read_pax_sparse(struct tarreader *r, GError **err)
{
    g_array_set_size(r->segments, 0);
    g_array_append_vals(r->segments, r->pax.segments->data, r->pax.segments->len);
    if (r->pax.sparse_major == 1 && !read_map(r, err))
        return FALSE;
    if (!r->pax.has_real_size || r->pax.sparse_major > 1)
        return error_set(err, VARVE_ERROR_INVALID,
                         "the sparse file \"%s\" has no size, or a version unknown here",
                         r->h.path);
    return check_segments(r, r->pax.real_size, err);
}

/* Reads the data of an entry that describes the next one. */
static gboolean read_meta(struct tarreader *r, gint64 max, GByteArray *into, GError **err)
{
    gint64 size;
    if (!field(r, AT_SIZE, 12, &size, err))
        return FALSE;
    if (size < 0 || size > max)
        return error_set(err, VARVE_ERROR_INVALID,
                         "the header of an entry has more than %" G_GINT64_FORMAT " bytes", max);
    g_byte_array_set_size(into, (guint)size);
    set_stored(r, 0);
    return take_bytes(r, into->data, (gsize)size, NULL, err) &&
           skip(r, (BLOCK - (guint64)size % BLOCK) % BLOCK, err);
}

static gboolean read_gnu_name(struct tarreader *r, GString *name, GError **err)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    if (!read_meta(r, TAR_MAX_PATH, bytes, err))
        return FALSE;
    g_string_truncate(name, 0);
    append_field(name, bytes->data, 0, bytes->len);
    return TRUE;
}

/* Handles the entries that describe the next one; *done when this one is a real one. */
static gboolean read_prelude(struct tarreader *r, gboolean *done, GError **err)
{
    switch (r->block[AT_TYPE]) {
    case 'L':
        return read_gnu_name(r, r->gnu_path, err);
    case 'K':
        return read_gnu_name(r, r->gnu_link, err);
    case 'x':
    case 'X':
        tarpax_reset(&r->pax);
        return read_meta(r, TAR_MAX_META, r->pax.bytes, err) && tarpax_parse(&r->pax, err);
    case 'g': {
        g_autoptr(GByteArray) ignored = g_byte_array_new();
        return read_meta(r, TAR_MAX_META, ignored, err);
    }
    default:
        *done = TRUE;
        return TRUE;
    }
}

static gboolean read_tar_entry(struct tarreader *r, GError **err)
{
    memset(&r->h, 0, sizeof r->h);
    set_names(r);
    if (!check_header_names(r, err) || !set_type(r, err) || !set_ids(r, err) ||
        !set_mtime(r, err) || !set_size(r, err))
        return FALSE;
    r->h.xattrs = (const struct xattr *)r->pax.xattrs->data;
    r->h.n_xattrs = r->pax.xattrs->len;
    if (r->block[AT_TYPE] == 'S')
        return read_gnu_sparse(r, err);
    return r->h.type != '0' || !r->pax.is_sparse || read_pax_sparse(r, err);
}

/* Reads the next header block: 1, or 0 at the end (two blocks of zeros, or just no more bytes). */
static int read_header(struct tarreader *r, GError **err)
{
    gboolean eof = FALSE;
    if (!take_bytes(r, r->block, BLOCK, &eof, err))
        return -1;
    if (eof)
        return 0;
    if (all_zero(r->block)) {
        if (!take_bytes(r, r->block, BLOCK, &eof, err))
            return -1;
        if (eof || all_zero(r->block))
            return 0;
    }
    if (checksum_ok(r->block))
        return 1;
    error_set(err, VARVE_ERROR_INVALID,
              "a header's checksum is wrong: this is not a tar archive, or it is damaged");
    return -1;
}

int tarreader_next(struct tarreader *r, const struct tar_header **h, GError **err)
{
    if (!finish_entry(r, err))
        return -1;
    tarpax_reset(&r->pax);
    g_string_truncate(r->gnu_path, 0);
    g_string_truncate(r->gnu_link, 0);
    for (gboolean done = FALSE; !done;) {
        int rc = read_header(r, err);
        if (rc <= 0)
            return rc;
        if (!read_prelude(r, &done, err))
            return -1;
    }
    if (!read_tar_entry(r, err))
        return -1;
    *h = &r->h;
    return 1;
}
