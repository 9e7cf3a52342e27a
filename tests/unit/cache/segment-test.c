/* Segments of caches: round trips, merging, and hostile documents. */
#include "cache/segment.h"

#include "base/error.h"
#include "cache/zbytes.h"

#include <string.h>
#include <time.h>

static struct digest digest_filled(guint8 with)
{
    struct digest d;
    memset(d.b, with, sizeof d.b);
    return d;
}

static struct descriptor descriptor_filled(const char *type, guint8 with)
{
    return (struct descriptor){
        .media_type = g_strdup(type), .digest = digest_filled(with), .size = 100u + with};
}

static struct cache_layer *make_layer(guint8 with)
{
    struct cache_layer *l = g_new0(struct cache_layer, 1);
    l->diff_id = digest_filled(with);
    l->blob = descriptor_filled(MEDIA_OCI_LAYER "+gzip", with + 1);
    l->index = descriptor_filled(CACHE_INDEX_TYPE, with + 2);
    l->content = digest_filled(with + 3);
    l->bytes = 12345;
    l->entries = 7;
    l->created = 1000;
    l->variant = g_strdup("gzip-6");
    return l;
}

/* A record whose key is key and whose result is one layer. */
static struct cache_record *make_record(struct cache_segment *s, guint8 key, guint8 layer,
                                        gint64 created)
{
    struct cache_record *r = g_new0(struct cache_record, 1);
    g_autoptr(cache_layer) l = make_layer(layer);
    r->definition = digest_filled(key);
    r->content_key = digest_filled(key + 1);
    r->layers = g_new0(guint, 1);
    r->layers[r->n_layers++] = segment_add_layer(s, l);
    r->content = digest_filled(layer + 3);
    r->created = created;
    r->duration_us = 5000;
    r->step = g_strdup("RUN a \"b\"\n");
    r->platform = g_strdup("linux/amd64");
    r->slot = g_strdup("Dockerfile:2");
    r->inputs = g_strdup("{}");
    r->used = created + 1;
    r->hits = 3;
    return segment_add_record(s, r);
}

static void add_mount(struct cache_segment *s, const char *id, guint8 with, gint64 created)
{
    struct cache_mount_ref *m = g_new0(struct cache_mount_ref, 1);
    m->id = g_strdup(id);
    m->platform = g_strdup("linux/amd64");
    m->created = created;
    m->bytes = 99;
    m->manifest = descriptor_filled(CACHE_MOUNT_TYPE, with);
    m->packs = g_ptr_array_new_with_free_func((GDestroyNotify)descriptor_free);
    struct descriptor pack = descriptor_filled(CACHE_PACK_TYPE, with + 1);
    g_ptr_array_add(m->packs, descriptor_copy(&pack));
    g_free(pack.media_type);
    segment_add_mount(s, m);
}

static void test_round_trip(void)
{
    g_autoptr(cache_segment) s = segment_new();
    g_autoptr(cache_layer) base = make_layer(50);
    s->created = 4242;
    g_ptr_array_add(s->supersedes, g_strdup("sha256:old"));
    struct cache_record *r = make_record(s, 1, 10, 77);
    base->base = TRUE;
    base->origins = g_strsplit("example.org lib/busybox", "|", -1);
    segment_add_layer(s, base);
    r->inputs_blob = descriptor_filled(CACHE_INPUTS_TYPE, 90);
    add_mount(s, "/npm", 30, 88);
    g_autoptr(GBytes) bytes = segment_write(s);
    g_autoptr(GError) err = NULL;
    g_autoptr(cache_segment) again = segment_parse(bytes, &err);
    g_assert_no_error(err);
    g_autoptr(GBytes) twice = segment_write(again);
    g_assert_true(g_bytes_equal(bytes, twice));
    g_assert_cmpint(again->created, ==, 4242);
    const struct cache_record *o = g_ptr_array_index(again->records, 0);
    g_assert_cmpstr(o->step, ==, r->step);
    g_assert_cmpuint(o->hits, ==, 3);
    g_assert_cmpuint(o->inputs_blob.size, ==, 190);
    /* the base's blob is elsewhere: layer, two indexes, inputs, mount's manifest and pack */
    g_autoptr(GPtrArray) blobs = segment_blobs(again);
    g_assert_cmpuint(blobs->len, ==, 6);
    struct digest elsewhere = digest_filled(51), here = digest_filled(11);
    g_assert_false(segment_holds(again, &elsewhere));
    g_assert_true(segment_holds(again, &here));
}

/* What two writers wrote is all there; equal records become one, with the greater counts. */
static void test_merge(void)
{
    g_autoptr(cache_segment) all = segment_new(), a = segment_new(), b = segment_new();
    make_record(a, 7, 70, 400); /* so that layers have other numbers in the merged one */
    make_record(a, 1, 10, 200);
    struct cache_record *equal = make_record(b, 1, 10, 200);
    equal->hits = 9;
    make_record(b, 1, 20, 100); /* another result of the same step, which is older */
    make_record(b, 5, 30, 300);
    add_mount(a, "/npm", 40, 1);
    add_mount(b, "/npm", 40, 5);
    add_mount(b, "/npm", 60, 3);
    segment_merge(all, a);
    segment_merge(all, b);
    segment_merge(all, b);
    g_assert_cmpuint(all->records->len, ==, 4);
    g_assert_cmpuint(all->layers->len, ==, 4);
    g_assert_cmpuint(all->mounts->len, ==, 2);
    g_assert_cmpint(((struct cache_mount_ref *)g_ptr_array_index(all->mounts, 0))->created, ==, 5);
    struct digest key = digest_filled(1), content_key = digest_filled(2);
    const GPtrArray *found = segment_find(all, &key);
    g_assert_cmpuint(found->len, ==, 2);
    const struct cache_record *first = g_ptr_array_index(found, 0),
                              *second = g_ptr_array_index(found, 1);
    g_assert_cmpint(first->created, ==, 100);
    g_assert_cmpint(second->created, ==, 200);
    g_assert_cmpuint(second->hits, ==, 9);
    g_assert_cmpuint(segment_layer(all, first->layers[0])->diff_id.b[0], ==, 20);
    g_assert_cmpuint(segment_find(all, &content_key)->len, ==, 2);
}

/* A copy of some records has their layers alone, numbered anew. */
static void test_adopt(void)
{
    g_autoptr(cache_segment) all = segment_new(), some = segment_new();
    make_record(all, 1, 10, 1);
    const struct cache_record *r = make_record(all, 5, 20, 2);
    add_mount(all, "/npm", 40, 1);
    segment_adopt(some, all, r);
    segment_adopt(some, all, r);
    segment_adopt_mount(some, g_ptr_array_index(all->mounts, 0));
    g_assert_cmpuint(some->records->len, ==, 1);
    g_assert_cmpuint(some->layers->len, ==, 1);
    g_assert_cmpuint(some->mounts->len, ==, 1);
    g_assert_cmpuint(segment_layer(some, 0)->diff_id.b[0], ==, 20);
    g_assert_nonnull(segment_same_record(some, r));
}

static struct cache_segment *parse_json(const char *json, GError **err)
{
    g_autoptr(GBytes) bytes = zbytes_pack(json, strlen(json));
    return segment_parse(bytes, err);
}

#define HEX1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define BLOB "{\"mediaType\":\"a\",\"digest\":\"" HEX1 "\",\"size\":1}"
#define LAYER                                                                                      \
    "{\"diffId\":\"" HEX1 "\",\"blob\":" BLOB ",\"index\":" BLOB ",\"content\":\"" HEX1            \
    "\",\"variant\":\"v\"}"
#define LAYERS "\"layers\":[" LAYER "],"

static void test_smallest(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(cache_segment) s = parse_json(
        "{\"version\":1," LAYERS "\"records\":[{\"definition\":\"" HEX1 "\",\"layers\":[0,0]}],"
        "\"unknown\":{}}",
        &err);
    g_assert_no_error(err);
    g_assert_cmpuint(((struct cache_record *)g_ptr_array_index(s->records, 0))->n_layers, ==, 2);
}

/* Equal layers in a document are one, and what names the second means the first. */
static void test_equal_layers(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(cache_segment) s =
        parse_json("{\"version\":1,\"layers\":[" LAYER "," LAYER
                   "],\"records\":[{\"definition\":\"" HEX1 "\",\"layers\":[1]}]}",
                   &err);
    g_assert_no_error(err);
    g_assert_cmpuint(s->layers->len, ==, 1);
    g_assert_cmpuint(((struct cache_record *)g_ptr_array_index(s->records, 0))->layers[0], ==, 0);
}

#define RECORD(more)                                                                               \
    "{\"version\":1," LAYERS "\"records\":[{\"definition\":\"" HEX1 "\"," more "}]}"
#define MOUNT(more) "{\"version\":1,\"mounts\":[{" more "}]}"
static const struct {
    const char *what, *json;
    enum varve_error code;
} hostile[] = {
    {"nothing", "", VARVE_ERROR_INVALID},
    {"an array", "[]", VARVE_ERROR_INVALID},
    {"no version", "{}", VARVE_ERROR_UNSUPPORTED},
    {"version 2", "{\"version\":2}", VARVE_ERROR_UNSUPPORTED},
    {"a version that is a string", "{\"version\":\"1\"}", VARVE_ERROR_INVALID},
    {"a negative time", "{\"version\":1,\"created\":-1}", VARVE_ERROR_INVALID},
    {"a time after all years", "{\"version\":1,\"created\":9000000000000000000}",
     VARVE_ERROR_INVALID},
    {"a number that fits nowhere", "{\"version\":1,\"created\":99999999999999999999999}",
     VARVE_ERROR_INVALID},
    {"a fraction", "{\"version\":1,\"created\":1.5}", VARVE_ERROR_INVALID},
    {"a duplicate member", "{\"version\":1,\"version\":1}", VARVE_ERROR_INVALID},
    {"layers that are an object", "{\"version\":1,\"layers\":{}}", VARVE_ERROR_INVALID},
    {"records that are a string", "{\"version\":1,\"records\":\"x\"}", VARVE_ERROR_INVALID},
    {"mounts that are a number", "{\"version\":1,\"mounts\":1}", VARVE_ERROR_INVALID},
    {"names that are numbers", "{\"version\":1,\"supersedes\":[1]}", VARVE_ERROR_INVALID},
    {"an empty layer", "{\"version\":1,\"layers\":[{}]}", VARVE_ERROR_INVALID},
    {"a layer that is null", "{\"version\":1,\"layers\":[null]}", VARVE_ERROR_INVALID},
    {"a layer without a blob", "{\"version\":1,\"layers\":[{\"diffId\":\"" HEX1 "\"}]}",
     VARVE_ERROR_INVALID},
    {"a layer without an index",
     "{\"version\":1,\"layers\":[{\"diffId\":\"" HEX1 "\",\"blob\":" BLOB "}]}",
     VARVE_ERROR_INVALID},
    {"a blob of negative size",
     "{\"version\":1,\"layers\":[{\"diffId\":\"" HEX1
     "\",\"blob\":{\"mediaType\":\"a\",\"digest\":\"" HEX1 "\",\"size\":-5}}]}",
     VARVE_ERROR_INVALID},
    {"a digest that is a path",
     "{\"version\":1,\"layers\":[{\"diffId\":\"sha256:../../../../etc/passwd\"}]}",
     VARVE_ERROR_INVALID},
    {"a layer number that is too large", RECORD("\"layers\":[1]"), VARVE_ERROR_INVALID},
    {"a layer number that is negative", RECORD("\"layers\":[-1]"), VARVE_ERROR_INVALID},
    {"a layer number that wraps", RECORD("\"layers\":[4294967296]"), VARVE_ERROR_INVALID},
    {"a layer number that is a string", RECORD("\"layers\":[\"0\"]"), VARVE_ERROR_INVALID},
    {"a negative count", RECORD("\"hits\":-1"), VARVE_ERROR_INVALID},
    {"a huge count", RECORD("\"hits\":4294967296"), VARVE_ERROR_INVALID},
    {"a negative duration", RECORD("\"durationUs\":-1"), VARVE_ERROR_INVALID},
    {"a step that is a list", RECORD("\"step\":[]"), VARVE_ERROR_INVALID},
    {"a record without a key", "{\"version\":1,\"records\":[{\"layers\":[]}]}",
     VARVE_ERROR_INVALID},
    {"a mount without a manifest", MOUNT("\"id\":\"a\",\"packs\":[]"), VARVE_ERROR_INVALID},
    {"a mount without a name", MOUNT("\"manifest\":" BLOB), VARVE_ERROR_INVALID},
    {"a pack that is none", MOUNT("\"id\":\"a\",\"manifest\":" BLOB ",\"packs\":[1]"),
     VARVE_ERROR_INVALID},
};

static void test_hostile(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(hostile); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(cache_segment) s = parse_json(hostile[i].json, &err);
        if (s || !g_error_matches(err, VARVE_ERROR, (int)hostile[i].code))
            g_error("%s: %s", hostile[i].what, s ? "accepted" : err->message);
    }
}

/* prefix, then n times part, then suffix. */
static char *repeated(const char *prefix, const char *part, guint n, const char *suffix)
{
    GString *s = g_string_new(prefix);
    for (guint i = 0; i < n; i++)
        g_string_append(s, part);
    g_string_append(s, suffix);
    return g_string_free(s, FALSE);
}

static void assert_refused(const char *json)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(cache_segment) s = parse_json(json, &err);
    g_assert_null(s);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

static void test_too_much(void)
{
    g_autofree char *chain =
        repeated("{\"version\":1," LAYERS "\"records\":[{\"definition\":\"" HEX1 "\",\"layers\":[0",
                 ",0", 500, "]}]}");
    g_autofree char *deep = repeated("{\"version\":1,\"x\":", "[", 100000, "");
    g_autofree char *many = repeated("{\"version\":1,\"records\":[{}", ",{}", 100000, "]}");
    g_autofree char *packs =
        repeated("{\"version\":1,\"mounts\":[{\"id\":\"a\",\"manifest\":" BLOB ",\"packs\":[" BLOB,
                 "," BLOB, 4096, "]}]}");
    g_autofree char *origins = repeated("{\"version\":1,\"layers\":[{\"diffId\":\"" HEX1
                                        "\",\"blob\":" BLOB ",\"base\":true,\"origins\":[\"a b\"",
                                        ",\"a b\"", 8, "]}]}");
    assert_refused(chain);
    assert_refused(deep);
    assert_refused(many);
    assert_refused(packs);
    assert_refused(origins);
}

/* Records whose keys were chosen to be alike in all but their last bytes, or are the same: with
 * time that grows with the square of their number this would take minutes. */
static void test_alike(void)
{
    for (guint same = 0; same < 2; same++) {
        g_autoptr(GString) json = g_string_new("{\"version\":1,\"records\":[");
        for (guint i = 0; i < 20000; i++)
            g_string_append_printf(
                json,
                "%s{\"definition\":\"sha256:%064x\",\"content\":\"sha256:%064x\","
                "\"created\":%u}",
                i ? "," : "", same ? 1 : i + 1, i + 1, 20000 - i);
        g_string_append(json, "]}");
        g_autoptr(GError) err = NULL;
        clock_t begun = clock();
        g_autoptr(cache_segment) s = parse_json(json->str, &err), all = segment_new();
        g_assert_no_error(err);
        segment_merge(all, s);
        g_assert_cmpuint(all->records->len, ==, same ? CACHE_RESULTS : 20000);
        g_assert_cmpint(clock() - begun, <, 15 * CLOCKS_PER_SEC);
        struct digest key = ((struct cache_record *)g_ptr_array_index(s->records, 0))->definition;
        const GPtrArray *found = segment_find(all, &key);
        g_assert_cmpuint(found->len, ==, same ? CACHE_RESULTS : 1);
        const struct cache_record *first = g_ptr_array_index(found, 0);
        g_assert_cmpint(first->created, ==, same ? 20000 - CACHE_RESULTS + 1 : 20000);
    }
}

/* 100 MB of JSON in a few kilobytes. */
static void test_bomb(void)
{
    gsize len = 100 * 1000 * 1000;
    g_autofree char *json = g_malloc(len);
    memset(json, ' ', len);
    memcpy(json, "{\"version\":1}", 13);
    g_autoptr(GBytes) bytes = zbytes_pack(json, len);
    g_assert_cmpuint(g_bytes_get_size(bytes), <, 100000);
    g_autoptr(GError) err = NULL;
    g_autoptr(cache_segment) s = segment_parse(bytes, &err);
    g_assert_null(s);
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

/* Bytes that are no document, and every beginning of one. */
static void test_damaged(void)
{
    g_autoptr(cache_segment) s = segment_new();
    make_record(s, 1, 10, 77);
    g_autoptr(GBytes) whole = segment_write(s);
    g_autoptr(GBytes) plain = g_bytes_new_static("{\"version\":1}", 13);
    gsize len;
    const guint8 *data = g_bytes_get_data(whole, &len);
    g_autoptr(cache_segment) of_plain = segment_parse(plain, NULL);
    g_assert_null(of_plain);
    for (gsize n = 0; n < len; n++) {
        g_autoptr(GBytes) part = g_bytes_new(data, n);
        g_autoptr(GError) err = NULL;
        g_autoptr(cache_segment) cut = segment_parse(part, &err);
        g_assert_null(cut);
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    }
    g_autofree guint8 *more = g_malloc(len + 1);
    memcpy(more, data, len);
    more[len] = 0;
    g_autoptr(GBytes) longer = g_bytes_new(more, len + 1);
    g_autoptr(cache_segment) with_more = segment_parse(longer, NULL);
    g_assert_null(with_more);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/segment/round-trip", test_round_trip);
    g_test_add_func("/cache/segment/merge", test_merge);
    g_test_add_func("/cache/segment/adopt", test_adopt);
    g_test_add_func("/cache/segment/smallest", test_smallest);
    g_test_add_func("/cache/segment/equal-layers", test_equal_layers);
    g_test_add_func("/cache/segment/hostile", test_hostile);
    g_test_add_func("/cache/segment/too-much", test_too_much);
    g_test_add_func("/cache/segment/alike", test_alike);
    g_test_add_func("/cache/segment/bomb", test_bomb);
    g_test_add_func("/cache/segment/damaged", test_damaged);
    return g_test_run();
}
