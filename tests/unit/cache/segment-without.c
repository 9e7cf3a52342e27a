/* What is left of a segment whose blobs are gone in part. */
#include "cache/segment.h"

static void fill(struct digest *d, guint n)
{
    digest_of_bytes(d, &n, sizeof n);
}

static struct cache_layer *layer(guint n)
{
    struct cache_layer *l = g_new0(struct cache_layer, 1);
    fill(&l->diff_id, n);
    fill(&l->blob.digest, n + 1000);
    fill(&l->index.digest, n + 2000);
    fill(&l->content, n + 3000);
    l->blob.media_type = g_strdup("application/vnd.oci.image.layer.v1.tar+gzip");
    l->blob.size = 7;
    l->index.media_type = g_strdup(CACHE_INDEX_TYPE);
    l->index.size = 8;
    l->variant = g_strdup("gzip");
    return l;
}

/* A record under key, with a layer of its own on one that all have. */
static void add(struct cache_segment *s, guint key, guint content, gint64 created)
{
    g_autoptr(cache_layer) low = layer(1), top = layer(content);
    struct cache_record *r = g_new0(struct cache_record, 1);
    fill(&r->definition, key);
    fill(&r->content_key, key + 100);
    fill(&r->content, content);
    r->created = created;
    r->step = g_strdup("RUN it");
    r->platform = g_strdup("linux/amd64");
    r->slot = g_strdup("stage 1");
    r->inputs = g_strdup("{}");
    r->layers = g_new0(guint, 2);
    r->layers[r->n_layers++] = segment_add_layer(s, low);
    r->layers[r->n_layers++] = segment_add_layer(s, top);
    segment_add_record(s, r);
}

static void test_without(void)
{
    g_autoptr(cache_segment) s = segment_new();
    g_autoptr(GHashTable) lost = g_hash_table_new(digest_ghash, digest_gequal);
    struct digest gone, key;
    add(s, 10, 20, 5);
    add(s, 11, 21, 5);
    fill(&gone, 2021); /* the index of 11's layer */
    g_hash_table_add(lost, &gone);
    g_autoptr(cache_segment) rest = segment_without(s, lost);
    fill(&key, 11);
    g_assert_null(segment_find(rest, &key));
    fill(&key, 10);
    g_assert_nonnull(segment_find(rest, &key));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/segment/without", test_without);
    return g_test_run();
}
