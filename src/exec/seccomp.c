#include "exec/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"

/* What happens to a call: a return value, or a look at its arguments. */
enum verdict {
    REFUSE,
    ALLOW,
    MISSING,
    CHECK_CLONE,
    CHECK_SOCKET,
    CHECK_SOCKETCALL,
    CHECK_PERSONALITY
};

struct span { /* calls from first up to the next span's first */
    guint32 first;
    enum verdict verdict;
};
struct arch {
    guint32 token; /* SCMP_ARCH_…, which is the kernel's audit token */
    guint32 bit;   /* enum seccomp_arch_bit */
};
#if defined(__x86_64__)
static const struct arch archs[] = {{SCMP_ARCH_X86_64, SECCOMP_ON_X86},
                                    {SCMP_ARCH_X86, SECCOMP_ON_X86}};
#elif defined(__aarch64__)
static const struct arch archs[] = {{SCMP_ARCH_AARCH64, SECCOMP_ON_ARM},
                                    {SCMP_ARCH_ARM, SECCOMP_ON_ARM}};
#elif defined(__riscv) && __riscv_xlen == 64
static const struct arch archs[] = {{SCMP_ARCH_RISCV64, SECCOMP_ON_RISCV}};
#else
#error "the sandbox has no system call profile for this architecture"
#endif

#define OFF_NR offsetof(struct seccomp_data, nr)
#define OFF_ARCH offsetof(struct seccomp_data, arch)
#define OFF_ARG0                                                                                   \
    offsetof(struct seccomp_data, args[0]) /* low half: little-endian machines only                \
                                            */
#define OFF_ARG2 offsetof(struct seccomp_data, args[2])

static void seccomp_emit(GArray *prog, guint16 code, guint8 jt, guint8 jf, guint32 k)
{
    struct sock_filter f = {code, jt, jf, k};
    g_array_append_val(prog, f);
}

static void emit_return(GArray *prog, guint32 value)
{
    seccomp_emit(prog, BPF_RET | BPF_K, 0, 0, value);
}

/* Returns good when the low half of the first argument lies in one of the spans. */
static void emit_argument_check(GArray *prog, const struct seccomp_span *spans, guint n,
                                guint32 good)
{
    seccomp_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0, OFF_ARG0);
    for (guint i = 0; i < n; i++) {
        seccomp_emit(prog, BPF_JMP | BPF_JGE | BPF_K, 0, 2, spans[i].first);
        seccomp_emit(prog, BPF_JMP | BPF_JGT | BPF_K, 1, 0, spans[i].last);
        emit_return(prog, good);
    }
    emit_return(prog, SECCOMP_RET_ERRNO | EPERM);
}

/* With notify, allows only what cannot meet the network: the rest is reported. */
static void emit_socket(GArray *prog, gboolean notify)
{
    if (!notify) {
        emit_argument_check(prog, seccomp_socket_families, seccomp_n_socket_families,
                            SECCOMP_RET_ALLOW);
        return;
    }
    seccomp_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0, OFF_ARG0);
    seccomp_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, AF_UNIX);
    emit_return(prog, SECCOMP_RET_ALLOW);
    seccomp_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, AF_NETLINK);
    seccomp_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0, OFF_ARG2);
    seccomp_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 1, 0,
                 NETLINK_AUDIT); /* useradd, su and the like */
    seccomp_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, NETLINK_KOBJECT_UEVENT);
    emit_return(prog, SECCOMP_RET_ALLOW);
    emit_argument_check(prog, seccomp_socket_families, seccomp_n_socket_families,
                        SECCOMP_RET_USER_NOTIF);
}

/* The old interface of 32-bit x86: the kind of call is the first argument, the others are in
 * memory, where a filter cannot look. */
static void emit_socketcall(GArray *prog, gboolean notify)
{
    if (notify) {
        seccomp_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0, OFF_ARG0);
        seccomp_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_SOCKET);
        emit_return(prog, SECCOMP_RET_USER_NOTIF);
    }
    emit_return(prog, SECCOMP_RET_ALLOW);
}

static void emit_verdict(GArray *prog, enum verdict v, gboolean notify)
{
    switch (v) {
    case ALLOW:
        emit_return(prog, SECCOMP_RET_ALLOW);
        return;
    case REFUSE:
        emit_return(prog, SECCOMP_RET_ERRNO | EPERM);
        return;
    case MISSING:
        emit_return(prog, SECCOMP_RET_ERRNO | ENOSYS);
        return;
    case CHECK_CLONE:
        seccomp_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0, OFF_ARG0);
        seccomp_emit(prog, BPF_JMP | BPF_JSET | BPF_K, 0, 1, SECCOMP_CLONE_REFUSED);
        emit_return(prog, SECCOMP_RET_ERRNO | EPERM);
        emit_return(prog, SECCOMP_RET_ALLOW);
        return;
    case CHECK_SOCKET:
        emit_socket(prog, notify);
        return;
    case CHECK_SOCKETCALL:
        emit_socketcall(prog, notify);
        return;
    case CHECK_PERSONALITY:
        emit_argument_check(prog, seccomp_personalities, seccomp_n_personalities,
                            SECCOMP_RET_ALLOW);
        return;
    }
}

/* Binary search for the number in the accumulator among spans lo..hi. Depth is log2 of their
 * number. */
static void emit_search(GArray *prog, const struct span *spans, guint lo, guint hi, gboolean notify)
{
    if (lo == hi) {
        emit_verdict(prog, spans[lo].verdict, notify);
        return;
    }
    guint mid = lo + (hi - lo + 1) / 2;
    /* A jump on a condition reaches 255 instructions: the far side is reached by an unconditional
     * one. */
    seccomp_emit(prog, BPF_JMP | BPF_JGE | BPF_K, 0, 1, spans[mid].first);
    guint jump = prog->len;
    seccomp_emit(prog, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_search(prog, spans, lo, mid - 1, notify);
    guint distance = prog->len - jump - 1;
    if (distance > 255) {
        g_array_index(prog, struct sock_filter, jump).k = distance;
    } else {
        g_array_remove_index(prog, jump);
        g_array_index(prog, struct sock_filter, jump - 1).jt = distance;
        g_array_index(prog, struct sock_filter, jump - 1).jf = 0;
    }
    emit_search(prog, spans, mid, hi, notify);
}

/* The number of a call, -1 when the architecture has none of that name. */
static int number_of(guint32 token, const char *name)
{
    int nr = seccomp_syscall_resolve_name_arch(token, name);
    if (nr != __NR_SCMP_ERROR)
        return nr < 0 ? -1 : nr; /* negative: libseccomp's pseudo numbers */
    for (guint i = 0; i < seccomp_n_numbers; i++)
        if (g_str_equal(name, seccomp_numbers[i].name))
            return seccomp_numbers[i].nr;
    return -1;
}

struct call {
    guint32 nr;
    enum verdict verdict;
};

static void add_call(GArray *calls, guint32 token, const char *name, enum verdict v)
{
    int nr = number_of(token, name);
    if (nr < 0)
        return;
    struct call c = {(guint32)nr, v};
    g_array_append_val(calls, c);
}

static void add_call_names(GArray *calls, guint32 token, const char *names, enum verdict v)
{
    g_auto(GStrv) list = g_strsplit(names, " ", -1);
    for (guint i = 0; list[i]; i++)
        add_call(calls, token, list[i], v);
}

static void add_profile(GArray *calls, guint32 token, guint32 bit)
{
    for (guint i = 0; i < seccomp_n_allowed; i++)
        if (seccomp_allowed[i].on & bit)
            add_call_names(calls, token, seccomp_allowed[i].names, ALLOW);
    add_call_names(calls, token, seccomp_refused, REFUSE);
    add_call(calls, token, "clone", CHECK_CLONE);
    add_call(calls, token, "clone3",
             MISSING); /* its flags lie in memory: libcs fall back to clone */
    add_call(calls, token, "socket", CHECK_SOCKET);
    add_call(calls, token, "socketcall", CHECK_SOCKETCALL);
    add_call(calls, token, "personality", CHECK_PERSONALITY);
}

static int by_number(gconstpointer a, gconstpointer b)
{
    const struct call *x = a, *y = b;
    return x->nr < y->nr ? -1 : x->nr > y->nr;
}

static void span_add(GArray *spans, guint32 first, enum verdict v)
{
    if (spans->len && g_array_index(spans, struct span, spans->len - 1).verdict == v)
        return;
    struct span s = {first, v};
    g_array_append_val(spans, s);
}

/* All numbers from 0, ending with ENOSYS for all that is newer than the profile. (The numbers of
 * the x32 ABI, which distributions leave switched off, fall there too.) */
static void add_spans(GArray *spans, guint32 token, guint32 bit)
{
    g_autoptr(GArray) calls = g_array_new(FALSE, FALSE, sizeof(struct call));
    add_profile(calls, token, bit);
    g_array_sort(calls, by_number);
    guint32 next = 0;
    for (guint i = 0; i < calls->len; i++) {
        const struct call *c = &g_array_index(calls, struct call, i);
        if (c->nr < next)
            continue; /* one number under two names */
        if (c->nr > next)
            span_add(spans, next, REFUSE);
        span_add(spans, c->nr, c->verdict);
        next = c->nr + 1;
    }
    span_add(spans, next, MISSING);
}

static void emit_arch(GArray *prog, const struct arch *a, gboolean notify)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    add_spans(spans, a->token, a->bit);
    seccomp_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0, OFF_NR);
    emit_search(prog, (const struct span *)spans->data, 0, spans->len - 1, notify);
}

static GArray *build(gboolean notify)
{
    GArray *prog = g_array_new(FALSE, FALSE, sizeof(struct sock_filter));
    seccomp_emit(prog, BPF_LD | BPF_W | BPF_ABS, 0, 0, OFF_ARCH);
    for (guint i = 0; i < G_N_ELEMENTS(archs); i++) {
        seccomp_emit(prog, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, archs[i].token);
        guint jump = prog->len;
        seccomp_emit(prog, BPF_JMP | BPF_JA, 0, 0, 0);
        emit_arch(prog, &archs[i], notify);
        g_array_index(prog, struct sock_filter, jump).k = prog->len - jump - 1;
    }
    emit_return(prog, SECCOMP_RET_KILL_PROCESS);
    return prog;
}

const struct sock_filter *seccomp_filter(gboolean notify, guint *len, GError **err)
{
    static gsize once[2];
    static GArray *progs[2];
    int which = notify ? 1 : 0;
    if (g_once_init_enter(&once[which])) {
        progs[which] = build(notify);
        g_once_init_leave(&once[which], 1);
    }
    const GArray *prog = progs[which];
    if (prog->len > BPF_MAXINSNS) {
        error_set(err, VARVE_ERROR_UNSUPPORTED,
                  "the system call filter has %u instructions, the kernel takes %d", prog->len,
                  BPF_MAXINSNS);
        return NULL;
    }
    *len = prog->len;
    return (const struct sock_filter *)prog->data;
}
