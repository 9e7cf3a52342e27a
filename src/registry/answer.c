#include "registry/answer.h"

#include "base/error.h"
#include "text/fit.h"

#include <jansson.h>
#include <string.h>

#define MAX_REASON 300

void answer_challenge(const struct http_response *a, struct challenge *out)
{
    const char *value;
    guint at = 0;
    *out = (struct challenge){0};
    while ((value = http_response_next_field(a, "WWW-Authenticate", &at)))
        challenge_merge(out, value, strlen(value));
}

gboolean answer_digest(const struct http_response *a, struct digest *out)
{
    const char *text = http_response_field(a, "Docker-Content-Digest");
    return text && digest_parse(out, text, NULL);
}

void answer_advise_trust(const struct http_response *a, GError **err)
{
    if (a->untrusted)
        error_add_next(err, "name its CA certificate in SSL_CERT_FILE or a certs.d folder, or "
                            "mark the host insecure");
}

char *answer_reason(const struct http_response *a)
{
    json_t *root = json_loadb((const char *)a->body->data, a->body->len, 0, NULL);
    json_t *first = json_array_get(json_object_get(root, "errors"), 0);
    const char *code = json_string_value(json_object_get(first, "code"));
    const char *message = json_string_value(json_object_get(first, "message"));
    /* Token servers and some registries put it at the top. */
    if (!message && !code)
        message = json_string_value(json_object_get(root, "details"));
    if (!message && !code)
        message = json_string_value(json_object_get(root, "message"));
    const char *text = message && *message ? message : code;
    char *reason = text && *text ? text_one_line(text, MAX_REASON) : NULL;
    json_decref(root);
    return reason;
}
