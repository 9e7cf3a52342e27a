#include "cache/zbytes.h"

#include "base/error.h"

#include <zstd.h>

#define LEVEL 3

GBytes *zbytes_pack(const void *bytes, gsize len)
{
    gsize room = ZSTD_compressBound(len);
    guint8 *out = g_malloc(room);
    gsize n = ZSTD_compress(out, room, bytes, len, LEVEL);
    g_assert(!ZSTD_isError(n)); /* the room suffices */
    return g_bytes_new_take(g_realloc(out, n), n);
}

/* At once: a stream would need a window of its own beside the result. */
GBytes *zbytes_unpack(GBytes *packed, gsize max, GError **err)
{
    gsize len;
    const void *data = g_bytes_get_data(packed, &len);
    unsigned long long size = ZSTD_getFrameContentSize(data, len);
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN) {
        error_set(err, VARVE_ERROR_INVALID, "it is damaged: its beginning does not tell its size");
        return NULL;
    }
    if (size > max) {
        error_set(err, VARVE_ERROR_INVALID, "it has more than %" G_GSIZE_FORMAT " bytes", max);
        return NULL;
    }
    gsize frame = ZSTD_findFrameCompressedSize(data, len);
    if (ZSTD_isError(frame) || frame != len) {
        error_set(err, VARVE_ERROR_INVALID,
                  ZSTD_isError(frame) ? "it is cut short" : "something follows its end");
        return NULL;
    }
    g_autofree void *out = g_malloc(size + 1);
    gsize n = ZSTD_decompress(out, size, data, len);
    if (ZSTD_isError(n) || n != size) {
        error_set(err, VARVE_ERROR_INVALID, "it is damaged: %s",
                  ZSTD_isError(n) ? ZSTD_getErrorName(n) : "it has another size than it says");
        return NULL;
    }
    return g_bytes_new_take(g_steal_pointer(&out), n);
}
