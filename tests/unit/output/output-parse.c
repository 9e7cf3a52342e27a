#include "base/error.h"
#include "output/output.h"

#include <string.h>

static void test_good(void)
{
    g_autoptr(output) o =
        output_parse("type=oci,dest=x.tar,tar=false,compression=zstd,compression-level=3,"
                     "annotation.k=v,source-date-epoch=7",
                     NULL);
    g_assert_nonnull(o);
    g_assert_cmpint(o->type, ==, OUTPUT_OCI);
    g_assert_cmpstr(o->dest, ==, "x.tar");
    g_assert_true(o->as_directory);
    g_assert_cmpint(o->image.layers.compression, ==, COMPRESS_ZSTD);
    g_assert_cmpint(o->image.layers.level, ==, 3);
    g_assert_cmpint(o->epoch, ==, 7);
    const struct annotation *a = g_ptr_array_index(o->image.annotations, 0);
    g_assert_cmpint(a->what, ==, ANNOTATED_MANIFEST);
    g_assert_cmpstr(a->key, ==, "k");
    g_assert_cmpstr(a->value, ==, "v");
    g_autoptr(output) names = output_parse("type=registry,\"name=a:1,b:2\",oci-mediatypes=F", NULL);
    g_assert_true(names->push);
    g_assert_cmpstr(names->names[1], ==, "b:2");
    g_assert_true(names->image.docker_types);
    g_autoptr(output) odd = output_parse(" Type=tar, DEST=y", NULL);
    g_assert_cmpint(odd->type, ==, OUTPUT_TAR);
    g_assert_cmpstr(odd->dest, ==, "y");
    g_autoptr(output) dir = output_parse("out/dir", NULL);
    g_assert_cmpint(dir->type, ==, OUTPUT_LOCAL);
    g_autoptr(output) tar = output_parse("-", NULL);
    g_assert_cmpint(tar->type, ==, OUTPUT_TAR);
    g_autoptr(output) piped = output_parse("type=oci", NULL);
    g_assert_cmpstr(piped->dest, ==, "-");
    g_autoptr(output) loaded = output_parse("type=docker", NULL);
    g_assert_null(loaded->dest);
    g_assert_false(loaded->image.docker_types);
}

/* Archives for docker load have Docker's media types unless told otherwise. */
static void test_docker_types(void)
{
    static const struct {
        const char *spec;
        gboolean docker;
    } specs[] = {{"type=docker,dest=a", TRUE},
                 {"dest=a,type=docker,oci-mediatypes=true", FALSE},
                 {"type=docker,dest=a,compression=zstd", FALSE},
                 {"type=oci,dest=a", FALSE}};
    for (guint i = 0; i < G_N_ELEMENTS(specs); i++) {
        g_autoptr(output) o = output_parse(specs[i].spec, NULL);
        g_assert_cmpint(o->image.docker_types, ==, specs[i].docker);
    }
}

static void check_annotation(const GPtrArray *all, enum annotated what, const char *platform,
                             const char *key, const char *value)
{
    struct platform p;
    g_assert_true(platform_parse(&p, platform, NULL));
    GTree *tree = annotations_of(all, what, &p);
    g_assert_cmpstr(tree ? g_tree_lookup(tree, key) : NULL, ==, value);
    g_clear_pointer(&tree, g_tree_unref);
}

/* What is said of one platform comes before what is said of all. */
static void test_annotations(void)
{
    g_autoptr(output) o = output_parse(
        "type=image,annotation-manifest[linux/arm64/v8].k=arm,annotation.k=all,annotation.K.k=x,"
        "annotation-index.k=i,annotation-manifest-descriptor.k=d",
        NULL);
    const struct platform arm = {"linux", "arm64", ""}, s390x = {"linux", "s390x", ""};
    const GPtrArray *all = o->image.annotations;
    check_annotation(all, ANNOTATED_MANIFEST, "linux/arm64", "k", "arm");
    check_annotation(all, ANNOTATED_MANIFEST, "linux/amd64", "k", "all");
    check_annotation(all, ANNOTATED_MANIFEST, "linux/amd64", "K.k", "x");
    check_annotation(all, ANNOTATED_INDEX, "linux/amd64", "k", "i");
    check_annotation(all, ANNOTATED_MANIFEST_DESCRIPTOR, "linux/amd64", "k", "d");
    check_annotation(all, ANNOTATED_INDEX_DESCRIPTOR, "linux/amd64", "k", NULL);
    g_assert_cmpint(annotations_of_index(all)->what, ==, ANNOTATED_INDEX);
    g_assert_null(annotations_astray(all, &arm, 1));
    g_autofree char *astray = annotation_kind(annotations_astray(all, &s390x, 1));
    g_assert_cmpstr(astray, ==, "manifest[linux/arm64]");
}

/* What fails, and words of its message; "check: " marks what output_check() finds. */
static const struct {
    const char *spec, *words;
} bad[] = {
    {"", "no path and no type given"},
    {"dest=a", "no type= given"},
    {"type=floppy,dest=a", "the type \"floppy\" is unknown"},
    {"type=image,psuh=true", "did you mean push?"},
    {"type=image,unpack=true", "the key \"unpack\" is unknown"},
    {"type=image,dest=x", "dest does not apply to type=image, only to oci, docker, local, tar"},
    {"type=registry,tar=false", "tar does not apply to type=registry"},
    {"type=oci,dest=a,push=true", "type=oci takes dest, tar, name, compression,"},
    {"type=local,dest=a,name=b", "name does not apply to type=local"},
    {"type=tar,dest=a,compression=gzip", "compression does not apply to type=tar"},
    {"type=cacheonly,dest=a", "type=cacheonly takes nothing else"},
    {"type=local,dest=a,annotation.k=v", "annotation.k does not apply to type=local"},
    {"type=image,annotation=v", "annotation names no annotation"},
    {"type=image,annotations.k=v", "annotations.k names no annotation"},
    {"type=image,annotation-layer.k=v", "there is no kind of annotation \"layer\""},
    {"type=image,annotation-index[linux/arm64].k=v", "the index is not for one platform"},
    {"type=image,annotation[linux/arm64.k=v", "does not end in ]"},
    {"type=image,push", "\"push\" is not key=value"},
    {"type=image,push=maybe", "push=maybe is neither true nor false"},
    {"type=image,name=\"a,b\"", "a quote is misplaced"},
    {"type=oci,dest=a,compression=rar", "unknown compression \"rar\""},
    {"type=oci,dest=a,compression-level=-1", "compression-level=-1 is not a number from 0"},
    {"type=oci,dest=a,source-date-epoch=-1", "source-date-epoch=-1 is not a number from 0"},
    {"type=oci,dest=a,compression-level=13", "check: there is no gzip level 13 (0 to 12)"},
    {"type=oci,dest=a,compression=zstd,compression-level=23",
     "check: there is no zstd level 23 (0 to 22)"},
    {"type=oci,dest=a,compression=uncompressed,compression-level=1",
     "check: compression \"uncompressed\" has no levels"},
    {"type=oci,dest=a,compression=zstd,oci-mediatypes=false",
     "check: do not cover compression=zstd"},
    {"type=image,push-by-digest=true", "check: push-by-digest needs push=true"},
    {"type=image,registry.insecure=true", "check: registry.insecure needs push=true"},
    {"type=image,name=UPPER", "check: repository names must be lower case"},
    {"type=local", "check: no dest="},
    {"type=local,dest=-", "check: a directory cannot go to stdout"},
    {"type=oci,tar=false,dest=-", "check: leave out tar=false"},
    {"type=oci,tar=false", "check: no dest="},
    {"type=oci,dest=/", "check: dest=/ is a directory, not a file"},
    {"type=local,dest=/dev/null", "check: dest=/dev/null is a file, not a directory"},
    {"type=tar,dest=/no/such/place/x", "check: there is no directory /no/such/place"},
};

static void test_bad(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        const char *words = bad[i].words;
        gboolean later = g_str_has_prefix(words, "check: ");
        g_autoptr(GError) err = NULL;
        g_autoptr(output) o = output_parse(bad[i].spec, &err);
        if ((o != NULL) != later)
            g_error("%s: %s", bad[i].spec, o ? "parsed" : err->message);
        if (later && output_check(o, &err))
            g_error("%s: found good", bad[i].spec);
        g_autofree char *said = error_text(err);
        if (!strstr(said, words + (later ? strlen("check: ") : 0)))
            g_error("%s: %s", bad[i].spec, said);
        g_assert_true(g_str_has_prefix(err->message, "--output: "));
        g_assert_cmpint(varve_error_exit_code(err), ==,
                        err->code == VARVE_ERROR_UNSUPPORTED ? 1 : 2);
    }
}

static void test_check(void)
{
    static const char *const good[] = {"type=image,name=a:1",
                                       "type=tar,dest=/dev/null",
                                       "type=local,dest=/no/such/place",
                                       "type=docker",
                                       "type=cacheonly",
                                       "type=oci,dest=x.tar,compression=zstd,compression-level=22"};
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(output) o = output_parse(good[i], &err);
        g_assert_no_error(err);
        output_check(o, &err);
        g_assert_no_error(err);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/output/annotations", test_annotations);
    g_test_add_func("/output/parse/good", test_good);
    g_test_add_func("/output/parse/docker-types", test_docker_types);
    g_test_add_func("/output/parse/bad", test_bad);
    g_test_add_func("/output/parse/check", test_check);
    return g_test_run();
}
