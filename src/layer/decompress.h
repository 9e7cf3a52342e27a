/* Streaming decompression of gzip (many members, ISA-L), zstd (many frames), or plain bytes, chosen
 * by magic number. Input and output are pulled; only fixed buffers are used. */
#ifndef VARVE_LAYER_DECOMPRESS_H
#define VARVE_LAYER_DECOMPRESS_H

#include <glib.h>
#include <sys/types.h>

/* Returns bytes read, 0 at the end, -1 with *err. */
typedef gssize (*decompress_read_fn)(gpointer ctx, void *buf, gsize len, GError **err);
struct decompress;
struct decompress *decompress_new(decompress_read_fn read, gpointer ctx);
void decompress_free(struct decompress *d);
/* Like read(2): up to len bytes of plain data. Truncated or corrupt input, trailing garbage and
 * zstd windows over 128 MiB are VARVE_ERROR_INVALID. */
gssize decompress_read(struct decompress *d, void *buf, gsize len, GError **err);

typedef struct decompress decompress;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(decompress, decompress_free)

#endif
