#include "cache/zbytes.h"

#include "base/error.h"

#include <zstd.h>

#define LEVEL 3
#define STEP (256 * 1024) /* output grows by as much at a time */

GBytes *zbytes_pack(const void *bytes, gsize len)
{
    gsize room = ZSTD_compressBound(len);
    guint8 *out = g_malloc(room);
    gsize n = ZSTD_compress(out, room, bytes, len, LEVEL);
    g_assert(!ZSTD_isError(n)); /* the room suffices */
    return g_bytes_new_take(g_realloc(out, n), n);
}

static gboolean unpack(ZSTD_DCtx *d, ZSTD_inBuffer *in, GByteArray *out, gsize max, GError **err)
{
    gsize rc = 1;
    while (rc != 0) {
        guint have = out->len;
        g_byte_array_set_size(out, have + STEP);
        ZSTD_outBuffer to = {out->data + have, STEP, 0};
        gsize before = in->pos;
        rc = ZSTD_decompressStream(d, &to, in);
        if (ZSTD_isError(rc))
            return error_set(err, VARVE_ERROR_INVALID, "it is damaged: %s", ZSTD_getErrorName(rc));
        g_byte_array_set_size(out, have + to.pos);
        if (out->len > max)
            return error_set(err, VARVE_ERROR_INVALID, "it has more than %" G_GSIZE_FORMAT " bytes",
                             max);
        if (rc != 0 && to.pos == 0 && in->pos == before)
            return error_set(err, VARVE_ERROR_INVALID, "it is cut short");
    }
    return in->pos == in->size || error_set(err, VARVE_ERROR_INVALID, "something follows its end");
}

GBytes *zbytes_unpack(GBytes *packed, gsize max, GError **err)
{
    ZSTD_inBuffer in = {.pos = 0};
    in.src = g_bytes_get_data(packed, &in.size);
    g_autoptr(GByteArray) out = g_byte_array_new();
    ZSTD_DCtx *d = ZSTD_createDCtx();
    ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, 27);
    gboolean ok = unpack(d, &in, out, MIN(max, G_MAXINT32), err);
    ZSTD_freeDCtx(d);
    return ok ? g_byte_array_free_to_bytes(g_steal_pointer(&out)) : NULL;
}
