#include "run/ask.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The low bits are seconds, the signal's number stands above them. */
enum {
    SIG_SHIFT = 22,
    SIG_MASK = 0x7f,
    OWN_TIME = (1 << SIG_SHIFT) - 1,
    NO_TIME = OWN_TIME - 1,
    STOP = 1 << 30
};

int run_ask_value(const struct run_ask *ask)
{
    int time = ask->seconds == RUN_ASK_OWN_TIME ? OWN_TIME
               : ask->seconds < 0               ? NO_TIME
                                                : MIN(ask->seconds, NO_TIME - 1);
    return (ask->stop ? STOP | time : 0) | (ask->sig & SIG_MASK) << SIG_SHIFT;
}

struct run_ask run_ask_of_value(int value)
{
    int time = value & OWN_TIME;
    return (struct run_ask){.stop = (value & STOP) != 0,
                            .sig = value >> SIG_SHIFT & SIG_MASK,
                            .seconds = time == OWN_TIME  ? RUN_ASK_OWN_TIME
                                       : time == NO_TIME ? -1
                                                         : time};
}

gboolean run_ask_send(int pidfd, const struct run_ask *ask)
{
    siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = run_ask_value(ask);
    return syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, &info, 0) == 0;
}
