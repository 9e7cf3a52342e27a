/* The tar reader; contents are read and thrown away. */
#include "fuzz.h"

#include "layer/tarreader.h"

#include <string.h>

#define ENOUGH (4 << 20) /* bytes of content: sparse files claim any size */

static void check_header(const struct tar_header *h)
{
    guint64 stored = 0, at = 0;
    g_assert_true(strchr("0123456", h->type) && h->type);
    g_assert_cmpuint(strlen(h->path), <=, TAR_MAX_PATH);
    for (guint i = 0; h->is_sparse && i < h->n_segments; i++) {
        g_assert_true(h->segments[i].offset >= at &&
                      h->segments[i].size <= h->size - h->segments[i].offset);
        at = h->segments[i].offset + h->segments[i].size;
        stored += h->segments[i].size;
    }
    g_assert_true(stored <= h->size);
    for (guint i = 1; i < h->n_xattrs; i++)
        g_assert_cmpint(strcmp(h->xattrs[i - 1].name, h->xattrs[i].name), <=, 0);
}

static gboolean read_data(struct tarreader *r, GError **err)
{
    const guint8 *p;
    gsize len = 1, total = 0;
    while (len > 0 && total < ENOUGH) {
        if (!tarreader_data(r, 1000, &p, &len, err))
            return FALSE;
        total += len;
    }
    return TRUE;
}

static void read_all(struct tarreader *r)
{
    const struct tar_header *h;
    g_autoptr(GError) err = NULL;
    int got;
    while ((got = tarreader_next(r, &h, &err)) == 1) {
        check_header(h);
        if (h->type == '0' && !read_data(r, &err))
            return;
    }
    g_assert_true((got < 0) == (err != NULL));
    if (got == 0)
        tarreader_drain(r, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(ring) ring = ring_new(size + 4096);
    ring_write(ring, data, size);
    ring_end(ring, NULL);
    g_autoptr(tarreader) r = tarreader_new(ring);
    read_all(r);
    return 0;
}
