#include "cli/proxies.h"

#include "cli/report.h"
#include "registry/proxies.h"

char **configured_proxies(void)
{
    g_autoptr(GError) why = NULL;
    char **lines = proxies_load(&why);
    if (lines)
        return lines;
    report_note("no proxies are taken from Docker's configuration: %s", why->message);
    return g_new0(char *, 1);
}
