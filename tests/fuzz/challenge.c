/* WWW-Authenticate fields: two, when a line feed separates them. */
#include "fuzz.h"

#include "registry/challenge.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *next = size ? memchr(data, '\n', size) : NULL;
    gsize first = next ? (gsize)(next - data) : size;
    g_auto(challenge) c = {0};
    challenge_parse(&c, (const char *)data, first);
    if (next)
        challenge_merge(&c, (const char *)next + 1, size - first - 1);
    if (c.scheme == CHALLENGE_NONE)
        g_assert_true(!c.realm && !c.service && !c.scope && !c.error);
    return 0;
}
