#include "cli/root.h"

#include "store/store.h"

static char *chosen;

void root_choose(const char *dir)
{
    g_free(chosen);
    chosen = g_canonicalize_filename(dir, NULL);
}

const char *root_path(void)
{
    const char *given = g_getenv("VARVE_ROOT");
    g_autofree char *standard = store_default_root();
    if (!chosen)
        root_choose(given && *given ? given : standard);
    return chosen;
}
