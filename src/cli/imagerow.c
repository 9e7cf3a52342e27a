#include "cli/imagerow.h"

#include "image/config.h"
#include "store/absent.h"

guint64 image_bytes(struct store *s, const struct image_row *r)
{
    struct layer_info info;
    guint64 sum = 0;
    for (guint i = 0; r->size == 0 && r->chain && i < r->chain->n; i++)
        if (store_layer_get(s, r->chain->ids[i], &info, NULL))
            sum += info.size;
    return sum + r->size;
}

guint image_absent(struct store *s, const struct image_row *r, guint64 *bytes)
{
    guint n = 0;
    if (bytes)
        *bytes = 0;
    if (r->chain && !store_chain_absent(s, r->chain, &n, bytes, NULL))
        return 0;
    return n;
}

void set_true_platform(struct store *s, struct image_row *r)
{
    struct platform stored;
    g_autoptr(image_conf) conf = image_conf_load(s, &r->config, NULL);
    if (!conf || !*conf->platform.arch || !platform_parse(&stored, r->platform, NULL) ||
        (g_str_equal(stored.os, conf->platform.os) &&
         g_str_equal(stored.arch, conf->platform.arch)))
        return;
    g_free(r->platform);
    r->platform = platform_text(&conf->platform);
}
