/* Manifests and indexes: parsing, limits, choosing a platform, and the bytes written. */
#include "image/manifest.h"

#include "base/error.h"

#include <string.h>

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define CONFIG                                                                                     \
    "\"config\":{\"mediaType\":\"" MEDIA_OCI_CONFIG "\",\"digest\":\"" D1 "\",\"size\":7}"

static const char canonical_manifest[] = "{\n"
                                         "  \"schemaVersion\": 2,\n"
                                         "  \"mediaType\": \"" MEDIA_OCI_MANIFEST "\",\n"
                                         "  \"config\": {\n"
                                         "    \"mediaType\": \"" MEDIA_OCI_CONFIG "\",\n"
                                         "    \"digest\": \"" D1 "\",\n"
                                         "    \"size\": 7\n"
                                         "  },\n"
                                         "  \"layers\": [\n"
                                         "    {\n"
                                         "      \"mediaType\": \"" MEDIA_OCI_LAYER "+gzip\",\n"
                                         "      \"digest\": \"" D1 "\",\n"
                                         "      \"size\": 32\n"
                                         "    }\n"
                                         "  ],\n"
                                         "  \"annotations\": {\n"
                                         "    \"a\": \"b\"\n"
                                         "  }\n"
                                         "}";
static const char canonical_index[] = "{\n"
                                      "  \"schemaVersion\": 2,\n"
                                      "  \"mediaType\": \"" MEDIA_OCI_INDEX "\",\n"
                                      "  \"manifests\": [\n"
                                      "    {\n"
                                      "      \"mediaType\": \"" MEDIA_OCI_MANIFEST "\",\n"
                                      "      \"digest\": \"" D1 "\",\n"
                                      "      \"size\": 424,\n"
                                      "      \"annotations\": {\n"
                                      "        \"x\": \"y\"\n"
                                      "      },\n"
                                      "      \"platform\": {\n"
                                      "        \"architecture\": \"arm\",\n"
                                      "        \"os\": \"linux\",\n"
                                      "        \"variant\": \"v7\"\n"
                                      "      }\n"
                                      "    }\n"
                                      "  ]\n"
                                      "}";

static void check_round_trip(const char *json)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(manifest) m = manifest_parse(json, strlen(json), NULL, &err);
    g_assert_no_error(err);
    g_autoptr(GBytes) out = manifest_write(m);
    g_autofree char *text = g_strndup(g_bytes_get_data(out, NULL), g_bytes_get_size(out));
    g_assert_cmpstr(text, ==, json);
}

static void test_round_trip(void)
{
    check_round_trip(canonical_manifest);
    check_round_trip(canonical_index);
}

static const struct typed {
    const char *json, *given, *type; /* type: NULL when it is refused as unsupported */
} typed[] = {
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", NULL, MEDIA_OCI_MANIFEST},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", MEDIA_DOCKER_MANIFEST,
     MEDIA_DOCKER_MANIFEST},
    {"{\"schemaVersion\":2," CONFIG ",\"layers\":[]}", "application/json", MEDIA_OCI_MANIFEST},
    {"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\"," CONFIG "}",
     MEDIA_OCI_MANIFEST, MEDIA_DOCKER_MANIFEST},
    {"{\"schemaVersion\":2,\"manifests\":[]}", NULL, MEDIA_OCI_INDEX},
    {"{\"schemaVersion\":2,\"manifests\":[]}", MEDIA_DOCKER_LIST, MEDIA_DOCKER_LIST},
    {"{\"schemaVersion\":1,\"name\":\"x\"}", NULL, NULL},
    {"{\"schemaVersion\":2,\"mediaType\":\"text/plain\"}", NULL, NULL},
    {"{\"schemaVersion\":2}", NULL, NULL},
};

static void test_types(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(typed); i++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(manifest) m =
            manifest_parse(typed[i].json, strlen(typed[i].json), typed[i].given, &err);
        if (typed[i].type) {
            g_assert_no_error(err);
            g_assert_cmpstr(m->media_type, ==, typed[i].type);
        } else {
            g_assert_error(err, VARVE_ERROR, VARVE_ERROR_UNSUPPORTED);
        }
    }
}

static const char *const bad[] = {
    "{\"schemaVersion\":2,\"manifests\":[]," CONFIG ",\"layers\":[]}",
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"manifests\":[]}",
    "{\"schemaVersion\":\"2\"," CONFIG "}",
    "{\"schemaVersion\":3," CONFIG "}",
    "{\"schemaVersion\":2," CONFIG ",\"layers\":{}}",
    "{\"schemaVersion\":2," CONFIG ",\"layers\":[1]}",
    "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"" D1 "\"}]}",
    "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"" D1 "\",\"size\":-1}]}",
    "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"" D1 "\",\"size\":1.5}]}",
    "{\"schemaVersion\":2," CONFIG ",\"layers\":[{\"digest\":\"md5:1\",\"size\":1}]}",
    "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"layers\":[]}",
    "{\"schemaVersion\":2," CONFIG ",\"annotations\":{\"a\":1}}",
    "{\"schemaVersion\":2," CONFIG "} trailing",
};

static void test_bad(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        if (manifest_parse(bad[i], strlen(bad[i]), NULL, &err))
            g_error("accepted: %s", bad[i]);
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
    }
}

static void test_too_many(void)
{
    g_autoptr(GString) s = g_string_new("{\"schemaVersion\":2,\"manifests\":[");
    for (int i = 0; i < 10001; i++)
        g_string_append_printf(s, "%s{\"digest\":\"" D1 "\",\"size\":1}", i ? "," : "");
    g_string_append(s, "]}");
    g_autoptr(GError) err = NULL;
    g_assert_null(manifest_parse(s->str, s->len, NULL, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

static void add_item(struct manifest *m, const char *os, const char *arch, const char *variant,
                     guint64 size)
{
    struct descriptor *d = g_new0(struct descriptor, 1);
    d->media_type = g_strdup(MEDIA_OCI_MANIFEST);
    d->size = size;
    if (os) {
        d->has_platform = TRUE;
        g_strlcpy(d->platform.os, os, sizeof d->platform.os);
        g_strlcpy(d->platform.arch, arch, sizeof d->platform.arch);
        g_strlcpy(d->platform.variant, variant, sizeof d->platform.variant);
    }
    g_ptr_array_add(m->items, d);
}

static void check_choice(const struct manifest *m, const char *want, guint64 size)
{
    g_autoptr(GError) err = NULL;
    struct platform p;
    g_assert_true(platform_parse(&p, want, &err));
    const struct descriptor *d = manifest_choose(m, &p);
    g_assert_cmpuint(d ? d->size : 0, ==, size);
}

static void test_choose(void)
{
    g_autoptr(manifest) m = manifest_new(MEDIA_OCI_INDEX);
    add_item(m, "unknown", "unknown", "", 1);
    add_item(m, "linux", "arm", "v6", 2);
    add_item(m, "linux", "arm", "v7", 3);
    add_item(m, "linux", "amd64", "", 4);
    add_item(m, "linux", "amd64", "", 5);
    check_choice(m, "linux/amd64", 4);
    check_choice(m, "linux/arm/v7", 3);
    check_choice(m, "linux/arm/v6", 2);
    check_choice(m, "linux/s390x", 0);
    g_autofree char *offers = manifest_platforms(m);
    g_assert_cmpstr(offers, ==, "linux/arm/v6, linux/arm/v7, linux/amd64");
    add_item(m, NULL, NULL, NULL, 6);
    check_choice(m, "linux/s390x", 6);
    check_choice(m, "linux/amd64", 4);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/manifest/round-trip", test_round_trip);
    g_test_add_func("/manifest/types", test_types);
    g_test_add_func("/manifest/bad", test_bad);
    g_test_add_func("/manifest/too-many", test_too_many);
    g_test_add_func("/manifest/choose", test_choose);
    return g_test_run();
}
