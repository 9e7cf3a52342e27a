#include "cli/root.h"

#include "build/userenv.h"

static char *chosen;

void root_choose(const char *dir)
{
    g_free(chosen);
    chosen = g_canonicalize_filename(dir, NULL);
}

const char *root_path(void)
{
    if (!chosen) {
        g_auto(GStrv) env = g_get_environ();
        g_autofree char *usual = userenv_store_root(env);
        root_choose(usual);
    }
    return chosen;
}
