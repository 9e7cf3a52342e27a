#include "exec/signal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "exec/sandbox.h"

/* The value of a line "name:\tvalue" of a file in /proc, by base; 0 without one. */
static guint64 proc_value(const char *text, const char *name, int base)
{
    const char *at = strstr(text, name);
    return at ? strtoull(at + strlen(name), NULL, base) : 0;
}

int signal_pid(int pidfd)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", pidfd);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    int pid = (int)proc_value(text, "\nPid:\t", 10);
    return MAX(pid, 0);
}

static gboolean ends_by_default(int sig)
{
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG,  SIGWINCH,
                                   SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (guint i = 0; i < G_N_ELEMENTS(harmless); i++)
        if (sig == harmless[i])
            return FALSE;
    return TRUE;
}

/* Whether the process blocks (then something may wait for it), ignores or catches sig. If unknown,
 * TRUE. */
static gboolean is_handled(int pid, int sig)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", pid);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return TRUE;
    guint64 handled = proc_value(text, "\nSigBlk:\t", 16) | proc_value(text, "\nSigIgn:\t", 16) |
                      proc_value(text, "\nSigCgt:\t", 16);
    return handled >> (sig - 1) & 1;
}

gboolean signal_send(int pidfd, int sig)
{
    gboolean kill = sig != SIGKILL && ends_by_default(sig) && !is_handled(signal_pid(pidfd), sig);
    syscall(SYS_pidfd_send_signal, pidfd, kill ? SIGKILL : sig, NULL, 0);
    return kill;
}

gboolean sandbox_signal(int pid, int sig)
{
    fd_auto int pidfd = syscall(SYS_pidfd_open, pid, 0);
    return pidfd >= 0 && signal_send(pidfd, sig);
}
