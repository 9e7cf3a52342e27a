#include "text/signalname.h"

#include <glib.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

int signal_number(const char *text)
{
    guint64 number;
    const char *name = g_ascii_strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    if (g_ascii_string_to_unsigned(text, 10, 1, SIGRTMAX, &number, NULL))
        return (int)number;
    if (g_ascii_strncasecmp(name, "RTMIN", 5) == 0) {
        if (!name[5])
            return SIGRTMIN;
        return name[5] == '+' && g_ascii_string_to_unsigned(name + 6, 10, 0, SIGRTMAX - SIGRTMIN,
                                                            &number, NULL)
                   ? SIGRTMIN + (int)number
                   : 0;
    }
    for (int sig = 1; sig < SIGRTMIN; sig++) {
        const char *known = sigabbrev_np(sig);
        if (known && strcasecmp(known, name) == 0)
            return sig;
    }
    return 0;
}
