/* Signatures against the examples that Amazon publishes for Signature Version 4 with S3; those of
 * Azure are checked by a server (cache-objects). */
#include "cache/sign.h"

#include <string.h>

#define NOW 1369353600 /* 2013-05-24T00:00:00Z */

static const struct aws_login login = {.id = "AKIAIOSFODNN7EXAMPLE",
                                       .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                                       .region = "us-east-1"};

static const struct {
    const char *target, *signature;
} examples[] = {
    {"/?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {"/?max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static char *sign_get(const struct aws_login *l, const char *target)
{
    g_autofree char *text = g_strconcat("https://examplebucket.s3.amazonaws.com", target, NULL);
    g_autoptr(url) u = url_parse(text, NULL);
    struct http_request rq = {.method = "GET"};
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(g_free);
    sign_aws(l, &rq, u, NULL, NOW, out);
    return g_strdup(out->pdata[out->len - 1]);
}

static void test_aws(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(examples); i++) {
        g_autofree char *got = sign_get(&login, examples[i].target);
        g_assert_true(g_str_has_prefix(got, "Authorization: AWS4-HMAC-SHA256 Credential="
                                            "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                                            "aws4_request, SignedHeaders=host;"));
        g_assert_true(g_str_has_suffix(got, examples[i].signature));
    }
    struct aws_login with = login;
    with.session = "token";
    g_autofree char *got = sign_get(&with, "/");
    g_assert_nonnull(strstr(got, "x-amz-date;x-amz-security-token"));
}

static void test_escape(void)
{
    g_autofree char *key = sign_escape("blobs/sha256:0 ~", TRUE);
    g_assert_cmpstr(key, ==, "blobs/sha256%3A0%20~");
    g_autofree char *value = sign_escape("a/b+c", FALSE);
    g_assert_cmpstr(value, ==, "a%2Fb%2Bc");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/cache/sign/aws", test_aws);
    g_test_add_func("/cache/sign/escape", test_escape);
    return g_test_run();
}
