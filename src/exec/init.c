/* The way to a sandbox's program, and sometimes process 1: see launch.h; and the keeper (keeper.h).
 * Freestanding: no libc, so that it is small and starts at
 * once. It is entered with every signal blocked, in its namespaces and root, and with the
 * descriptors of launch.h. */
#include "exec/launch.h"

#include <asm/unistd.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#define EXPORTED __attribute__((used, visibility("default")))

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call init_main\n "
        "hlt\n");
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n mov x29,#0\n mov x0,sp\n bl init_main\n brk #0\n");
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#elif defined(__riscv) && __riscv_xlen == 64
__asm__(".globl _start\n_start:\n mv a0,sp\n call init_main\n ebreak\n");
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
    register long a7 __asm__("a7") = n;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    register long a5 __asm__("a5") = f;
    __asm__ volatile("ecall"
                     : "+r"(a0)
                     : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4), "r"(a5)
                     : "memory");
    return a0;
}
#else
#error "init has no system calls for this architecture"
#endif

#define call1(n, a) call6(n, (long)(a), 0, 0, 0, 0, 0)
#define call2(n, a, b) call6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define call3(n, a, b, c) call6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define call4(n, a, b, c, d) call6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* Constants of the kernel's interface that its headers give only together with libc's. */
enum {
    ERR_INTR = 4,
    ERR_ACCES = 13,
    SIG_CHILD = 17,
    SIG_KILL = 9,
    SIG_STOP = 19,
    SIGNALS = 64,
    WAIT_NOHANG = 1,
    WAIT_ALL = 0x40000000,
    SEEK_TO_END = 2,
    PROT_RW = 3,
    MAPPED_PRIVATE = 2,
    SET_FD_FLAGS = 2,
    FD_CLOSE_ON_EXEC = 1,
    MASK_SET = 2,
    TAKE_TTY = 0x540E,
    KEYRING_JOIN = 1,
    PRCTL_DEATH_SIGNAL = 1,
    PRCTL_BOUND_READ = 23,
    PRCTL_BOUND_DROP = 24,
    PRCTL_AMBIENT = 47,
    AMBIENT_CLEAR = 4,
};

struct times {
    long sec, usec;
};
struct usage { /* struct rusage */
    struct times user, system;
    long max_rss; /* KiB */
    long rest[13];
};
struct action { /* the kernel's struct sigaction, all zero: default */
    unsigned long words[4];
};

/* Compilers call these for copies and clearing. */
EXPORTED void *memset(void *to, int byte, size_t n);
void *memset(void *to, int byte, size_t n)
{
    volatile char *p = to;
    while (n--)
        *p++ = (char)byte;
    return to;
}

EXPORTED void *memcpy(void *to, const void *from, size_t n);
void *memcpy(void *to, const void *from, size_t n)
{
    volatile char *p = to;
    const char *q = from;
    while (n--)
        *p++ = *q++;
    return to;
}

static void leave(int code)
{
    for (;;)
        call1(__NR_exit_group, code);
}

static void send_report(const struct launch_report *r)
{
    call3(__NR_write, LAUNCH_REPORT_FD, r, sizeof *r);
}

/* The program could not be started. */
static void fail(enum launch_stage stage, unsigned index, long error)
{
    struct launch_report r = {
        .kind = REPORT_FAILED, .stage = stage, .index = index, .error = (int)-error};
    send_report(&r);
    leave(127);
}

static struct launch_config *map_config(long *size)
{
    *size = call3(__NR_lseek, LAUNCH_CONFIG_FD, 0, SEEK_TO_END);
    long at = call6(__NR_mmap, 0, *size, PROT_RW, MAPPED_PRIVATE, LAUNCH_CONFIG_FD, 0);
    if (*size < (long)sizeof(struct launch_config) || (at < 0 && at > -4096))
        fail(STAGE_INIT, 0, at < 0 ? at : -22);
    call1(__NR_close, LAUNCH_CONFIG_FD);
    return (struct launch_config *)at;
}

/* Turns a list of offsets into a list of pointers, in place. */
static char **list_at(struct launch_config *c, uint64_t offset)
{
    char **list = (char **)((char *)c + offset);
    for (char **p = list; *p; p++)
        *p = (char *)c + (uintptr_t)*p;
    return list;
}

/* Signals that varve ignores would stay ignored in the program. */
static void reset_signals(void)
{
    struct action plain = {{0}};
    for (int sig = 1; sig <= SIGNALS; sig++)
        if (sig != SIG_KILL && sig != SIG_STOP)
            call4(__NR_rt_sigaction, sig, &plain, 0, 8);
}

static void set_limits(struct launch_config *c)
{
    const struct launch_limit *limits = (const struct launch_limit *)((char *)c + c->limits);
    for (uint32_t i = 0; i < c->n_limits; i++) {
        long ret = call4(__NR_prlimit64, 0, limits[i].resource, &limits[i].soft, 0);
        if (ret < 0)
            fail(STAGE_LIMIT, i, ret);
    }
}

static void drop_bounding(uint64_t keep)
{
    for (int cap = 0; cap < 64 && call2(__NR_prctl, PRCTL_BOUND_READ, cap) >= 0; cap++) {
        if (keep >> cap & 1)
            continue;
        long ret = call2(__NR_prctl, PRCTL_BOUND_DROP, cap);
        if (ret < 0)
            fail(STAGE_CAPS, 0, ret);
    }
    call4(__NR_prctl, PRCTL_AMBIENT, AMBIENT_CLEAR, 0, 0);
}

/* Reduces the permitted and effective sets to what keep allows; inheritable becomes empty. */
static long reduce_caps(uint64_t keep)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct caps[2];
    long ret = call2(__NR_capget, &head, caps);
    if (ret < 0)
        return ret;
    for (int i = 0; i < 2; i++) {
        caps[i].permitted &= (uint32_t)(keep >> (32 * i));
        caps[i].effective = caps[i].permitted;
        caps[i].inheritable = 0;
    }
    return call2(__NR_capset, &head, caps);
}

/* While all capabilities are there: a filter may only be set without no_new_privs (which would
 * break setuid programs) by CAP_SYS_ADMIN. */
static void set_filter(struct launch_config *c)
{
    if (!c->n_filter)
        return;
    struct sock_fprog prog = {.len = (unsigned short)c->n_filter,
                              .filter = (struct sock_filter *)((char *)c + c->filter)};
    long ret = call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
    if (ret < 0)
        fail(STAGE_SECCOMP, 0, ret);
}

static void become_user(struct launch_config *c)
{
    long ret = 0;
    if (!(c->flags & LAUNCH_NO_GROUPS))
        ret = call2(__NR_setgroups, c->n_groups, (char *)c + c->groups);
    if (ret < 0)
        fail(STAGE_GROUPS, 0, ret);
    ret = call3(__NR_setresgid, c->gid, c->gid, c->gid);
    if (ret >= 0)
        ret = call3(__NR_setresuid, c->uid, c->uid, c->uid);
    if (ret < 0)
        fail(STAGE_USER, 0, ret);
    if (!(c->flags & LAUNCH_KEEP_CAPS) && (ret = reduce_caps(c->caps)) < 0)
        fail(STAGE_CAPS, 0, ret);
}

/* As execvp(): the first candidate that can be executed; a permission problem is remembered. */
static void execute(struct launch_config *c)
{
    char **candidates = list_at(c, c->candidates), **argv = list_at(c, c->argv);
    char **envp = list_at(c, c->envp);
    long error = -2;
    unsigned index = 0;
    for (unsigned i = 0; candidates[i]; i++) {
        long ret = call3(__NR_execve, candidates[i], argv, envp);
        if (ret != -2 && ret != -20 && error != -ERR_ACCES) {
            error = ret;
            index = i;
        }
        if (ret != -2 && ret != -20 && ret != -ERR_ACCES)
            break;
    }
    fail(STAGE_EXEC, index, error);
}

static void run_program(struct launch_config *c)
{
    uint64_t none = 0;
    call3(__NR_fcntl, LAUNCH_REPORT_FD, SET_FD_FLAGS, FD_CLOSE_ON_EXEC);
    call1(__NR_setsid, 0);
    if (c->flags & LAUNCH_TTY) {
        long ret = call3(__NR_ioctl, 0, TAKE_TTY, 0);
        if (ret < 0)
            fail(STAGE_TTY, 0, ret);
    }
    call2(__NR_keyctl, KEYRING_JOIN,
          0); /* a session keyring of its own, where the kernel has keys */
    set_limits(c);
    call1(__NR_umask, 022);
    long ret = call1(__NR_chdir, (char *)c + c->cwd);
    if (ret < 0)
        fail(STAGE_CWD, 0, ret);
    if (!(c->flags & LAUNCH_KEEP_CAPS))
        drop_bounding(c->caps);
    set_filter(c);
    become_user(c);
    if (c->flags & LAUNCH_JOIN)
        call2(__NR_prctl, PRCTL_DEATH_SIGNAL, SIG_KILL);
    call4(__NR_rt_sigprocmask, MASK_SET, &none, 0, 8);
    execute(c);
}

/* Reaps all that have ended; when the program is among them, reports and leaves (and with process 1
 * every other process of the sandbox ends). */
static void reap(long program)
{
    for (;;) {
        struct usage u;
        int status;
        long pid = call4(__NR_wait4, -1, &status, WAIT_NOHANG | WAIT_ALL, &u);
        if (pid == -ERR_INTR)
            continue;
        if (pid <= 0)
            return;
        if (pid != program)
            continue;
        struct launch_report r = {
            .kind = REPORT_EXITED,
            .status = status,
            .max_rss = (uint64_t)u.max_rss * 1024,
            .cpu_us = (uint64_t)(u.user.sec + u.system.sec) * 1000000 +
                      (uint64_t)(u.user.usec + u.system.usec),
        };
        send_report(&r);
        leave(0);
    }
}

static void serve(long program)
{
    uint64_t all = ~0ULL;
    for (;;) {
        long sig = call4(__NR_rt_sigtimedwait, &all, 0, 0, 8);
        if (sig == SIG_CHILD)
            reap(program);
        else if (sig > 0)
            call2(__NR_kill, program, sig);
    }
}

/* The keeper: lives until varve has closed its end of the pipe. */
static void keep(void)
{
    char byte;
    while (call3(__NR_read, 0, &byte, 1) == -ERR_INTR)
        ;
    leave(0);
}

EXPORTED void init_main(const long *stack);
void init_main(const long *stack)
{
    long size;
    if (stack[0] > 1) /* it was given an argument */
        keep();
    struct launch_config *c = map_config(&size);
    reset_signals();
    if (!(c->flags & (LAUNCH_INIT | LAUNCH_JOIN)))
        run_program(c);
    call1(__NR_setsid, 0); /* a Ctrl-C at varve's terminal is varve's to pass on */
    long pid = call6(__NR_clone, SIG_CHILD, 0, 0, 0, 0, 0);
    if (pid < 0)
        fail(STAGE_FORK, 0, pid);
    if (pid == 0)
        run_program(c);
    unsigned flags = c->flags;
    call2(__NR_munmap, c, size); /* it holds the program's environment */
    for (int fd = 0; fd < LAUNCH_REPORT_FD; fd++)
        call1(__NR_close, fd);
    if (!(flags & (LAUNCH_KEEP_CAPS | LAUNCH_JOIN)))
        reduce_caps(1u << CAP_KILL);
    struct launch_report started = {.kind = REPORT_STARTED};
    send_report(&started);
    serve(pid);
}
