#include "exec/spawn.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <linux/sched.h> /* after libc's */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "exec/launch.h"

#define QUICK (CLONE_VM | CLONE_VFORK)
#define STACK 65536
#define ALIGN 64
#define STACKS 3

/* A process on its way into a namespace below the keeper's: setns() decides where a process's
 * children are created, and only a process created there can make a namespace there. So there are
 * two helpers, each of which exists for one system call: enter() makes be_inside(), which makes the
 * process. All three become this process's own children (CLONE_PARENT). */
struct birth {
    int (*entry)(void *);
    void *data;
    int flags;          /* CLONE_NEW… */
    int keeper;         /* pidfd */
    int *cgroup;        /* out: as of spawn() */
    int helper;         /* pid of be_inside(), seen from here */
    int pidfd;          /* out: -1 until it is there */
    int error;          /* out: errno */
    char *tops[STACKS]; /* ends of the stacks */
};

/* clone3() has a 64-bit set of flags, but no function in libc: the new process has an empty stack
 * of its own, so that it cannot return. Gives -errno. */
UNCHECKED static long clone3_call(const struct clone_args *args, int (*entry)(void *), void *data)
{
#if defined(__x86_64__)
    register int (*fn)(void *) __asm__("r12") = entry;
    register void *arg __asm__("r13") = data;
    long ret = SYS_clone3;
    __asm__ volatile("syscall\n test %%rax,%%rax\n jnz 1f\n mov %%r13,%%rdi\n call *%%r12\n hlt\n1:"
                     : "+a"(ret)
                     : "D"(args), "S"(sizeof *args), "r"(fn), "r"(arg)
                     : "rcx", "r11", "cc", "memory");
    return ret;
#elif defined(__aarch64__)
    register int (*fn)(void *) __asm__("x19") = entry;
    register void *arg __asm__("x20") = data;
    register long x8 __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = sizeof *args;
    __asm__ volatile("svc #0\n cbnz x0, 1f\n mov x0, x20\n blr x19\n brk #0\n1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(fn), "r"(arg)
                     : "cc", "memory");
    return x0;
#else
    (void)args, (void)entry, (void)data;
    return -ENOSYS;
#endif
}

/* clone() with QUICK and CLONE_PIDFD, into the cgroup where that can be. */
UNCHECKED static int birth(int (*entry)(void *), void *data, char *top, int flags, int *pidfd,
                           int *cgroup)
{
    flags |= QUICK | CLONE_PIDFD;
    if (cgroup && *cgroup >= 0) {
        const guint64 size = STACK - ALIGN;
        struct clone_args args = {.flags = (guint32)flags | CLONE_INTO_CGROUP,
                                  .pidfd = (guintptr)pidfd,
                                  .stack = (guintptr)top - size,
                                  .stack_size = size,
                                  .cgroup = (guint64)*cgroup};
        long pid = clone3_call(&args, entry, data);
        if (pid > 0)
            return (int)pid;
        *cgroup = -1;
    }
    return clone(entry, top, flags, data, pidfd);
}

UNCHECKED static int be_inside(void *data)
{
    struct birth *b = data;
    if (birth(b->entry, b->data, b->tops[2], b->flags | CLONE_PARENT, &b->pidfd, b->cgroup) < 0)
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

/* The calling thread's stacks for helpers, kept for its next process: fresh memory costs a page
 * fault for each stack. */
static void stacks_get(char **tops, guint n)
{
    static GPrivate kept = G_PRIVATE_INIT(g_free);
    char *stacks = g_private_get(&kept);
    if (!stacks)
        g_private_set(&kept, stacks = g_malloc(STACKS * STACK + ALIGN));
    for (guint i = 0; i < n; i++)
        tops[i] = (char *)(((gsize)stacks + (i + 1) * STACK) & ~(gsize)(ALIGN - 1));
}

static void block_signals(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

UNCHECKED int spawn(int (*entry)(void *), void *data, int flags, int *cgroup)
{
    char *top;
    stacks_get(&top, 1);
    sigset_t old;
    int pidfd = -1;
    block_signals(&old);
    int pid = birth(entry, data, top, flags, &pidfd, cgroup);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = error;
    return pid < 0 ? -1 : pidfd;
}

static void reap_child(int pid)
{
    while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
}

UNCHECKED int spawn_within(int keeper, int (*entry)(void *), void *data, int flags, int *cgroup)
{
    struct birth b = {.entry = entry,
                      .data = data,
                      .flags = flags,
                      .keeper = keeper,
                      .cgroup = cgroup,
                      .pidfd = -1};
    stacks_get(b.tops, STACKS);
    sigset_t old;
    block_signals(&old);
    int pid = clone(enter, b.tops[0], QUICK | CLONE_FILES, &b);
    if (pid < 0)
        b.error = errno;
    reap_child(pid);
    reap_child(b.helper);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = b.error;
    return b.pidfd;
}

gboolean spawn_failed(int error, GError **err)
{
    const char *remedy = error == EPERM ? container_remedy(CONTAINER_USERNS) : NULL;
    if (remedy)
        return error_set(err, VARVE_ERROR_DENIED,
                         "making the sandbox's namespaces: %s: this container may not: %s gives it",
                         g_strerror(error), remedy);
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

static gint64 micros(struct timeval t)
{
    return (gint64)t.tv_sec * G_USEC_PER_SEC + t.tv_usec;
}

int spawn_wait(int pidfd, gint64 *cpu_us)
{
    siginfo_t info = {0};
    struct rusage use = {0};
    while (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | __WALL, &use) < 0 && errno == EINTR)
        ;
    if (cpu_us)
        *cpu_us = micros(use.ru_utime) + micros(use.ru_stime);
    return info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
}
