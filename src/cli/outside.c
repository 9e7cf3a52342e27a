#include "cli/outside.h"

#include "base/error.h"
#include "build/session.h"
#include "build/userenv.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/root.h"
#include "source/presence.h"

#include <unistd.h>

static struct registry_config *load_registries(struct cancel **cancel, GError **err)
{
    struct build_config c;
    *cancel = interrupt_watch();
    return configured(&c, err) ? c.registry : NULL;
}

struct store *open_store(GError **err)
{
    struct store *s = session_open_store(root_path(), report_sink(), err);
    if (s)
        presence_install(s, &(struct presence_options){.load = load_registries});
    return s;
}

gboolean configured(struct build_config *c, GError **err)
{
    g_auto(GStrv) env = g_get_environ();
    return build_config_load(c, env, userenv_get(env, "VARVE_CONFIG"), report_sink(), err);
}

gboolean stdout_takes_archive(GError **err)
{
    if (!isatty(STDOUT_FILENO))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "stdout is a terminal; an archive cannot be written to it");
    error_add_next(err, "redirect it to a file, or give dest=PATH");
    return FALSE;
}
