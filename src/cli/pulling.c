#include "cli/pulling.h"

#include "build/session.h"
#include "cli/outside.h"
#include "ui/progress.h"

struct registry_config *registry_config_for(char **insecure, GError **err)
{
    struct build_config config;
    if (!configured(&config, err))
        return NULL;
    for (; insecure && *insecure; insecure++)
        g_hash_table_add(config.registry->insecure, g_strdup(*insecure));
    return g_steal_pointer(&config.registry);
}

gboolean pulling_run(const struct pulling *how, struct store *s, const struct reference *ref,
                     const struct platform *p, GError **err)
{
    enum progress_mode mode;
    if (!progress_mode_parse(how->progress ? how->progress : "auto", &mode, err))
        return FALSE;
    g_autoptr(registry_config) config = registry_config_for(how->insecure, err);
    if (!config)
        return FALSE;
    g_autofree char *title = reference_familiar(ref);
    g_autoptr(progress) shown = progress_new(stderr, mode, title);
    struct session_pull pull = {config, how->policy, progress_sink(shown), how->cancel};
    return session_pull(&pull, s, ref, p, err);
}
