/* Image configs: what is read, how strictly, and the exact bytes that are written. */
#include "image/config.h"

#include "base/error.h"

#include <string.h>

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define D2 "sha256:2222222222222222222222222222222222222222222222222222222222222222"
#define ROOTFS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"" D1 "\",\"" D2 "\"]}"

/* As BuildKit writes it: top-level keys sorted, the config's in its struct order, Go's escapes. */
static const char canonical[] =
    "{\"architecture\":\"arm\",\"author\":\"Some One "
    "\\u003ca@b\\u003e\",\"config\":{\"User\":\"app:devs\","
    "\"ExposedPorts\":{\"443/tcp\":{},\"53/udp\":{}},\"Env\":[\"PATH=/bin\",\"A=\\u0026\\n\\\"\"],"
    "\"Entrypoint\":[\"/bin/e\"],\"Cmd\":[\"c\",\"\"],\"Volumes\":{\"/v1\":{},\"/v2\":{}},"
    "\"WorkingDir\":\"/w\",\"Labels\":{\"a\":\"b\",\"k\":\"\"},\"StopSignal\":\"SIGTERM\","
    "\"ArgsEscaped\":true,\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],\"Interval\":"
    "5000000000,"
    "\"Retries\":3},\"OnBuild\":[\"RUN x\"],\"Shell\":[\"/bin/ash\",\"-c\"]},"
    "\"created\":\"2020-01-02T03:04:05Z\",\"history\":[{\"created\":\"2020-01-02T03:04:05Z\","
    "\"created_by\":\"RUN x # buildkit\",\"comment\":\"buildkit.dockerfile.v0\"},"
    "{\"created_by\":\"ENV A=b\",\"author\":\"me\",\"empty_layer\":true}],\"os\":\"linux\"," ROOTFS
    ",\"variant\":\"v7\"}";

static void test_round_trip(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(image_conf) c = image_conf_parse(canonical, strlen(canonical), &err);
    g_assert_no_error(err);
    g_assert_cmpstr(c->user, ==, "app:devs");
    g_assert_cmpstr(image_conf_getenv(c, "A"), ==, "&\n\"");
    g_assert_cmpint(c->health->retries, ==, 3);
    g_assert_cmpuint(c->diff_ids->len, ==, 2);
    g_assert_true(((struct history *)c->history->pdata[1])->empty_layer);
    g_autoptr(image_conf) copy = image_conf_copy(c);
    g_autoptr(GBytes) out = image_conf_write(copy);
    g_autofree char *text = g_strndup(g_bytes_get_data(out, NULL), g_bytes_get_size(out));
    g_assert_cmpstr(text, ==, canonical);
}

static void test_legacy_fields_are_dropped(void)
{
    static const char json[] =
        "{\"id\":\"x\",\"container_config\":{\"Cmd\":[1]},\"architecture\":\"amd64\",\"config\":{"
        "\"Hostname\":\"h\",\"Env\":null,\"Cmd\":[],\"Volumes\":null,\"OnBuild\":null,\"Image\":"
        "\"\"},"
        "\"os\":\"linux\"," ROOTFS "}";
    g_autoptr(GError) err = NULL;
    g_autoptr(image_conf) c = image_conf_parse(json, strlen(json), &err);
    g_assert_no_error(err);
    g_assert_nonnull(c->cmd);
    g_autoptr(GBytes) out = image_conf_write(c);
    g_autofree char *text = g_strndup(g_bytes_get_data(out, NULL), g_bytes_get_size(out));
    g_assert_cmpstr(text, ==,
                    "{\"architecture\":\"amd64\",\"config\":{},\"os\":\"linux\"," ROOTFS "}");
}

static const struct bad {
    const char *json, *message; /* message: part of the error */
} bad[] = {
    {"[]", "not a JSON object"},
    {"{\"architecture\":\"amd64\",\"os\":\"linux\"}", "\"rootfs\" is missing"},
    {"{\"architecture\":\"amd64amd64amd64amd64\"," ROOTFS "}", "\"architecture\""},
    {"{\"architecture\":\"amd64\",\"config\":{\"Env\":[1]}," ROOTFS "}", "\"Env\" is not"},
    {"{\"architecture\":\"amd64\",\"config\":{\"Env\":\"A=b\"}," ROOTFS "}", "\"Env\" is not"},
    {"{\"architecture\":\"amd64\",\"config\":{\"Labels\":{\"a\":1}}," ROOTFS "}",
     "\"Labels\" is not"},
    {"{\"architecture\":\"amd64\",\"config\":{\"ArgsEscaped\":1}," ROOTFS "}",
     "\"ArgsEscaped\" is not"},
    {"{\"architecture\":\"amd64\",\"config\":{\"User\":\"a\\u0000b\"}," ROOTFS "}", "NUL"},
    {"{\"architecture\":\"amd64\",\"architecture\":\"arm64\"," ROOTFS "}", "uplicate"},
    {"{\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:1\"]}}",
     "not a digest"},
    {"{\"architecture\":\"amd64\",\"history\":[3]," ROOTFS "}", "\"history\""},
};

/* As old images are: nothing but the layers. */
static void test_bare(void)
{
    static const char json[] = "{" ROOTFS "}";
    g_autoptr(image_conf) c = image_conf_parse(json, strlen(json), NULL);
    g_assert_nonnull(c);
    g_autofree char *platform = platform_text(&c->platform);
    g_assert_cmpstr(platform, ==, "linux");
}

static void test_bad(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;
        g_assert_null(image_conf_parse(bad[i].json, strlen(bad[i].json), &err));
        g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
        if (!strstr(err->message, bad[i].message))
            g_error("%s: \"%s\" does not say \"%s\"", bad[i].json, err->message, bad[i].message);
    }
}

/* Nesting beyond the parser's limit is an error, not a stack overflow. */
static void test_deep(void)
{
    g_autoptr(GString) s = g_string_new("{\"a\":");
    for (int i = 0; i < 1000000; i++)
        g_string_append_c(s, '[');
    g_autoptr(GError) err = NULL;
    g_assert_null(image_conf_parse(s->str, s->len, &err));
    g_assert_error(err, VARVE_ERROR, VARVE_ERROR_INVALID);
}

static void test_env(void)
{
    struct platform p = {"linux", "amd64", ""};
    g_autoptr(image_conf) c = image_conf_new(&p);
    image_conf_setenv(c, "A", "1");
    image_conf_setenv(c, "AB", "2");
    image_conf_setenv(c, "A", "3");
    g_assert_cmpuint(c->env->len, ==, 2);
    g_assert_cmpstr(c->env->pdata[0], ==, "A=3");
    g_assert_cmpstr(image_conf_getenv(c, "AB"), ==, "2");
    g_assert_null(image_conf_getenv(c, "B"));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/config/round-trip", test_round_trip);
    g_test_add_func("/config/legacy", test_legacy_fields_are_dropped);
    g_test_add_func("/config/bad", test_bad);
    g_test_add_func("/config/bare", test_bare);
    g_test_add_func("/config/deep", test_deep);
    g_test_add_func("/config/env", test_env);
    return g_test_run();
}
