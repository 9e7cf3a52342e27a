/* Decompression of gzip members and zstd frames in all splits, damaged inputs, and the ring. */
#include "layer/decompress.h"

#include "base/error.h"
#include "layer/ring.h"

#include <libdeflate.h>
#include <string.h>
#include <zstd.h>

struct source {
    const guint8 *p;
    gsize left, step; /* at most step bytes a read */
};

static gssize source_read(gpointer ctx, void *buf, gsize len, GError **err)
{
    struct source *s = ctx;
    gsize n = MIN(MIN(len, s->left), s->step);
    if (n)
        memcpy(buf, s->p, n);
    s->p += n;
    s->left -= n;
    return (gssize)n;
}

/* Reads all, in pieces of out_step; NULL with an error. */
static GByteArray *expand(const GByteArray *in, gsize in_step, gsize out_step, GError **err)
{
    struct source s = {in->data, in->len, in_step};
    g_autoptr(decompress) d = decompress_new(source_read, &s);
    g_autoptr(GByteArray) out = g_byte_array_new();
    g_autofree guint8 *buf = g_malloc(out_step);
    gssize n;
    while ((n = decompress_read(d, buf, out_step, err)) > 0)
        g_byte_array_append(out, buf, (guint)n);
    return n < 0 ? NULL : g_steal_pointer(&out);
}

/* Text that compresses, with some noise. */
static GByteArray *sample(gsize len)
{
    GByteArray *a = g_byte_array_new();
    g_byte_array_set_size(a, (guint)len);
    guint32 x = 1;
    for (gsize i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        a->data[i] =
            i % 64 < 48 ? "varve keeps every layer of the season; "[i % 39] : (guint8)(x >> 24);
    }
    return a;
}

static void add_gzip(GByteArray *to, const guint8 *p, gsize len)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    gsize bound = libdeflate_gzip_compress_bound(c, len);
    g_autofree guint8 *buf = g_malloc(bound);
    gsize n = libdeflate_gzip_compress(c, p, len, buf, bound);
    g_assert_cmpuint(n, >, 0);
    g_byte_array_append(to, buf, (guint)n);
    libdeflate_free_compressor(c);
}

static void add_zstd(GByteArray *to, const guint8 *p, gsize len)
{
    gsize bound = ZSTD_compressBound(len);
    g_autofree guint8 *buf = g_malloc(bound);
    gsize n = ZSTD_compress(buf, bound, p, len, 3);
    g_assert_false(ZSTD_isError(n));
    g_byte_array_append(to, buf, (guint)n);
}

typedef void (*add_fn)(GByteArray *to, const guint8 *p, gsize len);
static const add_fn codecs[] = {add_gzip, add_zstd};

static void check_equal(const GByteArray *a, const GByteArray *b)
{
    g_assert_cmpmem(a->data, a->len, b->data, b->len);
}

static void test_members(void)
{
    static const gsize steps[][2] = {
        {1, 100}, {7, 1}, {4096, 65536}, {G_MAXSIZE, 1 << 20}, {100000, 333}};
    g_autoptr(GByteArray) plain = sample(300000);
    for (gsize c = 0; c < G_N_ELEMENTS(codecs); c++) {
        g_autoptr(GByteArray) in = g_byte_array_new();
        for (gsize at = 0, len = 1; at < plain->len; at += len, len = len * 3 + 1)
            codecs[c](in, plain->data + at, MIN(len, plain->len - at));
        codecs[c](in, NULL, 0);
        for (gsize i = 0; i < G_N_ELEMENTS(steps); i++) {
            g_autoptr(GError) err = NULL;
            g_autoptr(GByteArray) out = expand(in, steps[i][0], steps[i][1], &err);
            g_assert_no_error(err);
            check_equal(out, plain);
        }
    }
}

static void test_plain(void)
{
    for (gsize len = 0; len < 5; len++) {
        g_autoptr(GByteArray) plain = sample(len);
        g_autoptr(GByteArray) out = expand(plain, 1, 3, NULL);
        check_equal(out, plain);
    }
    g_autoptr(GByteArray) plain = sample(600000);
    g_autoptr(GByteArray) out = expand(plain, G_MAXSIZE, 100000, NULL);
    check_equal(out, plain);
}

static void test_skippable_frame(void)
{
    static const guint8 skip[] = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
    g_autoptr(GByteArray) plain = sample(1000);
    g_autoptr(GByteArray) in = g_byte_array_new();
    g_byte_array_append(in, skip, sizeof skip);
    add_zstd(in, plain->data, plain->len);
    g_byte_array_append(in, skip, sizeof skip);
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) out = expand(in, 2, 5000, &err);
    g_assert_no_error(err);
    check_equal(out, plain);
}

/* Every proper prefix is refused (but the empty one and that of one byte less than a magic number,
 * which are plain bytes, and one that ends between members). */
static void test_cut_short(void)
{
    g_autoptr(GByteArray) plain = sample(2000);
    for (gsize c = 0; c < G_N_ELEMENTS(codecs); c++) {
        g_autoptr(GByteArray) in = g_byte_array_new();
        codecs[c](in, plain->data, 1000);
        guint first = in->len;
        codecs[c](in, plain->data + 1000, 1000);
        for (guint len = 4; len < in->len; len++) {
            if (len == first)
                continue;
            GByteArray part = {in->data, len};
            g_autoptr(GError) err = NULL;
            if (expand(&part, 5, 700, &err))
                g_error("codec %zu: %u of %u bytes were accepted", c, len, in->len);
            g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        }
    }
}

static void test_garbage(void)
{
    g_autoptr(GByteArray) plain = sample(2000);
    for (gsize c = 0; c < G_N_ELEMENTS(codecs); c++) {
        g_autoptr(GByteArray) in = g_byte_array_new();
        codecs[c](in, plain->data, plain->len);
        guint len = in->len;
        g_byte_array_append(in, (const guint8 *)"garbage", 7);
        g_autoptr(GError) err = NULL;
        g_assert_null(expand(in, G_MAXSIZE, 100, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        if (codecs[c] == add_zstd)
            continue; /* ZSTD_compress() writes no checksum */
        in->data[len - 8] ^= 1;
        g_byte_array_set_size(in, len);
        g_autoptr(GError) crc = NULL;
        g_assert_null(expand(in, G_MAXSIZE, 100, &crc));
        g_assert_error(crc, VARVE_ERROR, VARVE_ERROR_INVALID);
    }
}

/* A frame whose header asks for a 2 GiB window. */
static void test_huge_window(void)
{
    static const guint8 frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 1, 0, 0};
    g_autoptr(GByteArray) in = g_byte_array_new();
    g_byte_array_append(in, frame, sizeof frame);
    g_autoptr(GError) err = NULL;
    g_assert_null(expand(in, G_MAXSIZE, 100, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

static gpointer feed(gpointer p)
{
    g_autoptr(GByteArray) plain = sample(1000000);
    for (gsize at = 0, n = 1; at < plain->len; at += n, n = n % 5000 + 7)
        if (!ring_write(p, plain->data + at, MIN(n, plain->len - at)))
            return NULL;
    ring_end(p, g_error_new(VARVE_ERROR, VARVE_ERROR_OUTSIDE, "the line broke"));
    return NULL;
}

static void test_ring(void)
{
    g_autoptr(ring) r = ring_new(10007);
    GThread *t = g_thread_new("feed", feed, r);
    g_autoptr(GByteArray) plain = sample(1000000);
    g_autoptr(GError) err = NULL;
    guint8 buf[3000];
    gsize at = 0;
    gssize n;
    while ((n = ring_read(r, buf, sizeof buf, &err)) > 0) {
        g_assert_cmpmem(buf, n, plain->data + at, n);
        at += n;
    }
    g_assert_cmpuint(at, ==, plain->len);
    g_assert_cmpint(n, ==, -1);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    g_thread_join(t);
}

static void test_ring_leave(void)
{
    g_autoptr(ring) r = ring_new(100);
    GThread *t = g_thread_new("feed", feed, r);
    guint8 buf[50];
    g_assert_cmpint(ring_read(r, buf, sizeof buf, NULL), >, 0);
    ring_leave(r);
    g_thread_join(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/decompress/members", test_members);
    g_test_add_func("/decompress/plain", test_plain);
    g_test_add_func("/decompress/skippable", test_skippable_frame);
    g_test_add_func("/decompress/cut-short", test_cut_short);
    g_test_add_func("/decompress/garbage", test_garbage);
    g_test_add_func("/decompress/huge-window", test_huge_window);
    g_test_add_func("/ring/stream", test_ring);
    g_test_add_func("/ring/leave", test_ring_leave);
    return g_test_run();
}
