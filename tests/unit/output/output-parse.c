#include "base/error.h"
#include "output/output.h"

static void test_good(void)
{
    g_autoptr(output) o = output_parse("type=oci,dest=x.tar,tar=false,compression=zstd,compression-level=3,"
                                       "oci-mediatypes=false,annotation.k=v", NULL);
    g_assert_nonnull(o);
    g_assert_cmpint(o->type, ==, OUTPUT_OCI);
    g_assert_cmpstr(o->dest, ==, "x.tar");
    g_assert_true(o->as_directory);
    g_assert_cmpint(o->image.layers.compression, ==, COMPRESS_ZSTD);
    g_assert_cmpint(o->image.layers.level, ==, 3);
    g_assert_true(o->image.docker_types);
    g_assert_cmpstr(g_tree_lookup(o->image.annotations, "k"), ==, "v");
    g_autoptr(output) names = output_parse("type=registry,\"name=a:1,b:2\"", NULL);
    g_assert_true(names->push);
    g_assert_cmpstr(names->names[1], ==, "b:2");
    g_autoptr(output) dir = output_parse("out/dir", NULL);
    g_assert_cmpint(dir->type, ==, OUTPUT_LOCAL);
    g_autoptr(output) tar = output_parse("-", NULL);
    g_assert_cmpint(tar->type, ==, OUTPUT_TAR);
}

static void test_bad(void)
{
    static const char *const bad[] = {"type=oci",        "type=floppy,dest=a", "type=oci,dest=a,push=maybe",
                                      "type=local,dest=-", "type=image,psuh=true", "dest=a",
                                      "type=oci,dest=a,compression=rar", "type=image,annotation=v"};
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *err = NULL;
        g_assert_null(output_parse(bad[i], &err));
        g_assert_nonnull(err);
        g_assert_cmpint(err->domain, ==, VARVE_ERROR);
        g_clear_error(&err);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/output/parse/good", test_good);
    g_test_add_func("/output/parse/bad", test_bad);
    return g_test_run();
}
