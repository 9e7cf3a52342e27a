#include "cli/proxies.h"

#include "build/userenv.h"
#include "cli/report.h"
#include "registry/proxies.h"

char **configured_proxies(void)
{
    g_autoptr(GError) why = NULL;
    g_auto(GStrv) env = g_get_environ();
    g_autofree char *file = userenv_docker_file(env);
    char **lines = proxies_load(file, userenv_get(env, "DOCKER_HOST"), &why);
    if (lines)
        return lines;
    report_note("the proxies in Docker's configuration are not used: %s", why->message);
    return g_new0(char *, 1);
}
