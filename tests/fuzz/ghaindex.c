/* An index of GitHub's cache: what is read is written so that it is read again. */
#include "fuzz.h"

#include "cache/ghaindex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
    g_autoptr(ghaindex) x = ghaindex_parse(bytes, NULL);
    if (!x)
        return 0;
    g_autoptr(GBytes) again = ghaindex_write(x);
    g_autoptr(ghaindex) y = ghaindex_parse(again, NULL);
    g_assert_nonnull(y);
    g_assert_cmpuint(x->base, ==, y->base);
    g_assert_cmpuint(x->segments->len, ==, y->segments->len);
    g_assert_cmpuint(x->packs->len, ==, y->packs->len);
    return 0;
}
