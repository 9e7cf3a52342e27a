/* Exporting: the tar's content, valid streams for other tools, and the same bytes whatever was
 * cached. */
#include "fixture.h"

#include "base/error.h"
#include "base/fs.h"
#include "layer/batcher.h"
#include "layer/diffid.h"
#include "layer/export.h"
#include "store/blob.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static const struct export_options plain_options = {
    .compression = COMPRESS_NONE, .level = -1, .clamp_mtime = -1};

/* Unpacks lines (or a whole tar) as a layer and returns its id. */
static void make_layer(struct fixture *f, GByteArray *tar, char id[LAYER_ID_LEN + 1],
                       struct digest *content)
{
    struct apply_result r;
    g_autoptr(GError) err = NULL;
    g_autoptr(chain) none = chain_new();
    g_autofree char *tmp = fixture_apply(f, tar->data, tar->len, none, &r, &err);
    g_assert_no_error(err);
    g_assert_true(store_layer_commit(f->store, tmp, &r.info, &err));
    memcpy(id, r.info.id, LAYER_ID_LEN + 1);
    *content = r.info.content;
}

static struct layer_blob export_layer(struct fixture *f, const char *id,
                                      const struct export_options *o)
{
    struct layer_blob b;
    g_autoptr(GError) err = NULL;
    layer_export(f->store, id, o, NULL, &b, &err);
    g_assert_no_error(err);
    return b;
}

static char *blob_path(struct fixture *f, const struct digest *d)
{
    char hex[DIGEST_HEX_LEN + 1];
    return g_strdup_printf("%s/blobs/sha256/%s", store_root(f->store), digest_hex(d, hex));
}

static char *shell(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    g_autofree char *command = g_strdup_vprintf(format, ap);
    va_end(ap);
    return fixture_run((const char *[]){"sh", "-c", command, NULL});
}

/* About size bytes of text of its own for each seed. */
static void add_sized(GByteArray *tar, const char *name, guint32 seed, gsize size)
{
    GString *s = g_string_new(NULL);
    g_string_printf(s, "f|%s|", name);
    for (guint32 x = seed; s->len < size;) {
        x = x * 1664525 + 1013904223;
        g_string_append_printf(s, "word%u ", x >> 20);
    }
    fixture_tar(tar, s->str);
    g_string_free(s, TRUE);
}

/* 1,200 files of 1 to 24 kB, and a large one; changed: the seed of one of them, which changes its
 * size, too. */
static GByteArray *big_tar(guint32 changed)
{
    GByteArray *tar = g_byte_array_new();
    fixture_tar(tar, "d|dir|755\n");
    for (guint32 i = 0; i < 1200; i++) {
        char name[32];
        g_snprintf(name, sizeof name, "dir/file%04u", i);
        add_sized(tar, name, i == 300 ? changed : i + 1000,
                  1000 + i * 7919 % 23000 + (i == 300 ? changed * 70000 : 0));
    }
    add_sized(tar, "large", 7, 5 * 1024 * 1024);
    fixture_tar_end(tar);
    return tar;
}

static const char small_lines[] =
    "d|a|1777\nf|a/x|hello\nh|a/y|a/x\nl|a/l|/some/where\nf|.wh.gone|\nd|o|700\nf|o/"
    ".wh..wh..opq|\nf|o/z|1\nF|s|4755\np|q\n"
    "f|long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/long/"
    "long/long/long/file|1\n"
    "f|"
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
    "456789012345|1\n";

static void test_round_trip(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autoptr(GByteArray) tar = g_byte_array_new();
    fixture_tar(tar, small_lines);
    fixture_tar_end(tar);
    for (int c = COMPRESS_NONE; c <= COMPRESS_ZSTD; c++) {
        char id[LAYER_ID_LEN + 1], again[LAYER_ID_LEN + 1];
        struct digest content, content_again;
        make_layer(&f, tar, id, &content);
        struct export_options o = plain_options;
        o.compression = (enum compression)c;
        struct layer_blob b = export_layer(&f, id, &o);
        g_assert_cmpstr(b.media_type, ==, compression_media_type(o.compression));
        g_autoptr(GError) err = NULL;
        g_autoptr(GBytes) bytes = store_blob_read(f.store, &b.digest, 1 << 20, &err);
        g_assert_no_error(err);
        g_assert_cmpuint(g_bytes_get_size(bytes), ==, b.size);
        g_autoptr(GByteArray) copy = g_byte_array_new();
        g_byte_array_append(copy, g_bytes_get_data(bytes, NULL), (guint)b.size);
        make_layer(&f, copy, again, &content_again);
        g_assert_cmpmem(&content, sizeof content, &content_again, sizeof content_again);
    }
    fixture_clear(&f);
}

static void test_other_tools(void)
{
    struct fixture f;
    fixture_init(&f);
    g_autoptr(GByteArray) tar = g_byte_array_new();
    fixture_tar(tar, small_lines);
    fixture_tar_end(tar);
    char id[LAYER_ID_LEN + 1];
    struct digest content;
    make_layer(&f, tar, id, &content);
    struct layer_blob b = export_layer(&f, id, &plain_options);
    g_autofree char *path = blob_path(&f, &b.digest);
    g_autofree char *listing = shell("tar --utc -tvf %s | tr -s ' ' | grep -v 'long/$'", path);
    g_assert_cmpstr(listing, ==,
                    "-rw-r--r-- 0/0 1 1970-01-01 00:16 "
                    "012345678901234567890123456789012345678901234567890123456789012345678901234567"
                    "8901234567890123456789012345\n"
                    "drwxrwxrwt 0/0 0 1970-01-01 00:16 a/\n"
                    "lrwxrwxrwx 0/0 0 1970-01-01 00:16 a/l -> /some/where\n"
                    "-rw-r--r-- 0/0 5 1970-01-01 00:16 a/x\n"
                    "hrw-r--r-- 0/0 0 1970-01-01 00:16 a/y link to a/x\n"
                    "---------- 0/0 0 1970-01-01 00:00 .wh.gone\n"
                    "-rw-r--r-- 0/0 1 1970-01-01 00:16 "
                    "long/long/long/long/long/long/long/long/long/long/long/long/"
                    "long/long/long/long/long/long/long/long/long/file\n"
                    "drwx------ 0/0 0 1970-01-01 00:16 o/\n"
                    "---------- 0/0 0 1970-01-01 00:16 o/.wh..wh..opq\n"
                    "-rw-r--r-- 0/0 1 1970-01-01 00:16 o/z\n"
                    "prw-r--r-- 0/0 0 1970-01-01 00:16 q\n"
                    "-rwsr-xr-x 0/0 0 1970-01-01 00:16 s\n");
    fixture_clear(&f);
}

/* The result is the same with and without cached members, and one change remakes only what is near
 * it. */
static void test_members(enum compression c)
{
    struct export_options o = plain_options;
    o.compression = c;
    struct digest with_cache, without;
    g_autoptr(GByteArray) before = big_tar(1);
    g_autoptr(GByteArray) after = big_tar(2);
    for (int cached = 0; cached < 2; cached++) {
        struct fixture f;
        fixture_init(&f);
        char id[LAYER_ID_LEN + 1];
        struct digest content;
        if (cached) {
            make_layer(&f, before, id, &content);
            struct layer_blob first = export_layer(&f, id, &o);
            g_autofree char *path = blob_path(&f, &first.digest);
            g_free(shell("%s -t %s", c == COMPRESS_GZIP ? "gzip" : "zstd -q", path));
        }
        make_layer(&f, after, id, &content);
        struct layer_blob b = export_layer(&f, id, &o);
        *(cached ? &with_cache : &without) = b.digest;
        g_autofree char *path = blob_path(&f, &b.digest);
        g_autofree char *sum =
            shell("%s -dc <%s | sha256sum", c == COMPRESS_GZIP ? "gzip" : "zstd", path);
        char hex[DIGEST_HEX_LEN + 1];
        g_assert_true(g_str_has_prefix(sum, digest_hex(&b.diff_id, hex)));
        fixture_clear(&f);
    }
    g_assert_cmpmem(&with_cache, sizeof with_cache, &without, sizeof without);
}

static void test_gzip(void)
{
    test_members(COMPRESS_GZIP);
}

static void test_zstd(void)
{
    test_members(COMPRESS_ZSTD);
}

static void run_pipeline(struct fixture *f, const char *id, struct pipeline_result *r)
{
    g_autoptr(GError) err = NULL;
    struct encoder e;
    struct batcher b;
    struct tar_options t = {-1};
    g_assert_true(encoder_init(&e, COMPRESS_GZIP, -1, &err));
    struct blob_writer *w = blob_writer_new(f->store, &err);
    g_autoptr(pipeline) p = pipeline_new(f->store, &e, w, NULL);
    batcher_init(&b, p);
    g_assert_true(tarwriter_run(f->store, id, &t, &b.sink, NULL, &err));
    batcher_finish(&b);
    g_assert_true(pipeline_finish(p, r, &err));
    blob_writer_abort(w, FALSE);
}

/* Members: of sensible sizes, and all but the few around a change are found again. */
static void test_reuse(void)
{
    struct fixture f;
    struct digest content;
    struct pipeline_result r;
    char before_id[LAYER_ID_LEN + 1], after_id[LAYER_ID_LEN + 1];
    fixture_init(&f);
    g_autoptr(GByteArray) before = big_tar(1);
    g_autoptr(GByteArray) after = big_tar(2);
    make_layer(&f, before, before_id, &content);
    make_layer(&f, after, after_id, &content);
    struct export_options o = plain_options;
    o.compression = COMPRESS_GZIP;
    export_layer(&f, before_id, &o);
    run_pipeline(&f, after_id, &r);
    g_test_message("%u members, %u reused", r.members->len, (guint)r.reused);
    g_assert_cmpuint(r.members->len, >=, 10);
    g_assert_cmpuint(r.reused, >=, r.members->len - 3);
    g_assert_cmpuint(r.reused, <, r.members->len);
    for (guint i = 0; i < r.members->len; i++)
        g_assert_cmpuint(g_array_index(r.members, struct member_info, i).raw_size, <=, MEMBER_MAX);
    g_array_unref(r.raw);
    g_array_unref(r.members);
    fixture_clear(&f);
}

/* A bit of an older blob flipped: its member is made anew, and the new blob is right. */
static void test_reuse_damaged(void)
{
    struct fixture f;
    struct digest content;
    char id[LAYER_ID_LEN + 1];
    fixture_init(&f);
    g_autoptr(GByteArray) before = big_tar(1);
    g_autoptr(GByteArray) after = big_tar(2);
    make_layer(&f, before, id, &content);
    struct export_options o = plain_options;
    o.compression = COMPRESS_GZIP;
    struct layer_blob first = export_layer(&f, id, &o);
    g_autofree char *old = blob_path(&f, &first.digest);
    g_free(shell("printf '\\377\\376' | dd of=%s bs=1 seek=5000 conv=notrunc 2>/dev/null", old));
    make_layer(&f, after, id, &content);
    struct layer_blob b = export_layer(&f, id, &o);
    g_autofree char *path = blob_path(&f, &b.digest);
    g_autofree char *sum = shell("gzip -dc <%s | sha256sum", path);
    char hex[DIGEST_HEX_LEN + 1];
    g_assert_true(g_str_has_prefix(sum, digest_hex(&b.diff_id, hex)));
    fixture_clear(&f);
}

static void test_levels_and_clamp(void)
{
    struct fixture f;
    struct digest content;
    char id[LAYER_ID_LEN + 1];
    fixture_init(&f);
    g_autoptr(GByteArray) tar = big_tar(1);
    make_layer(&f, tar, id, &content);
    guint64 last = G_MAXUINT64;
    for (int level = 1; level <= 9; level += 2) {
        struct export_options o = plain_options;
        o.compression = COMPRESS_GZIP;
        o.level = level;
        struct layer_blob b = export_layer(&f, id, &o);
        if (level != 5) /* where the encoders change, sizes need not fall */
            g_assert_cmpuint(b.size, <=, last);
        last = b.size;
        g_autofree char *path = blob_path(&f, &b.digest);
        g_free(shell("gzip -t %s", path));
    }
    struct export_options o = plain_options;
    o.clamp_mtime = 77;
    struct layer_blob b = export_layer(&f, id, &o);
    g_autofree char *path = blob_path(&f, &b.digest);
    g_autofree char *listing = shell(
        "TZ=UTC tar --full-time -tvf %s | grep -vc 'dir\\|1970-01-01 00:01:17' || true", path);
    g_assert_cmpstr(listing, ==, "0\n");
    fixture_clear(&f);
}

/* A diff ID is hashed once, under a clamp too: the second asking does not read the layer. */
static void test_diff_id_once(void)
{
    struct fixture f;
    struct digest content, first, again;
    char id[LAYER_ID_LEN + 1];
    fixture_init(&f);
    g_autoptr(GError) err = NULL;
    g_autoptr(GByteArray) tar = big_tar(1);
    make_layer(&f, tar, id, &content);
    for (gint64 clamp = -1; clamp <= 77; clamp += 78) {
        g_assert_true(layer_diff_id(f.store, id, clamp, NULL, &first, &err));
        g_autofree char *layer = store_layer_path(id);
        g_autofree char *path = g_build_filename(store_root(f.store), layer, "fs", NULL);
        g_autofree char *away = g_strconcat(path, ".away", NULL);
        g_assert_cmpint(rename(path, away), ==, 0);
        gboolean ok = layer_diff_id(f.store, id, clamp, NULL, &again, &err);
        g_assert_cmpint(rename(away, path), ==, 0);
        g_assert_no_error(err);
        g_assert_true(ok);
        g_assert_cmpint(digest_cmp(&first, &again), ==, 0);
    }
    fixture_clear(&f);
}

/* A pulled layer gives its own blob back, unless another compression is forced. */
static void test_pulled(void)
{
    struct fixture f;
    struct digest blob, diff_id;
    struct layer_info info;
    fixture_init(&f);
    g_autoptr(GError) err = NULL;
    g_autoptr(chain) none = chain_new();
    g_autoptr(GByteArray) tar = g_byte_array_new();
    fixture_tar(tar, "f|a|1\n");
    fixture_tar_end(tar);
    g_assert_true(store_blob_put(f.store, tar->data, tar->len, &blob, &err));
    digest_of_bytes(&diff_id, tar->data, tar->len);
    const char *type = "application/vnd.docker.image.rootfs.diff.tar";
    struct digest wrong = {{1}};
    struct layer_want w = {.store = f.store, .diff_id = &wrong, .parents = none};
    g_assert_false(layer_from_blob(&w, &blob, type, &info, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    g_clear_error(&err);
    w.diff_id = &diff_id;
    g_assert_true(layer_from_blob(&w, &blob, type, &info, &err));
    char id[LAYER_ID_LEN + 1];
    memcpy(id, info.id, sizeof id);
    w.parents = NULL;
    g_assert_true(layer_from_blob(&w, &blob, type, &info, &err));
    g_assert_cmpstr(info.id, ==, id);
    struct export_options o = plain_options;
    o.compression = COMPRESS_GZIP;
    struct layer_blob b = export_layer(&f, id, &o);
    g_assert_cmpmem(&b.digest, sizeof b.digest, &blob, sizeof blob);
    g_assert_cmpstr(b.media_type, ==, type);
    o.force = TRUE;
    b = export_layer(&f, id, &o);
    g_assert_cmpstr(b.media_type, ==, compression_media_type(COMPRESS_GZIP));
    g_assert_cmpmem(&b.diff_id, sizeof b.diff_id, &diff_id, sizeof diff_id);
    /* The image calls it by its diff ID, under a clamp too and when the blob is gone (a build
     * killed before it noted the blob, or a prune). */
    struct digest clamped;
    g_assert_true(store_blob_delete(f.store, &blob, &err));
    g_assert_true(layer_diff_id(f.store, id, 77, NULL, &clamped, &err));
    g_assert_cmpmem(&clamped, sizeof clamped, &diff_id, sizeof diff_id);
    fixture_clear(&f);
}

static void test_damaged_layer(void)
{
    struct fixture f;
    struct digest content;
    char id[LAYER_ID_LEN + 1];
    fixture_init(&f);
    g_autoptr(GByteArray) tar = g_byte_array_new();
    fixture_tar(tar, "f|a|1234\n");
    fixture_tar_end(tar);
    make_layer(&f, tar, id, &content);
    g_free(shell("printf more >>%s/layers/%s/fs/a", store_root(f.store), id));
    struct layer_blob b;
    g_autoptr(GError) err = NULL;
    g_assert_false(layer_export(f.store, id, &plain_options, NULL, &b, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_FAILED);
    g_assert_nonnull(strstr(err->message, "a does not have the 4 bytes"));
    fixture_clear(&f);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/export/round-trip", test_round_trip);
    g_test_add_func("/export/other-tools", test_other_tools);
    g_test_add_func("/export/gzip", test_gzip);
    g_test_add_func("/export/zstd", test_zstd);
    g_test_add_func("/export/reuse", test_reuse);
    g_test_add_func("/export/reuse-damaged", test_reuse_damaged);
    g_test_add_func("/export/levels-and-clamp", test_levels_and_clamp);
    g_test_add_func("/export/diff-id-once", test_diff_id_once);
    g_test_add_func("/export/pulled", test_pulled);
    g_test_add_func("/export/damaged", test_damaged_layer);
    return g_test_run();
}
