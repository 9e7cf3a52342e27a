/* The index file of a layer, read as from a disk that cannot be trusted. */
#include "fuzz.h"

#include "layer/index.h"
#include "layer/indexfile.h"

#include <string.h>

static gsize touch(const struct entry *e)
{
    gsize n = strlen(e->path) + (e->target ? strlen(e->target) : 0);
    for (guint i = 0; i < e->n_xattrs; i++) {
        n += strlen(e->xattrs[i].name);
        for (gsize k = 0; k < e->xattrs[i].size; k++)
            n += ((const guint8 *)e->xattrs[i].value)[k];
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree guint8 *copy = g_memdup2(data, size); /* aligned */
    g_autoptr(GError) err = NULL;
    struct layer_index *x = layer_index_of_bytes(copy ? copy : (guint8 *)"", size, &err);
    g_assert_true((x == NULL) == (err != NULL));
    for (guint i = 0; x && i < layer_index_len(x) && i < 100; i++) {
        struct entry e;
        guint lo, hi;
        layer_index_at(x, i, &e);
        touch(&e);
        layer_index_find(x, e.path);
        layer_index_range(x, e.path, &lo, &hi);
        g_assert_true(lo <= hi && hi <= layer_index_len(x));
        layer_index_has_file(x, &e);
    }
    if (x) {
        struct digest content;
        guint64 bytes;
        layer_index_content(x, &content, &bytes);
    }
    layer_index_unref(x);
    return 0;
}
