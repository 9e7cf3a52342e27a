#include "cli/shared.h"

#include "store/store.h"

int cmd_version(const struct command *c, int argc, char **argv, GError **err)
{
    if (!command_begin(c, NULL, &argc, &argv, 0, 0, err))
        return 0;
    struct platform host;
    platform_host(&host);
    g_autofree char *platform = platform_text(&host);
    g_autofree char *fallback = store_default_root();
    const char *root = g_getenv("VARVE_ROOT");
    printf("varve %s\nplatform  %s\nstore     %s\n", VARVE_VERSION, platform,
           root && *root ? root : fallback);
    return 0;
}
