#include "doctor/probes.h"

#include <errno.h>
#include <string.h>
#include <sys/mount.h>

#include "base/container.h"
#include "base/error.h"
#include "base/fs.h"
#include "exec/kernelview.h"
#include "exec/network.h"
#include "exec/sandbox.h"
#include "snapshot/mountfd.h"

/* A program that no root has: everything that comes before it was done when it is not found. */
#define NO_PROGRAM "/no-such-program"

static void swallow_output(gpointer ctx, int fd, const void *bytes, gsize len)
{
    (void)ctx, (void)fd, (void)bytes, (void)len;
}

/* Starts a sandbox on an empty root; spec has what is special. */
static gboolean try_sandbox(struct sandbox_spec spec, GError **err)
{
    static const char *const args[] = {NO_PROGRAM, NULL}, *const env[] = {NULL};
    const char *const options[] = {"size", "1m", NULL, NULL};
    struct sandbox_result result;
    fd_auto int root = mountfd_new("tmpfs", 0, options, err);
    if (root < 0)
        return FALSE;
    spec.root_fd = root;
    spec.args = args;
    spec.env = env;
    spec.stdin_fd = -1;
    spec.output = swallow_output;
    if (!sandbox_run(&spec, NULL, &result, err))
        return FALSE;
    return result.exec_errno == ENOENT ||
           error_set(err, VARVE_ERROR_FAILED, "the trial ended with code %d", result.exit_code);
}

static void probe_plain(GPtrArray *to)
{
    g_autoptr(GError) why = NULL;
    struct finding f = {.name = "sandbox",
                        .purpose = "RUN: namespaces, mounts, pivot_root, seccomp, capabilities",
                        .needed = TRUE};
    if (try_sandbox((struct sandbox_spec){.network = NET_NONE}, &why)) {
        f.found = g_strdup("started");
        finding_add(to, f);
        return;
    }
    f.state = FINDING_MISSING;
    finding_add_error(to, f, g_strdup(container_remedy(CONTAINER_USERNS)), &why);
}

static void probe_views(GPtrArray *to)
{
    guint refused = kernelview_refused();
    const char *remedy = container_remedy(CONTAINER_PROC);
    const char *what = refused == KERNELVIEW_PROC  ? "/proc"
                       : refused == KERNELVIEW_SYS ? "/sys"
                                                   : "/proc and /sys";
    finding_add(
        to, (struct finding){
                .name = "/proc and /sys",
                .purpose = "a RUN that sees nothing but itself",
                .state = refused ? FINDING_LIMITED : FINDING_OK,
                .found = refused ? g_strdup_printf("programs get those of the outside: "
                                                   "parts of %s are masked",
                                                   what)
                                 : g_strdup("mounted anew for each sandbox"),
                .remedy = g_strdup(remedy ? remedy : "remove what is mounted over parts of them")});
}

static void probe_limits(GPtrArray *to)
{
    g_autoptr(GError) why = NULL;
    const struct resources some = {.memory = 64 << 20};
    struct finding f = {.name = "cgroups", .purpose = "limits of steps: --memory, --resource"};
    if (try_sandbox((struct sandbox_spec){.network = NET_NONE, .resources = &some}, &why)) {
        f.found = g_strdup("a limit of memory was set");
        finding_add(to, f);
        return;
    }
    f.state = FINDING_LIMITED;
    finding_add_error(to, f,
                      g_strdup(container_name()
                                   ? "limit the container itself, or let it write its cgroups "
                                     "(docker run --privileged)"
                                   : "as root; or as a user with cgroups of version 2 and "
                                     "systemd's Delegate=yes"),
                      &why);
}

static void probe_network(GPtrArray *to)
{
    g_autoptr(GError) why = NULL;
    struct finding f = {.name = "network", .purpose = "a network of its own for each RUN"};
    struct netpool *nets = netpool_new(NETPOOL_PRIVATE);
    if (try_sandbox((struct sandbox_spec){.nets = nets, .net_at_once = TRUE}, &why)) {
        f.found = g_strdup("pasta connected a sandbox");
        finding_add(to, f);
    } else {
        const char *remedy = container_remedy(CONTAINER_TUN);
        f.state = FINDING_LIMITED;
        finding_add_error(to, f, remedy ? g_strdup_printf("package passt, and %s", remedy) : NULL,
                          &why);
    }
    netpool_free(nets);
}

/* Listening for a program's first socket, so that pasta starts only then. */
static void probe_notification(GPtrArray *to)
{
    g_autofree char *text = NULL;
    gboolean there =
        g_file_get_contents("/proc/sys/kernel/seccomp/actions_avail", &text, NULL, NULL) &&
        strstr(text, "user_notif");
    finding_add(to,
                (struct finding){.name = "seccomp",
                                 .purpose = "filters of system calls; networks on demand",
                                 .state = there ? FINDING_OK : FINDING_LIMITED,
                                 .found = g_strdup(there ? "with user notification"
                                                         : "the kernel does not say what it can"),
                                 .remedy = g_strdup("a kernel with CONFIG_SECCOMP_FILTER")});
}

void probe_sandboxes(GPtrArray *to)
{
    probe_views(to);
    probe_notification(to);
    probe_plain(to);
    probe_limits(to);
    probe_network(to);
}
