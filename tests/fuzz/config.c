/* Image configs: what is accepted is written so that it reads the same. */
#include "fuzz.h"

#include "image/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(image_conf) c = image_conf_parse(data, size, &err);
    g_assert_true((c == NULL) == (err != NULL));
    if (!c)
        return 0;
    g_autoptr(GBytes) written = image_conf_write(c);
    g_autoptr(image_conf) again =
        image_conf_parse(g_bytes_get_data(written, NULL), g_bytes_get_size(written), NULL);
    g_assert_nonnull(again);
    g_autoptr(GBytes) same = image_conf_write(again);
    g_assert_true(g_bytes_equal(written, same));
    return 0;
}
