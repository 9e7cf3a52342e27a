#include "exec/program.h"

#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include <linux/capability.h>

#include "exec/listener.h"
#include "exec/raw.h"

/* Constants of the kernel's interface that its headers give only together with libc's. */
enum {
    ERR_NOENT = 2,
    ERR_ACCES = 13,
    ERR_NOTDIR = 20,
    ERR_INVAL = 22,
    SIG_KILL = 9,
    SIG_STOP = 19,
    SIGNALS = 64,
    SET_FD_FLAGS = 2,
    FD_CLOSE_ON_EXEC = 1,
    MASK_SET = 2,
    TAKE_TTY = 0x540E,
    KEYRING_JOIN = 1,
    PRCTL_DEATH_SIGNAL = 1,
    PRCTL_BOUND_DROP = 24,
    PRCTL_AMBIENT = 47,
    AMBIENT_CLEAR = 4,
    AT_WORKING_DIRECTORY = -100,
#if defined(__aarch64__)
    OPEN_DIRECTORY = 040000,
#else
    OPEN_DIRECTORY = 0200000,
#endif
    OPEN_PATH = 010000000,
    PATH_SIZE = 4096,
};

struct action { /* the kernel's struct sigaction, all zero: default */
    unsigned long words[4];
};

void program_leave(int code)
{
    for (;;)
        call1(__NR_exit_group, code);
}

void program_fail(enum launch_stage stage, unsigned index, long error)
{
    struct launch_report r = {
        .kind = REPORT_FAILED, .stage = stage, .index = index, .error = (int)-error};
    call3(__NR_write, LAUNCH_REPORT_FD, &r, sizeof r);
    program_leave(127);
}

/* Turns a list of offsets into a list of pointers, in place. */
static char **list_at(struct launch_config *c, uint64_t offset)
{
    char **list = (char **)((char *)c + offset);
    for (char **p = list; *p; p++)
        *p = (char *)c + (uintptr_t)*p;
    return list;
}

void program_reset_signals(void)
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
            program_fail(STAGE_LIMIT, i, ret);
    }
}

/* EINVAL: the kernel has no such capability, and none beyond. */
static void drop_bounding(const struct launch_config *c)
{
    long ret = 0;
    for (int cap = 0; cap < 64 && ret != -ERR_INVAL; cap++) {
        if (!(c->caps >> cap & 1))
            ret = call2(__NR_prctl, PRCTL_BOUND_DROP, cap);
        if (ret < 0 && ret != -ERR_INVAL)
            program_fail(STAGE_CAPS, 0, ret);
    }
    call4(__NR_prctl, PRCTL_AMBIENT, AMBIENT_CLEAR, 0, 0);
}

long program_reduce_caps(uint64_t keep)
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

/* While all capabilities are present: without no_new_privs (which would break setuid programs) only
 * CAP_SYS_ADMIN may set a filter. */
static void set_filter(struct launch_config *c)
{
    if (!c->n_filter)
        return;
    struct sock_fprog prog = {.len = (unsigned short)c->n_filter,
                              .filter = (struct sock_filter *)((char *)c + c->filter)};
    long ret = c->flags & LAUNCH_LISTEN ? listener_install(LAUNCH_REPORT_FD, &prog)
                                        : call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
    if (ret < 0)
        program_fail(STAGE_SECCOMP, 0, ret);
}

static void become_user(struct launch_config *c)
{
    long ret = 0;
    if (!(c->flags & LAUNCH_NO_GROUPS))
        ret = call2(__NR_setgroups, c->n_groups, (char *)c + c->groups);
    if (ret < 0)
        program_fail(STAGE_GROUPS, 0, ret);
    ret = call3(__NR_setresgid, c->gid, c->gid, c->gid);
    if (ret >= 0)
        ret = call3(__NR_setresuid, c->uid, c->uid, c->uid);
    if (ret < 0)
        program_fail(STAGE_USER, 0, ret);
    if (!(c->flags & LAUNCH_KEEP_CAPS) && (ret = program_reduce_caps(c->caps)) < 0)
        program_fail(STAGE_CAPS, 0, ret);
}

/* As execvp(): the first candidate that can be executed; a permission problem is remembered. */
static void execute(struct launch_config *c)
{
    char **candidates = list_at(c, c->candidates), **argv = list_at(c, c->argv);
    char **envp = list_at(c, c->envp);
    long error = -ERR_NOENT;
    unsigned index = 0;
    for (unsigned i = 0; candidates[i]; i++) {
        long ret = call3(__NR_execve, candidates[i], argv, envp);
        if (ret == -ERR_NOENT || ret == -ERR_NOTDIR)
            continue;
        if (error != -ERR_ACCES) {
            error = ret;
            index = i;
        }
        if (ret != -ERR_ACCES)
            break;
    }
    program_fail(STAGE_EXEC, index, error);
}

/* The image names the directory and may make it a link: one in /proc would lead out of the root. In
 * addition the kernel is asked where the process is then: a directory outside the root is called
 * "(unreachable)/…". */
static void change_directory(const char *path)
{
    struct open_how how = {.flags = OPEN_PATH | OPEN_DIRECTORY, .resolve = RESOLVE_NO_MAGICLINKS};
    char where[PATH_SIZE];
    long fd = call4(__NR_openat2, AT_WORKING_DIRECTORY, path, &how, sizeof how);
    long ret = fd < 0 ? fd : call1(__NR_fchdir, fd);
    if (ret >= 0)
        ret = call2(__NR_getcwd, where, sizeof where);
    if (ret >= 0 && where[0] != '/')
        ret = -ERR_NOENT;
    if (ret < 0)
        program_fail(STAGE_CWD, 0, ret);
    call1(__NR_close, fd);
}

void program_run(struct launch_config *c)
{
    uint64_t none = 0;
    program_reset_signals();
    call3(__NR_fcntl, LAUNCH_REPORT_FD, SET_FD_FLAGS, FD_CLOSE_ON_EXEC);
    call1(__NR_setsid, 0);
    if (c->flags & LAUNCH_TTY) {
        long ret = call3(__NR_ioctl, 0, TAKE_TTY, 0);
        if (ret < 0)
            program_fail(STAGE_TTY, 0, ret);
    }
    call2(__NR_keyctl, KEYRING_JOIN,
          0); /* a session keyring of its own, where the kernel has keys */
    set_limits(c);
    call1(__NR_umask, 022);
    change_directory((char *)c + c->cwd);
    if (!(c->flags & LAUNCH_KEEP_CAPS))
        drop_bounding(c);
    set_filter(c);
    become_user(c);
    if (c->flags & LAUNCH_JOIN)
        call2(__NR_prctl, PRCTL_DEATH_SIGNAL, SIG_KILL);
    call4(__NR_rt_sigprocmask, MASK_SET, &none, 0, 8);
    execute(c);
}
