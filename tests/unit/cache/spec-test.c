#include "base/error.h"
#include "cache/spec.h"

#include <string.h>

static char *variables[] = {(char *)"ACTIONS_RESULTS_URL=https://results.example/",
                            (char *)"ACTIONS_RUNTIME_TOKEN=tok3n",
                            (char *)"AWS_ACCESS_KEY_ID=envid",
                            (char *)"AWS_SECRET_ACCESS_KEY=envsecret",
                            (char *)"AWS_SESSION_TOKEN=envsession",
                            (char *)"AWS_DEFAULT_REGION=eu-west-1",
                            (char *)"BUILDKIT_AZURE_STORAGE_ACCOUNT_URL=https://acc.blob.example",
                            NULL};

static struct cache_spec *parse(enum cache_use use, const char *text, GPtrArray *notes)
{
    GError *err = NULL;
    struct cache_spec *s = cache_spec_parse(use, text, variables, notes, &err);
    g_assert_no_error(err);
    return s;
}

static void test_registry(void)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(cache_spec) bare = parse(CACHE_READ, "example.org/app:cache", notes);
    g_assert_cmpint(bare->type, ==, CACHE_REGISTRY);
    g_assert_cmpstr(bare->label, ==, "registry example.org/app:cache");
    g_autoptr(cache_spec) s = parse(CACHE_WRITE,
                                    "type=registry,ref=a/b:c,mode=max,compression=zstd,"
                                    "compression-level=3,force-compression=true,ignore-error=true,"
                                    "mounts=npm;pip,mounts-max=2GB,image-manifest=true,"
                                    "oci-mediatypes=true",
                                    notes);
    g_assert_true(s->max && s->ignore_error && s->layers.force);
    g_assert_cmpint(s->layers.compression, ==, COMPRESS_ZSTD);
    g_assert_cmpint(s->layers.level, ==, 3);
    g_assert_cmpstr(s->mounts[1], ==, "pip");
    g_assert_cmpuint(s->mounts_max, ==, G_GUINT64_CONSTANT(2) << 30);
    g_assert_cmpuint(notes->len, ==, 2);
    g_assert_cmpstr(notes->pdata[0], ==,
                    "--cache-to: image-manifest has no effect (accepted for docker compatibility)");
    g_autoptr(cache_spec) quoted =
        parse(CACHE_READ, "type=registry,ref=a,\"mounts=npm,pip\",prefer=hit,mode=max", notes);
    g_assert_cmpstr(quoted->mounts[1], ==, "pip");
    g_assert_true(quoted->prefer_hit && !quoted->max);
    g_assert_cmpstr(notes->pdata[2], ==, "--cache-from: mode has no effect when a cache is read");
    g_autoptr(cache_spec) all = parse(CACHE_READ, "type=local,src=x,mounts=true", notes);
    g_assert_true(all->all_mounts);
    g_autoptr(cache_spec) embedded = parse(CACHE_WRITE, "type=inline", notes);
    g_assert_cmpstr(embedded->label, ==, "inline");
}

static void test_environment(void)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(cache_spec) gha = parse(CACHE_READ, "type=gha", notes);
    g_assert_cmpstr(cache_spec_get(gha, "url_v2"), ==, "https://results.example/");
    g_assert_cmpstr(cache_spec_get(gha, "token"), ==, "tok3n");
    g_assert_cmpstr(gha->label, ==, "gha varve");
    g_autoptr(cache_spec) s3 = parse(CACHE_WRITE, "type=s3,bucket=b,prefix=p/,name=n", notes);
    g_assert_cmpstr(cache_spec_get(s3, "region"), ==, "eu-west-1");
    g_assert_cmpstr(cache_spec_get(s3, "session_token"), ==, "envsession");
    g_assert_cmpstr(cache_spec_get(s3, "touch_refresh"), ==, "24h");
    g_assert_cmpstr(s3->label, ==, "s3 b/p/n");
    /* Said keys do not mix with a session of the environment. */
    g_autoptr(cache_spec) said =
        parse(CACHE_READ, "type=s3,bucket=b,access_key_id=i,secret_access_key=s", notes);
    g_assert_null(cache_spec_get(said, "session_token"));
    g_autoptr(cache_spec) az = parse(CACHE_READ, "type=azblob", notes);
    g_assert_cmpstr(cache_spec_get(az, "account_url"), ==, "https://acc.blob.example");
    g_assert_cmpstr(az->label, ==, "azblob buildkit-cache/varve");
    g_assert_cmpuint(notes->len, ==, 0);
}

/* Whether both name one reference. */
static gboolean same(const char *from, const char *to)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(cache_spec) a = parse(CACHE_READ, from, notes), b = parse(CACHE_WRITE, to, notes);
    return cache_spec_same(a, b);
}

static void test_share(void)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(cache_spec) s = parse(CACHE_WRITE, "type=registry,ref=a:b,share=true", notes);
    g_autoptr(cache_spec) off = parse(CACHE_WRITE, "type=registry,ref=a:b", notes);
    g_assert_true(s->share);
    g_assert_false(off->share);
    g_assert_true(same("a:b", "type=registry,ref=a:b,share=true"));
    g_assert_false(same("a:c", "type=registry,ref=a:b"));
    g_assert_true(same("type=local,src=x", "type=local,dest=x"));
    g_assert_false(same("type=local,src=x,tag=t", "type=local,dest=x"));
    g_assert_false(same("type=s3,bucket=b,endpoint_url=http://x", "type=s3,bucket=b"));
}

static const struct {
    enum cache_use use;
    const char *text, *words, *next;
} bad[] = {
    {CACHE_READ, "", "no type=", "registry, local"},
    {CACHE_READ, "ref=a", "no type=", NULL},
    {CACHE_READ, "type=regisrty,ref=a", "did you mean registry?", NULL},
    {CACHE_READ, "type=registry", "type=registry needs ref=", NULL},
    {CACHE_READ, "type=registry,ref=A B", "A B", NULL},
    {CACHE_READ, "type=local,dest=x", "needs src=", NULL},
    {CACHE_WRITE, "type=local,src=x", "needs dest=", NULL},
    {CACHE_WRITE, "type=registry,ref=a,mdoe=max", "did you mean mode?", "takes ref"},
    {CACHE_WRITE, "type=registry,ref=a,mode=mx", "mode=mx: not min or max", NULL},
    {CACHE_WRITE, "type=registry,ref=a,bucket=x", "\"bucket\" is unknown for type=registry", NULL},
    {CACHE_WRITE, "type=registry,ref=a,ignore-error=x", "neither true nor false", NULL},
    {CACHE_WRITE, "type=registry,ref=a,compression=lz", "unknown compression", NULL},
    {CACHE_WRITE, "type=registry,ref=a,compression=estargz", "estargz is not supported", "gzip"},
    {CACHE_WRITE, "type=registry,ref=a,compression-level=99", "99", NULL},
    {CACHE_WRITE, "type=registry,ref=a,mounts=npm,pip", "\"pip\" is not attribute", "npm;pip"},
    {CACHE_WRITE, "type=registry,ref=a,mounts=npm;;pip", "an empty id", NULL},
    {CACHE_WRITE, "type=registry,ref=a,mounts-max=many", "many", NULL},
    {CACHE_READ, "type=s3", "needs bucket=…, or in the environment AWS_BUCKET", NULL},
    {CACHE_READ, "type=azblob,account_url=http://h:/acc?sig=p4ss", "is not an http or https URL",
     NULL},
    {CACHE_READ, "type=s3,bucket=b,endpoint_url=ftp://u:p4ss@x", "is not an http or https URL",
     NULL},
    {CACHE_WRITE, "type=s3,bucket=b,touch_refresh=-1h", "negative", NULL},
    {CACHE_WRITE, "type=s3,bucket=b,upload_parallelism=0", "from 1 to 64", NULL},
    {CACHE_READ, "type=local,src=x,digest=sha256:1", "sha256:1", NULL},
    {CACHE_READ, "type=gha,timeout=soon", "soon", NULL},
};

static void test_bad(void)
{
    g_autoptr(GPtrArray) notes = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        g_test_message("%s", bad[i].text);
        g_assert_null(cache_spec_parse(bad[i].use, bad[i].text, variables, notes, &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_USAGE);
        g_assert_true(g_str_has_prefix(err->message, bad[i].use == CACHE_READ ? "--cache-from: "
                                                                              : "--cache-to: "));
        g_test_message("%s", err->message);
        g_assert_nonnull(strstr(err->message, bad[i].words));
        g_assert_null(strstr(err->message, "p4ss"));
        g_assert_true(!bad[i].next || (error_next(err) && strstr(error_next(err), bad[i].next)));
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/spec/registry", test_registry);
    g_test_add_func("/cache/spec/environment", test_environment);
    g_test_add_func("/cache/spec/share", test_share);
    g_test_add_func("/cache/spec/bad", test_bad);
    return g_test_run();
}
