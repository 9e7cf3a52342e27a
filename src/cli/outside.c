#include "cli/outside.h"

#include "base/error.h"
#include "build/session.h"
#include "build/userenv.h"
#include "cli/report.h"
#include "cli/root.h"

#include <unistd.h>

struct store *open_store(GError **err)
{
    return session_open_store(root_path(), report_sink(), err);
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
