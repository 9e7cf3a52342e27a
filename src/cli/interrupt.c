#include "cli/interrupt.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static struct cancel *flag; /* a signal handler has no other way to reach it */

static void on_signal(int sig)
{
    if (cancel_is_set(flag))
        _exit(130);
    int saved = errno;
    cancel_trigger(flag);
    errno = saved;
}

struct cancel *interrupt_watch(void)
{
    if (flag)
        return flag;
    flag = cancel_new();
    cancel_set_command(flag);
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    return flag;
}
