#include "cli/pulling.h"

#include "base/error.h"
#include "build/session.h"
#include "cli/outside.h"
#include "source/presence.h"
#include "store/absent.h"
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

gboolean pulling_complete(const struct pulling *how, struct store *s, const struct chain *c,
                          const char *name, GError **err)
{
    gboolean missing;
    enum progress_mode mode;
    if (!store_chain_lacks(s, c, NEED_FILES, &missing, err) || !missing)
        return !missing;
    if (how->policy == PULL_NEVER) {
        error_set(
            err, VARVE_ERROR_NOT_FOUND,
            "%s is known, but layers of it were left at their registry, and --pull=never does "
            "not allow pulling them",
            name);
        error_add_next(err, "leave --pull=never out");
        return FALSE;
    }
    if (!progress_mode_parse(how->progress ? how->progress : "auto", &mode, err))
        return FALSE;
    g_autoptr(registry_config) config = registry_config_for(how->insecure, err);
    if (!config)
        return FALSE;
    g_autoptr(progress) shown = progress_new(stderr, mode, name);
    presence_install(s, &(struct presence_options){.registry = config,
                                                   .events = progress_sink(shown),
                                                   .cancel = how->cancel});
    gboolean ok = store_chain_need(s, c, NEED_FILES, err);
    store_set_fetcher(s, NULL);
    return ok;
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
