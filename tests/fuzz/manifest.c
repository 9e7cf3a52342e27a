/* Manifests and indexes: what is accepted is written so that it reads the same. */
#include "fuzz.h"

#include "image/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(manifest) m = manifest_parse(data, size, NULL, &err);
    g_assert_true((m == NULL) == (err != NULL));
    if (!m)
        return 0;
    struct platform p;
    platform_host(&p);
    if (m->is_index) {
        manifest_choose(m, &p);
        g_autofree char *offers = manifest_platforms(m);
    }
    g_autoptr(GBytes) written = manifest_write(m);
    g_autoptr(manifest) again = manifest_parse(g_bytes_get_data(written, NULL),
                                               g_bytes_get_size(written), m->media_type, NULL);
    g_assert_nonnull(again);
    g_autoptr(GBytes) same = manifest_write(again);
    g_assert_true(g_bytes_equal(written, same));
    return 0;
}
