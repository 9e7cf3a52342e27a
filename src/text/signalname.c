#include "text/signalname.h"

#include "base/suggest.h"

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

/* What an image may name: more than this machine has. */
static const char *const names[] = {
    "ABRT", "ALRM",   "BUS",  "CHLD",   "CLD",   "CONT", "FPE",  "HUP",   "ILL",
    "INT",  "IO",     "IOT",  "KILL",   "PIPE",  "POLL", "PROF", "PWR",   "QUIT",
    "SEGV", "STKFLT", "STOP", "SYS",    "TERM",  "TRAP", "TSTP", "TTIN",  "TTOU",
    "URG",  "USR1",   "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
};

/* "RTMIN+n" up to 15, "RTMAX-n" up to 14: between them lie all real-time signals. */
static gboolean real_time(const char *name)
{
    guint64 n;
    if (g_str_has_prefix(name, "RTMIN+"))
        return g_ascii_string_to_unsigned(name + 6, 10, 1, 15, &n, NULL);
    if (g_str_has_prefix(name, "RTMAX-"))
        return g_ascii_string_to_unsigned(name + 6, 10, 1, 14, &n, NULL);
    return FALSE;
}

gboolean signalname_valid(const char *text)
{
    gint64 n;
    if (g_ascii_string_to_signed(text, 10, G_MININT32, G_MAXINT32, &n, NULL))
        return n > 0;
    g_autofree char *upper = g_ascii_strup(text, -1);
    const char *name = g_str_has_prefix(upper, "SIG") ? upper + 3 : upper;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(names[i], name) == 0)
            return TRUE;
    return real_time(name);
}

const char *signalname_nearest(const char *text)
{
    g_autofree char *upper = g_ascii_strup(text, -1);
    return suggest_nearest(g_str_has_prefix(upper, "SIG") ? upper + 3 : upper, names,
                           G_N_ELEMENTS(names));
}
