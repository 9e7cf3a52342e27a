#include "cache/inline.h"

#include "cache/backend.h"
#include "image/jsonin.h"

#include <string.h>

#define MAX_CONFIG (8 * 1024 * 1024)

GBytes *inline_segment(const void *config, gsize len, gboolean *foreign)
{
    json_t *doc = jsonin_parse(config, len, MAX_CONFIG, "image config", NULL);
    const char *text = NULL;
    GBytes *segment = NULL;
    if (foreign)
        *foreign = doc && json_object_get(doc, "moby.buildkit.cache.v0");
    if (doc && jsonin_string(doc, INLINE_MEMBER, &text, NULL) && text) {
        gsize n;
        guchar *bytes = g_base64_decode(text, &n);
        segment = g_bytes_new_take(bytes, n);
    }
    json_decref(doc);
    return segment;
}
