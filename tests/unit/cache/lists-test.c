/* Lists of objects, and the index of GitHub's cache. */
#include "base/error.h"
#include "cache/ghaindex.h"
#include "cache/objectlist.h"

#include <string.h>

static const struct object_listing s3 = {"Contents", "Key", "Size", "LastModified",
                                         "NextContinuationToken"};

static void test_objects(void)
{
    static const char page[] =
        "<?xml version=\"1.0\"?><ListBucketResult><NextContinuationToken>t=</NextContinuationToken>"
        "<Contents><Key>a &amp; b</Key><LastModified>2026-11-28T08:00:00.000Z</LastModified>"
        "<Size>12</Size><Owner><ID>Key</ID></Owner></Contents><Contents><Size>1</Size></Contents>"
        "</ListBucketResult>";
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)object_entry_free);
    g_autofree char *next = NULL;
    g_assert_true(objectlist_parse(&s3, page, strlen(page), out, &next, NULL));
    g_assert_cmpuint(out->len, ==, 1);
    const struct object_entry *e = out->pdata[0];
    g_assert_cmpstr(e->key, ==, "a & b");
    g_assert_cmpuint(e->size, ==, 12);
    g_assert_cmpint(e->modified, ==, 1795852800);
    g_assert_cmpstr(next, ==, "t=");
    g_autofree char *code = objectlist_element("<Error><Code>No</Code></Error>", 30, "Code");
    g_assert_cmpstr(code, ==, "No");
    g_assert_null(objectlist_element("<Error><Code>No", 15, "Code"));
}

static void test_bad_objects(void)
{
    static const char *const bad[] = {"", "plain", "<a><b></a>", "<Contents><Key>x"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GPtrArray) out =
            g_ptr_array_new_with_free_func((GDestroyNotify)object_entry_free);
        g_autoptr(GError) err = NULL;
        g_autofree char *next = NULL;
        g_assert_false(objectlist_parse(&s3, bad[i], strlen(bad[i]), out, &next, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    }
}

static struct digest digest_for(const char *text)
{
    struct digest d;
    digest_of_bytes(&d, text, strlen(text));
    return d;
}

static struct ghaindex *sample(const char *segment, const char *pack)
{
    struct ghaindex *x = ghaindex_new();
    struct digest d = digest_for(segment), p = digest_for(pack);
    g_autoptr(GBytes) bytes = g_bytes_new(segment, strlen(segment));
    g_autoptr(ghaindex_pack) packed = ghaindex_pack_new(pack);
    struct ghaindex_blob b = {.digest = p, .at = 5, .size = 6};
    g_array_append_val(packed->blobs, b);
    ghaindex_add_segment(x, &d, strlen(segment), 77, bytes);
    ghaindex_add_pack(x, packed);
    x->base = 4;
    return x;
}

static void test_index(void)
{
    g_autoptr(ghaindex) one = sample("first", "pack 1"), two = sample("second", "pack 2");
    struct digest own = digest_for("an entry of its own"), first = digest_for("first");
    ghaindex_add_segment(one, &own, 19, 78, NULL);
    ghaindex_merge(one, two);
    ghaindex_merge(one, two);
    g_autoptr(GBytes) bytes = ghaindex_write(one);
    g_autoptr(ghaindex) read = ghaindex_parse(bytes, NULL);
    g_assert_nonnull(read);
    g_assert_cmpuint(read->base, ==, 4);
    g_assert_cmpuint(read->segments->len, ==, 3);
    g_assert_cmpuint(read->packs->len, ==, 2);
    const struct ghaindex_segment *s = read->segments->pdata[2];
    g_assert_cmpmem(g_bytes_get_data(s->bytes, NULL), g_bytes_get_size(s->bytes), "second", 6);
    const struct ghaindex_blob *b = NULL;
    struct digest packed = digest_for("pack 2");
    const struct ghaindex_pack *p = ghaindex_find(read, &packed, &b);
    g_assert_cmpstr(p->key, ==, "pack 2");
    g_assert_cmpuint(b->at, ==, 5);
    g_assert_null(ghaindex_find(read, &own, &b));
    ghaindex_drop_segment(read, &first);
    g_assert_false(ghaindex_has_segment(read, &first));
    g_assert_true(ghaindex_has_segment(read, &own));
    ghaindex_drop_pack(read, "pack 2");
    g_assert_null(ghaindex_find(read, &packed, &b));
}

static const struct {
    const char *json, *tail, *words;
} bad[] = {
    {"[]", "", "not a JSON object"},
    {"{\"base\":-1}", "", "\"base\" is out of range"},
    {"{\"base\":1,\"segments\":[{}]}", "", "digest"},
    {"{\"base\":1,\"segments\":[{\"digest\":\"sha256:"
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":9,\"at\":0}]}",
     "short", "beyond its end"},
    {"{\"base\":1,\"segments\":[{\"digest\":\"sha256:"
     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":5,\"at\":0}]}",
     "short", "digest is wrong"},
    {"{\"base\":1,\"packs\":[{\"blobs\":[]}]}", "", "no usable key"},
};

static void test_bad_index(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *text = g_strdup_printf(
            "varve-index-1\n%08x\n%s%s", (guint)strlen(bad[i].json), bad[i].json, bad[i].tail);
        g_autoptr(GBytes) bytes = g_bytes_new(text, strlen(text));
        g_assert_null(ghaindex_parse(bytes, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        g_test_message("%s", err->message);
        g_assert_nonnull(strstr(err->message, bad[i].words));
    }
    g_autoptr(GBytes) other = g_bytes_new_static("something else, of another program", 34);
    g_assert_null(ghaindex_parse(other, NULL));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/lists/objects", test_objects);
    g_test_add_func("/cache/lists/bad-objects", test_bad_objects);
    g_test_add_func("/cache/lists/index", test_index);
    g_test_add_func("/cache/lists/bad-index", test_bad_index);
    return g_test_run();
}
