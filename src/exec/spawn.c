#include "exec/spawn.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "exec/launch.h"

#define QUICK (CLONE_VM | CLONE_VFORK)
#define STACK 65536
#define ALIGN 64

/* A process on its way into a namespace below the keeper's: setns() decides where one's children
 * are born, and only who was born there can make a namespace there. So there are two helpers, each
 * of which lives for one system call: enter() makes be_inside(), which makes the process. All three
 * become this process's own children (CLONE_PARENT). */
struct birth {
    int (*entry)(void *);
    void *data;
    int flags;     /* CLONE_NEW… */
    int keeper;    /* pidfd */
    int helper;    /* pid of be_inside(), seen from here */
    int pidfd;     /* out: -1 until it is there */
    int error;     /* out: errno */
    char *tops[3]; /* ends of the stacks */
};

UNCHECKED static int be_inside(void *data)
{
    struct birth *b = data;
    if (clone(b->entry, b->tops[2], b->flags | QUICK | CLONE_PARENT | CLONE_PIDFD, b->data,
              &b->pidfd) < 0)
        b->error = errno;
    _exit(0);
}

UNCHECKED static int enter(void *data)
{
    struct birth *b = data;
    if (setns(b->keeper, CLONE_NEWPID) < 0)
        b->error = errno;
    else if ((b->helper = clone(be_inside, b->tops[1], QUICK | CLONE_FILES | CLONE_PARENT, b)) < 0)
        b->error = errno;
    _exit(0);
}

static char *stacks_new(char **tops, guint n)
{
    char *stacks = g_malloc(n * STACK + ALIGN);
    for (guint i = 0; i < n; i++)
        tops[i] = (char *)(((gsize)stacks + (i + 1) * STACK) & ~(gsize)(ALIGN - 1));
    return stacks;
}

static void block_signals(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

UNCHECKED int spawn(int (*entry)(void *), void *data, int flags)
{
    char *top;
    g_autofree char *stack G_GNUC_UNUSED = stacks_new(&top, 1);
    sigset_t old;
    int pidfd = -1;
    block_signals(&old);
    int pid = clone(entry, top, flags | QUICK | CLONE_PIDFD, data, &pidfd);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return pid < 0 ? -1 : pidfd;
}

static void reap(int pid)
{
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

UNCHECKED int spawn_within(int keeper, int (*entry)(void *), void *data, int flags)
{
    struct birth b = {.entry = entry, .data = data, .flags = flags, .keeper = keeper, .pidfd = -1};
    g_autofree char *stacks G_GNUC_UNUSED = stacks_new(b.tops, G_N_ELEMENTS(b.tops));
    sigset_t old;
    block_signals(&old);
    int pid = clone(enter, b.tops[0], QUICK | CLONE_FILES, &b);
    if (pid < 0)
        b.error = errno;
    reap(pid);
    reap(b.helper);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = b.error;
    return b.pidfd;
}

gboolean spawn_failed(int error, GError **err)
{
    error_set_errno(err, error, "making the sandbox's namespaces");
    if (error == EPERM)
        error_add_next(
            err, "run varve as root, or as a user whose user namespaces are allowed; inside a "
                 "container it needs CAP_SYS_ADMIN");
    else if (error == ENOSPC)
        error_add_next(
            err, "the kernel's limit of namespaces is reached (sysctl user.max_*_namespaces)");
    return FALSE;
}

int spawn_wait(int pidfd)
{
    siginfo_t info = {0};
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | __WALL) < 0 && errno == EINTR)
        ;
    return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
}
