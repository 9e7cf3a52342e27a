#include "exec/pasta.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "base/fs.h"
#include "exec/keeper.h"
#include "exec/launch.h"
#include "exec/network.h"
#include "exec/signal.h"
#include "exec/spawn.h"

#define MAX_COMPLAINT 4096
#define TUN "/dev/net/tun"

struct start {
    int fds[3]; /* numbers >= 10 */
    const char *program;
    char **argv;
};

void pasta_init(struct pasta *p)
{
    *p = (struct pasta){-1, -1, -1, 0};
}

/* udev gives the device the mode 0666; where nothing does, root's own stays. */
static const char *tun_remedy(int reason)
{
    const char *remedy = container_remedy(CONTAINER_TUN);
    if (remedy && reason != EACCES)
        return remedy;
    if (reason == EACCES || reason == EPERM)
        return "let everybody open it: sudo chmod 666 " TUN ", or for good a rule of udev: "
               "KERNEL==\"tun\", MODE=\"0666\"";
    return "load the kernel's module: sudo modprobe tun";
}

char *pasta_find(const char **remedy, GError **err)
{
    g_autofree char *path = g_find_program_in_path("pasta");
    if (!path || *path != '/') {
        error_set(err, VARVE_ERROR_NOT_FOUND, "pasta (package passt) is not installed");
        *remedy = "install the package passt";
        return NULL;
    }
    fd_auto int tun = open(TUN, O_RDWR | O_CLOEXEC);
    if (tun < 0) {
        int reason = errno;
        *remedy = tun_remedy(reason);
        error_set(err, VARVE_ERROR_NOT_FOUND, "pasta needs " TUN ", which cannot be opened: %s",
                  g_strerror(reason));
        return NULL;
    }
    return g_steal_pointer(&path);
}

static void pasta_add_arg(GPtrArray *args, const char *arg)
{
    g_ptr_array_add(args, g_strdup(arg));
}

static char *port_range(guint first, guint count)
{
    return count > 1 ? g_strdup_printf("%u-%u", first, first + count - 1)
                     : g_strdup_printf("%u", first);
}

/* "[ADDRESS/]OUTSIDE:INSIDE", or "none" when there is no port of that protocol: left out, pasta
 * would forward all ports in which something listens. */
static void add_ports(GPtrArray *args, const struct pasta_how *how, gboolean udp)
{
    const char *option = udp ? "-u" : "-t";
    gboolean any = FALSE;
    for (guint i = 0; i < how->n_ports; i++) {
        const struct network_port *p = &how->ports[i];
        if (p->udp != udp)
            continue;
        g_autofree char *outside = port_range(p->outside, p->count);
        g_autofree char *inside = port_range(p->inside, p->count);
        pasta_add_arg(args, option);
        g_ptr_array_add(args, g_strconcat(p->address ? p->address : "", p->address ? "/" : "",
                                          outside, ":", inside, NULL));
        any = TRUE;
    }
    if (!any) {
        pasta_add_arg(args, option);
        pasta_add_arg(args, "none");
    }
}

/* Ids: it would become nobody, and cannot work as nobody everywhere. */
static char **pasta_args(const struct pasta_how *how)
{
    static const char *const fixed[] = {
        "pasta", "--foreground",    "--quiet", "--config-net",    "-T",      "none",           "-U",
        "none",  "--no-netns-quit", "--pid",   "/proc/self/fd/1", "--netns", "/proc/self/fd/0"};
    static const char *const gateway[] = {"-a", "192.0.0.2", "-n", "29", "-g", NETWORK_GATEWAY};
    GPtrArray *args = g_ptr_array_new();
    for (guint i = 0; i < G_N_ELEMENTS(fixed); i++)
        pasta_add_arg(args, fixed[i]);
    pasta_add_arg(args, "--runas");
    g_ptr_array_add(args, g_strdup_printf("%u:%u", geteuid(), getegid()));
    for (guint i = 0; how->gateway && i < G_N_ELEMENTS(gateway); i++)
        pasta_add_arg(args, gateway[i]);
    if (!how->gateway)
        pasta_add_arg(args, "--no-map-gw");
    if (how->resolver) {
        pasta_add_arg(args, "--dns-forward");
        pasta_add_arg(args, PASTA_RESOLVER);
    }
    add_ports(args, how, FALSE);
    add_ports(args, how, TRUE);
    g_ptr_array_add(args, NULL);
    return (char **)g_ptr_array_free(args, FALSE);
}

/* In a process that shares varve's memory, but not its handlers. */
UNCHECKED static void reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &plain, NULL);
}

/* In a process that shares varve's memory: system calls only. */
UNCHECKED static int pasta_main(void *data)
{
    const struct start *s = data;
    char *envp[] = {NULL};
    sigset_t none;
    setsid(); /* a Ctrl-C at varve's terminal is not its own */
    for (int i = 0; i < 3; i++)
        if (dup2(s->fds[i], i) < 0)
            _exit(127);
    reset_signals();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && chdir("/") == 0)
        execve(s->program, s->argv, envp);
    _exit(127);
}

/* A pipe whose ends have numbers from 10 on, non-blocking. */
static gboolean make_pipe(int *read_end, int *write_end, GError **err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return error_set_errno(err, errno, "making a pipe for pasta");
    *read_end = fcntl(ends[0], F_DUPFD_CLOEXEC, 10);
    *write_end = fcntl(ends[1], F_DUPFD_CLOEXEC, 10);
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    return (*read_end >= 0 && *write_end >= 0) ||
           error_set_errno(err, error, "making a pipe for pasta");
}

gboolean pasta_start(struct pasta *p, const struct pasta_how *how, GError **err)
{
    int keeper = keeper_pidfd(err);
    fd_auto int out = -1, errors = -1;
    if (keeper < 0 || !make_pipe(&p->ready, &out, err) || !make_pipe(&p->errors, &errors, err))
        return FALSE;
    g_auto(GStrv) argv = pasta_args(how);
    struct start s = {{how->ns, out, errors}, how->program, argv};
    p->give_up = g_get_monotonic_time() + (gint64)PASTA_PATIENCE * G_USEC_PER_SEC;
    p->pidfd = spawn_within(keeper, pasta_main, &s, CLONE_NEWPID, NULL);
    if (p->pidfd < 0)
        return error_set_errno(err, errno, "starting %s", how->program);
    return TRUE;
}

/* The last relevant line: without a system logger it also complains about that. */
static char *complaint(const struct pasta *p)
{
    char text[MAX_COMPLAINT + 1];
    ssize_t n = read(p->errors, text, MAX_COMPLAINT);
    text[MAX(n, 0)] = '\0';
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    const char *last = "it said nothing";
    for (guint i = 0; lines[i]; i++)
        if (*g_strstrip(lines[i]) && !strstr(lines[i], "syslog"))
            last = lines[i];
    return g_utf8_make_valid(last, -1);
}

struct pollfd pasta_poll(const struct pasta *p)
{
    return (struct pollfd){.fd = p->ready >= 0 ? p->ready : p->pidfd, .events = POLLIN};
}

static gboolean can_be_read(int fd)
{
    struct pollfd at = {.fd = fd, .events = POLLIN};
    return poll(&at, 1, 0) > 0;
}

/* TRUE if it reported that it is ready. At the pipe's end it is usually about to exit, and all its
 * messages come before that; but it may also have closed the pipe and stay. */
static gboolean read_ready(struct pasta *p)
{
    char pid[32];
    ssize_t n = p->ready < 0 ? -1 : read(p->ready, pid, sizeof pid);
    if (n == 0)
        fd_cleanup(&p->ready);
    return n > 0;
}

enum pasta_state pasta_look(struct pasta *p, GError **err)
{
    if (read_ready(p))
        return PASTA_READY;
    if (p->ready < 0 && can_be_read(p->pidfd)) {
        spawn_wait(p->pidfd, NULL);
        fd_cleanup(&p->pidfd);
        g_autofree char *why = complaint(p);
        error_set(err, VARVE_ERROR_OUTSIDE, "pasta refused: %s", why);
        return PASTA_REFUSED;
    }
    if (g_get_monotonic_time() < p->give_up)
        return PASTA_STARTING;
    pasta_stop(p);
    error_set(err, VARVE_ERROR_OUTSIDE, "pasta did not get ready in %d s", PASTA_PATIENCE);
    return PASTA_HUNG;
}

void pasta_stop(struct pasta *p)
{
    if (p->pidfd >= 0) {
        signal_send(p->pidfd, SIGKILL);
        spawn_wait(p->pidfd, NULL);
    }
    fd_cleanup(&p->pidfd);
    fd_cleanup(&p->ready);
    fd_cleanup(&p->errors);
}
