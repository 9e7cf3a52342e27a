#include "exec/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "exec/config.h"
#include "exec/launch.h"
#include "exec/machine.h"
#include "exec/signal.h"
#include "exec/spawn.h"

struct probe {
    int fd;         /* the program */
    int null_fd;    /* for what an emulator may have to say */
    gboolean stops; /* at its start, traced */
};

/* The kernel gives an interpreter the program's name below /dev/fd, so it must stay open. */
UNCHECKED static int probe_main(void *data)
{
    const struct probe *p = data;
    static char name[] = "varve-probe";
    char *argv[] = {name, NULL}, *envp[] = {NULL};
    sigset_t none;
    for (int fd = 0; fd < 3; fd++)
        dup2(p->null_fd, fd);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* spawn() blocked all; the stop is a signal */
    if (!p->stops || ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
        if (fcntl(p->fd, F_SETFD, 0) == 0)
            syscall(SYS_execveat, p->fd, "", argv, envp, AT_EMPTY_PATH);
    _exit(126);
}

/* A pidfd, or -1. */
static int probe_start(GBytes *program, gboolean stops)
{
    fd_auto int fd = config_program_memfd("varve-probe", program, NULL);
    fd_auto int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct probe p = {fd, null_fd, stops};
    return fd < 0 || null_fd < 0 ? -1 : spawn(probe_main, &p, 0, NULL);
}

gboolean probe_runs(GBytes *program)
{
    fd_auto int pidfd = probe_start(program, FALSE);
    int status = pidfd < 0 ? 0 : spawn_wait(pidfd, NULL);
    return WIFEXITED(status) && WEXITSTATUS(status) == MACHINE_PROBE_EXIT;
}

int probe_interpreter(GBytes *program)
{
    fd_auto int pidfd = probe_start(program, TRUE);
    siginfo_t info = {0};
    int file = -1;
    while (pidfd >= 0 && waitid(P_PIDFD, pidfd, &info, WSTOPPED | WEXITED | __WALL) < 0 &&
           errno == EINTR)
        ;
    if (pidfd < 0 || info.si_code != CLD_TRAPPED)
        return -1;
    g_autofree char *path = g_strdup_printf("/proc/%d/exe", info.si_pid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
    spawn_wait(pidfd, NULL);
    return file;
}
