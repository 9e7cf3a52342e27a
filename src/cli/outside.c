#include "cli/outside.h"

#include "base/error.h"
#include "build/session.h"
#include "cli/report.h"
#include "cli/root.h"

#include <unistd.h>

struct store *open_store(GError **err)
{
    return session_open_store(root_path(), report_sink(), err);
}

struct registry_config *configured_registry(enum netpool_rule *network, GError **err)
{
    struct build_config c;
    if (!build_config_load(&c, g_getenv("VARVE_CONFIG"), report_sink(), err))
        return NULL;
    if (network)
        *network = c.network;
    return c.registry;
}

gboolean stdout_takes_archive(GError **err)
{
    if (!isatty(STDOUT_FILENO))
        return TRUE;
    error_set(err, VARVE_ERROR_USAGE, "stdout is a terminal; an archive cannot be written to it");
    error_add_next(err, "redirect it to a file, or give dest=PATH");
    return FALSE;
}
