#include "layer/member.h"

#include "base/error.h"

#include <isa-l.h>
#include <libdeflate.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#define ISAL_LEVELS 3
#define GZIP_MAX 12
#define ZSTD_MAX 22
#define GZIP_HEADER 10

/* No name, no time, "unknown" operating system. */
static const guint8 gzip_header[GZIP_HEADER] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};

struct member_maker {
    struct encoder encoder;
    struct isal_zstream *isal;             /* gzip by ISA-L */
    guint8 *level_buf;                     /* its work space */
    struct libdeflate_compressor *deflate; /* gzip by libdeflate */
    ZSTD_CCtx *zstd;
    struct libdeflate_decompressor *inflate; /* made when the first member is checked */
    GByteArray *room;                        /* to decompress into; likewise */
};

static gboolean bad_level(const char *name, int level, int max, GError **err)
{
    return error_set(err, VARVE_ERROR_USAGE, "there is no %s level %d (0 to %d)", name, level, max);
}

static gboolean init_gzip(struct encoder *e, int level, GError **err)
{
    if (level < -1 || level > GZIP_MAX)
        return bad_level("gzip", level, GZIP_MAX, err);
    e->level = level < 0 ? 2 : level;
    if (e->level <= ISAL_LEVELS)
        snprintf(e->variant, sizeof e->variant, "gzip-isal%d.%d-%d", ISAL_MAJOR_VERSION,
                 ISAL_MINOR_VERSION, e->level);
    else
        snprintf(e->variant, sizeof e->variant, "gzip-libdeflate%s-%d", LIBDEFLATE_VERSION_STRING,
                 e->level);
    return TRUE;
}

gboolean encoder_init(struct encoder *e, enum compression c, int level, GError **err)
{
    memset(e, 0, sizeof *e);
    e->compression = c;
    switch (c) {
    case COMPRESS_GZIP:
        return init_gzip(e, level, err);
    case COMPRESS_ZSTD:
        if (level < -1 || level > ZSTD_MAX)
            return bad_level("zstd", level, ZSTD_MAX, err);
        e->level = level <= 0 ? 3 : level;
        snprintf(e->variant, sizeof e->variant, "zstd-%s-%d", ZSTD_versionString(), e->level);
        return TRUE;
    default:
        g_strlcpy(e->variant, "none", sizeof e->variant);
        return TRUE;
    }
}

static gsize level_buf_size(int level)
{
    static const gsize sizes[] = {0, ISAL_DEF_LVL1_DEFAULT, ISAL_DEF_LVL2_DEFAULT,
                                  ISAL_DEF_LVL3_DEFAULT};
    return sizes[level];
}

struct member_maker *member_maker_new(const struct encoder *e)
{
    struct member_maker *m = g_new0(struct member_maker, 1);
    m->encoder = *e;
    if (e->compression == COMPRESS_ZSTD) {
        m->zstd = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(m->zstd, ZSTD_c_compressionLevel, e->level);
    } else if (e->compression == COMPRESS_GZIP && e->level > ISAL_LEVELS) {
        m->deflate = libdeflate_alloc_compressor(e->level);
    } else if (e->compression == COMPRESS_GZIP) {
        m->isal = g_new0(struct isal_zstream, 1);
        m->level_buf = g_malloc0(level_buf_size(e->level));
    }
    return m;
}

void member_maker_free(struct member_maker *m)
{
    if (!m)
        return;
    g_free(m->isal);
    g_free(m->level_buf);
    if (m->deflate)
        libdeflate_free_compressor(m->deflate);
    ZSTD_freeCCtx(m->zstd);
    if (m->inflate)
        libdeflate_free_decompressor(m->inflate);
    g_clear_pointer(&m->room, g_byte_array_unref);
    g_free(m);
}

static gboolean failed(const struct member_maker *m, GError **err)
{
    return error_set(err, VARVE_ERROR_FAILED, "the encoder %s failed", m->encoder.variant);
}

/* Header and deflate stream here, the trailer (CRC and length) from ISA-L. */
static gboolean make_isal(struct member_maker *m, const GByteArray *raw, GByteArray *out,
                          GError **err)
{
    gsize bound = GZIP_HEADER + 64 + raw->len + raw->len / 8;
    struct isal_zstream *z = m->isal;
    g_byte_array_set_size(out, (guint)bound);
    memcpy(out->data, gzip_header, GZIP_HEADER);
    isal_deflate_init(z);
    z->level = (guint32)m->encoder.level;
    z->level_buf = m->level_buf;
    z->level_buf_size = (guint32)level_buf_size(m->encoder.level);
    z->gzip_flag = IGZIP_GZIP_NO_HDR;
    z->end_of_stream = 1;
    z->next_in = raw->data;
    z->avail_in = raw->len;
    z->next_out = out->data + GZIP_HEADER;
    z->avail_out = (guint32)(bound - GZIP_HEADER);
    if (isal_deflate(z) != COMP_OK || z->internal_state.state != ZSTATE_END)
        return failed(m, err);
    g_byte_array_set_size(out, GZIP_HEADER + z->total_out);
    return TRUE;
}

static gboolean make_libdeflate(struct member_maker *m, const GByteArray *raw, GByteArray *out,
                                GError **err)
{
    g_byte_array_set_size(out, (guint)libdeflate_gzip_compress_bound(m->deflate, raw->len));
    gsize n = libdeflate_gzip_compress(m->deflate, raw->data, raw->len, out->data, out->len);
    if (!n)
        return failed(m, err);
    memcpy(out->data, gzip_header, GZIP_HEADER);
    g_byte_array_set_size(out, (guint)n);
    return TRUE;
}

static gboolean make_zstd(struct member_maker *m, const GByteArray *raw, GByteArray *out,
                          GError **err)
{
    g_byte_array_set_size(out, (guint)ZSTD_compressBound(raw->len));
    gsize n = ZSTD_compress2(m->zstd, out->data, out->len, raw->data, raw->len);
    if (ZSTD_isError(n))
        return failed(m, err);
    g_byte_array_set_size(out, (guint)n);
    return TRUE;
}

gboolean member_make(struct member_maker *m, const GByteArray *raw, GByteArray *out, GError **err)
{
    if (m->zstd)
        return make_zstd(m, raw, out, err);
    if (m->deflate)
        return make_libdeflate(m, raw, out, err);
    return make_isal(m, raw, out, err);
}

static gboolean inflates_to(struct member_maker *m, const GByteArray *member, gsize size)
{
    if (!m->inflate)
        m->inflate = libdeflate_alloc_decompressor();
    gsize used = 0;
    return libdeflate_gzip_decompress_ex(m->inflate, member->data, member->len, m->room->data, size,
                                         &used, NULL) == LIBDEFLATE_SUCCESS &&
           used == member->len;
}

gboolean member_holds(struct member_maker *m, const GByteArray *member, const GByteArray *raw)
{
    if (!m->room)
        m->room = g_byte_array_new();
    g_byte_array_set_size(m->room, raw->len);
    gboolean whole =
        m->encoder.compression == COMPRESS_ZSTD
            ? ZSTD_decompress(m->room->data, raw->len, member->data, member->len) == raw->len
            : inflates_to(m, member, raw->len);
    return whole && (raw->len == 0 || memcmp(m->room->data, raw->data, raw->len) == 0);
}
