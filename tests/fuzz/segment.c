/* Segments of caches: what is accepted is written so that it reads the same, merges with itself to
 * itself, and names no layer that it lacks. The input is what the compression holds. */
#include "fuzz.h"

#include "cache/segment.h"
#include "cache/zbytes.h"

static void check_segment(const struct cache_segment *s)
{
    for (guint i = 0; i < s->records->len; i++) {
        const struct cache_record *r = g_ptr_array_index(s->records, i);
        for (guint k = 0; k < r->n_layers; k++)
            g_assert_cmpuint(r->layers[k], <, s->layers->len);
        g_assert_cmpint(r->created, >=, 0);
        g_assert_cmpint(r->duration_us, >=, 0);
    }
    g_autoptr(cache_segment) merged = segment_new();
    segment_merge(merged, s);
    guint records = merged->records->len, layers = merged->layers->len;
    segment_merge(merged, s);
    g_assert_cmpuint(merged->records->len, ==, records);
    g_assert_cmpuint(merged->layers->len, ==, layers);
    g_autoptr(GBytes) bytes = segment_write(s);
    g_autoptr(cache_segment) again = segment_parse(bytes, NULL);
    g_assert_nonnull(again);
    g_autoptr(GBytes) twice = segment_write(again);
    g_assert_true(g_bytes_equal(bytes, twice));
    g_autoptr(GPtrArray) blobs = segment_blobs(s);
    g_assert_cmpuint(blobs->len, <=, 2 * s->layers->len + s->records->len + 4097 * s->mounts->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) bytes = zbytes_pack(data, size);
    g_autoptr(GError) err = NULL;
    g_autoptr(cache_segment) s = segment_parse(bytes, &err);
    g_assert_true((s == NULL) == (err != NULL));
    if (s)
        check_segment(s);
    return 0;
}
