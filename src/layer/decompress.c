#include "layer/decompress.h"

#include "base/error.h"

#include <isa-l/igzip_lib.h>
#include <string.h>
#include <zstd.h>

#define INPUT (256 * 1024)
#define BACK 16            /* bytes before the input that inflate may give back */
#define ZSTD_WINDOW_LOG 27 /* 128 MiB */

enum kind { KIND_UNKNOWN, KIND_PLAIN, KIND_GZIP, KIND_ZSTD };

struct decompress {
    decompress_read_fn read;
    gpointer ctx;
    enum kind kind;
    guint8 *input;           /* BACK + INPUT bytes */
    gsize at, end;           /* unread part of input, as offsets */
    gboolean eof;            /* read gave 0 */
    gboolean inside;         /* a member or frame has begun and not ended */
    guint64 total_in;        /* bytes given to the decoder, for messages */
    struct inflate_state *z; /* gzip */
    ZSTD_DCtx *zstd;
};

struct decompress *decompress_new(decompress_read_fn read, gpointer ctx)
{
    struct decompress *d = g_new0(struct decompress, 1);
    d->read = read;
    d->ctx = ctx;
    d->input = g_malloc0(BACK + INPUT);
    d->at = d->end = BACK;
    return d;
}

void decompress_free(struct decompress *d)
{
    if (!d)
        return;
    g_free(d->z);
    ZSTD_freeDCtx(d->zstd);
    g_free(d->input);
    g_free(d);
}

/* Reads more input behind what is unread (which is moved to the front, with the BACK bytes before
 * it). */
static gboolean refill(struct decompress *d, GError **err)
{
    if (d->eof)
        return TRUE;
    memmove(d->input, d->input + d->at - BACK, d->end - d->at + BACK);
    d->end -= d->at - BACK;
    d->at = BACK;
    gssize n = d->read(d->ctx, d->input + d->end, BACK + INPUT - d->end, err);
    if (n < 0)
        return FALSE;
    d->eof = n == 0;
    d->end += n;
    return TRUE;
}

/* Makes sure that there are at least want bytes, or all there will ever be. */
static gboolean need(struct decompress *d, gsize want, GError **err)
{
    while (d->end - d->at < want && !d->eof)
        if (!refill(d, err))
            return FALSE;
    return TRUE;
}

static gboolean corrupt(const struct decompress *d, const char *what, GError **err)
{
    return error_set(err, VARVE_ERROR_INVALID, "%s near byte %" G_GUINT64_FORMAT, what,
                     d->total_in);
}

static gboolean is_gzip(const struct decompress *d)
{
    return d->end - d->at >= 2 && d->input[d->at] == 0x1f && d->input[d->at + 1] == 0x8b;
}

/* A zstd frame (RFC 8878 section 3.1.1) or a skippable one (3.1.2). */
static gboolean is_zstd(const struct decompress *d)
{
    if (d->end - d->at < 4)
        return FALSE;
    guint32 magic;
    memcpy(&magic, d->input + d->at, 4);
    magic = GUINT32_FROM_LE(magic);
    return magic == 0xfd2fb528 || (magic & 0xfffffff0) == 0x184d2a50;
}

static gboolean detect(struct decompress *d, GError **err)
{
    if (!need(d, 4, err))
        return FALSE;
    if (is_gzip(d)) {
        d->kind = KIND_GZIP;
        d->z = g_new0(struct inflate_state, 1);
    } else if (is_zstd(d)) {
        d->kind = KIND_ZSTD;
        d->zstd = ZSTD_createDCtx();
        ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    } else {
        d->kind = KIND_PLAIN;
    }
    return TRUE;
}

static gssize read_plain(struct decompress *d, void *buf, gsize len, GError **err)
{
    gsize there = d->end - d->at;
    if (!there)
        return d->read(d->ctx, buf, len, err);
    gsize n = MIN(there, len);
    memcpy(buf, d->input + d->at, n);
    d->at += n;
    return (gssize)n;
}

/* Starts the next gzip member (RFC 1952 section 2.2), or tells the end. */
static gboolean begin_member(struct decompress *d, gboolean *end, GError **err)
{
    if (!need(d, 2, err))
        return FALSE;
    *end = d->at == d->end;
    if (*end)
        return TRUE;
    if (!is_gzip(d))
        return corrupt(d, "the gzip data is followed by something else", err);
    if (d->z->block_state == ISAL_BLOCK_FINISH)
        isal_inflate_reset(d->z);
    else
        isal_inflate_init(d->z);
    d->z->crc_flag = ISAL_GZIP;
    d->inside = TRUE;
    return TRUE;
}

static gssize read_gzip(struct decompress *d, void *buf, gsize len, GError **err)
{
    struct inflate_state *z = d->z;
    len = MIN(len, G_MAXINT32);
    gsize done = 0;
    while (!done) {
        gboolean end = FALSE;
        if (!d->inside && !begin_member(d, &end, err))
            return -1;
        if (end)
            return 0;
        if (!need(d, 1, err))
            return -1;
        gsize before = d->end - d->at;
        z->next_in = d->input + d->at;
        z->avail_in = (guint32)before;
        z->next_out = buf;
        z->avail_out = (guint32)len;
        int rc = isal_inflate(z);
        done = len - z->avail_out;
        d->at = d->end - z->avail_in;
        d->total_in += before - z->avail_in;
        if (rc != ISAL_DECOMP_OK && rc != ISAL_END_INPUT && rc != ISAL_OUT_OVERFLOW)
            return corrupt(d, "the gzip data is corrupt", err) ? 0 : -1;
        d->inside = z->block_state != ISAL_BLOCK_FINISH;
        if (d->inside && !done && !before && d->eof)
            return corrupt(d, "the gzip data is cut short", err) ? 0 : -1;
    }
    return (gssize)done;
}

static gssize read_zstd(struct decompress *d, void *buf, gsize len, GError **err)
{
    ZSTD_outBuffer out = {buf, len, 0};
    while (!out.pos) {
        if (!need(d, d->inside ? 1 : 4, err))
            return -1;
        gsize before = d->end - d->at;
        if (!before && !d->inside)
            return 0;
        if (!d->inside && !is_zstd(d))
            return corrupt(d, "the zstd data is followed by something else", err) ? 0 : -1;
        ZSTD_inBuffer in = {d->input + d->at, before, 0};
        size_t rc = ZSTD_decompressStream(d->zstd, &out, &in);
        d->at += in.pos;
        d->total_in += in.pos;
        if (ZSTD_isError(rc)) {
            g_autofree char *what =
                g_strdup_printf("the zstd data is corrupt (%s)", ZSTD_getErrorName(rc));
            return corrupt(d, what, err) ? 0 : -1;
        }
        d->inside = rc != 0;
        if (d->inside && !out.pos && !before && d->eof)
            return corrupt(d, "the zstd data is cut short", err) ? 0 : -1;
    }
    return (gssize)out.pos;
}

gssize decompress_read(struct decompress *d, void *buf, gsize len, GError **err)
{
    if (!len || (d->kind == KIND_UNKNOWN && !detect(d, err)))
        return len ? -1 : 0;
    switch (d->kind) {
    case KIND_GZIP:
        return read_gzip(d, buf, len, err);
    case KIND_ZSTD:
        return read_zstd(d, buf, len, err);
    default:
        return read_plain(d, buf, len, err);
    }
}
