/* Compressed streams, read in pieces of odd sizes; 4 MiB of output are enough. */
#include "fuzz.h"

#include "layer/decompress.h"

#include <string.h>

#define ENOUGH (4 << 20)

struct input {
    const uint8_t *p;
    gsize left;
};

static gssize read_input(gpointer ctx, void *buf, gsize len, GError **err)
{
    struct input *in = ctx;
    gsize n = MIN(MIN(len, in->left), 97);
    if (n)
        memcpy(buf, in->p, n);
    in->p += n;
    in->left -= n;
    return (gssize)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static guint8 buf[65536];
    struct input in = {data, size};
    g_autoptr(decompress) d = decompress_new(read_input, &in);
    g_autoptr(GError) err = NULL;
    gssize n;
    for (gsize total = 0, step = 1; total < ENOUGH;
         total += (gsize)n, step = step * 3 % sizeof buf + 1) {
        n = decompress_read(d, buf, step, &err);
        g_assert_true(n <= (gssize)step && (n < 0) == (err != NULL));
        if (n <= 0)
            break;
    }
    return 0;
}
