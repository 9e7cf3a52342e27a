/* Images of finished builds: each byte of a new layer is read once. */
#include "../layer/fixture.h"

#include "output/image.h"
#include "store/blob.h"

#include <string.h>

#define LARGE (8 * 1024 * 1024)

/* Bytes that this process read so far. */
static guint64 bytes_read(void)
{
    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents("/proc/self/io", &text, NULL, NULL));
    return g_ascii_strtoull(text + strlen("rchar: "), NULL, 10);
}

/* A chain of one new layer with a file of LARGE bytes. */
static struct chain *make_chain(struct fixture *f)
{
    struct apply_result r;
    g_autoptr(GError) err = NULL;
    g_autoptr(chain) none = chain_new();
    g_autoptr(GByteArray) tar = g_byte_array_new();
    g_autoptr(GString) s = g_string_new("f|large|");
    for (guint32 x = 1; s->len < LARGE;) {
        x = x * 1664525 + 1013904223;
        g_string_append_printf(s, "word%u ", x >> 20);
    }
    fixture_tar(tar, s->str);
    fixture_tar_end(tar);
    g_autofree char *tmp = fixture_apply(f, tar->data, tar->len, none, &r, &err);
    g_assert_no_error(err);
    g_assert_true(store_layer_commit(f->store, tmp, &r.info, &err));
    struct chain *c = chain_new();
    chain_append(c, r.info.id);
    return c;
}

static struct built_image *make_image(struct fixture *f, const struct chain *c, gint64 epoch)
{
    struct platform host;
    platform_host(&host);
    g_autoptr(image_conf) conf = image_conf_new(&host);
    struct built_image *b = built_image_new(f->store, c, conf);
    b->epoch = epoch;
    return b;
}

/* A new layer's manifest and config cost one reading of its files, whichever is asked for first;
 * clamped times make another tar, which is read once, too. */
static void test_once(void)
{
    struct fixture f;
    fixture_init(&f);
    for (gint64 epoch = -1; epoch <= 7; epoch += 8) {
        g_autoptr(GError) err = NULL;
        g_autoptr(chain) c = make_chain(&f);
        g_autoptr(built_image) b = make_image(&f, c, epoch);
        struct image_options o = {.layers = {COMPRESS_NONE, -1, FALSE, -1, NULL, NULL}};
        guint64 before = bytes_read();
        g_assert_true(built_image_export(b, &o, &err));
        g_assert_false(b->has_config);
        g_assert_true(built_image_config(b, &err));
        g_assert_true(built_image_manifest(b, &o, &err));
        g_assert_no_error(err);
        guint64 cost = bytes_read() - before;
        g_assert_cmpuint(cost, >=, LARGE);
        g_assert_cmpuint(cost, <, LARGE + LARGE / 2);
        g_autoptr(manifest) m = manifest_load(f.store, &b->manifest, &err);
        const struct descriptor *d = g_ptr_array_index(m->items, 0);
        const struct digest *diff_id = &g_array_index(b->conf->diff_ids, struct digest, 0);
        g_assert_true(digest_cmp(diff_id, &d->digest) == 0); /* not compressed: the tar itself */
    }
    fixture_clear(&f);
}

/* An image whose config was made first has the same digests. */
static void test_same(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autoptr(GError) err = NULL;
    g_autoptr(chain) c = make_chain(&f);
    g_autoptr(built_image) a = make_image(&f, c, 7);
    g_autoptr(built_image) b = make_image(&f, c, 7);
    struct image_options o = {.layers = EXPORT_DEFAULTS};
    g_assert_true(built_image_config(a, &err));
    g_assert_true(built_image_manifest(a, &o, &err));
    g_assert_true(built_image_manifest(b, &o, &err));
    g_assert_no_error(err);
    g_assert_true(digest_cmp(&a->config, &b->config) == 0);
    g_assert_true(digest_cmp(&a->manifest, &b->manifest) == 0);
    fixture_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/output/image/once", test_once);
    g_test_add_func("/output/image/same", test_same);
    return g_test_run();
}
