/* A freestanding program with three uses: starting a sandbox's program (launch.h), an init, and the
 * keeper (keeper.h). Without libc it is small and starts fast. As init it is entered with every
 * signal blocked, in its namespaces and root, and with the descriptors of launch.h. */
#include <linux/capability.h>
#include <stddef.h>

#include "exec/launch.h"
#include "exec/program.h"
#include "exec/raw.h"

#define EXPORTED __attribute__((used, visibility("default")))

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp,%ebp\n mov %rsp,%rdi\n and $-16,%rsp\n call init_main\n "
        "hlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n mov x29,#0\n mov x0,sp\n bl init_main\n brk #0\n");
#else /* raw.h knows no other than riscv */
__asm__(".globl _start\n_start:\n mv a0,sp\n call init_main\n ebreak\n");
#endif

/* Constants of the kernel's interface that its headers give only together with libc's. */
enum {
    ERR_INTR = 4,
    ERR_INVAL = 22,
    SIG_CHILD = 17,
    WAIT_NOHANG = 1,
    WAIT_ALL = 0x40000000,
    SEEK_TO_END = 2,
    PROT_RW = 3,
    MAPPED_PRIVATE = 2,
    MAPPED_AT_ONCE = 0x8000, /* no page fault for each page that is written */
    PRCTL_SET_DUMPABLE = 4,
    PRCTL_SET_NAME = 15,
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

static void send_report(const struct launch_report *r)
{
    call3(__NR_write, LAUNCH_REPORT_FD, r, sizeof *r);
}

static struct launch_config *map_config(long *size)
{
    *size = call3(__NR_lseek, LAUNCH_CONFIG_FD, 0, SEEK_TO_END);
    long at =
        call6(__NR_mmap, 0, *size, PROT_RW, MAPPED_PRIVATE | MAPPED_AT_ONCE, LAUNCH_CONFIG_FD, 0);
    if (*size < (long)sizeof(struct launch_config) || (at < 0 && at > -4096))
        program_fail(STAGE_INIT, 0, at < 0 ? at : -ERR_INVAL);
    call1(__NR_close, LAUNCH_CONFIG_FD);
    return (struct launch_config *)at;
}

/* Reaps all that have ended; when the program is among them, reports and leaves (and with process 1
 * every other process of the sandbox ends). */
static void reap_ended(long program)
{
    for (;;) {
        int status;
        long pid = call4(__NR_wait4, -1, &status, WAIT_NOHANG | WAIT_ALL, 0);
        if (pid == -ERR_INTR)
            continue;
        if (pid <= 0)
            return;
        if (pid != program)
            continue;
        struct launch_report r = {.kind = REPORT_EXITED, .status = status};
        send_report(&r);
        program_leave(0);
    }
}

static void serve(long program)
{
    uint64_t all = ~0ULL;
    for (;;) {
        long sig = call4(__NR_rt_sigtimedwait, &all, 0, 0, 8);
        if (sig == SIG_CHILD)
            reap_ended(program);
        else if (sig > 0)
            call2(__NR_kill, program, sig);
    }
}

/* The keeper: lives until varve has closed its end of the pipe. */
static void keeper_wait(void)
{
    char byte;
    while (call3(__NR_read, 0, &byte, 1) == -ERR_INTR)
        ;
    program_leave(0);
}

EXPORTED void init_main(const long *stack);
void init_main(const long *stack)
{
    static const char name[] = "varve-init"; /* else it would be called after the memfd */
    long size;
    call2(__NR_prctl, PRCTL_SET_NAME, name);
    /* It was given an argument. Dumpable, so that a root without CAP_SYS_PTRACE (of a container)
     * may enter its pid namespace; sandboxes are below that and do not see it. */
    if (stack[0] > 1)
        keeper_wait();
    call2(__NR_prctl, PRCTL_SET_DUMPABLE, 0); /* protects its memory, descriptors and file */
    struct launch_config *c = map_config(&size);
    if (!(c->flags & (LAUNCH_INIT | LAUNCH_JOIN)))
        program_run(c);
    program_reset_signals();
    call1(__NR_setsid, 0); /* varve forwards a Ctrl-C at its terminal */
    long pid = call6(__NR_clone, SIG_CHILD, 0, 0, 0, 0, 0);
    if (pid < 0)
        program_fail(STAGE_FORK, 0, pid);
    if (pid == 0)
        program_run(c);
    unsigned flags = c->flags;
    call2(__NR_munmap, c, size); /* it holds the program's environment */
    for (int fd = 0; fd < LAUNCH_REPORT_FD; fd++)
        call1(__NR_close, fd);
    if (!(flags & (LAUNCH_KEEP_CAPS | LAUNCH_JOIN)))
        program_reduce_caps(1u << CAP_KILL);
    struct launch_report started = {.kind = REPORT_STARTED};
    send_report(&started);
    serve(pid);
}
