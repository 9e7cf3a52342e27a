/* Part 2 of starting a sandbox (launch.h). Runs in a process that shares varve's memory while the
 * calling thread waits for it, as after vfork(): system calls only, nothing allocated, no locks
 * taken. */
#include "exec/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

UNCHECKED static void setup_fail(const struct plan *p, enum launch_stage stage, guint index)
{
    struct launch_report r = {
        .kind = REPORT_FAILED, .stage = stage, .index = index, .error = errno};
    if (write(p->report_fd, &r, sizeof r) < 0)
        _exit(125); /* nobody listens */
    _exit(126);
}

UNCHECKED static int open_in_root(int root, const char *path, gboolean ordinary)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    if (ordinary)
        how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    while (ordinary && *path == '/')
        path++;
    return syscall(SYS_openat2, root, path, &how, sizeof how);
}

UNCHECKED static int attach(int fd, int target)
{
    return move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* A mount made from inside the new namespaces. */
UNCHECKED static int new_mount(const char *type, unsigned attrs)
{
    int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0)
        return -1;
    int fd = -1;
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs);
    int saved = errno;
    close(fs);
    errno = saved;
    return fd;
}

UNCHECKED static void mount_new_at(const struct plan *p, const char *type, unsigned attrs,
                                   const char *dest, enum launch_stage stage)
{
    int target = open_in_root(p->root_fd, dest, TRUE);
    int fd = target < 0 ? -1 : new_mount(type, attrs);
    if (fd < 0 || attach(fd, target) < 0)
        setup_fail(p, stage, 0);
    close(fd);
    close(target);
}

/* Where parts of detached mounts are taken from on a kernel that cannot clone them: while the whole
 * mount lies over /dev/mqueue its parts are an ordinary mount's parts. */
struct scratch {
    int dev; /* varve's own /dev, whatever covers it later */
    int n;   /* mounts that lie over mqueue there */
};

UNCHECKED static int clone_part(struct scratch *s, const struct plan_mount *m)
{
    int point = open_in_root(s->dev, "mqueue", TRUE);
    int tree = point < 0 ? -1 : attach(m->via_fd, point);
    if (tree < 0 && errno != EINVAL &&
        errno != ELOOP) /* these: attached before, for another part */
        return -1;
    close(point);
    s->n += tree == 0;
    int fd =
        open_tree(m->fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    struct mount_attr attr = {.attr_set = m->attrs, .attr_clr = MOUNT_ATTR_NODEV & ~m->attrs};
    if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
        return -1;
    return fd;
}

UNCHECKED static void remove_scratch(const struct plan *p, struct scratch *s)
{
    if (s->n && fchdir(s->dev) < 0)
        setup_fail(p, STAGE_ROOT, 2);
    for (; s->n > 0; s->n--)
        umount2("mqueue", MNT_DETACH | UMOUNT_NOFOLLOW);
}

/* Nothing may be mounted below /proc, as in runc: programs trust its content. */
UNCHECKED static gboolean is_in_proc(int target)
{
    struct statfs st;
    return fstatfs(target, &st) == 0 && st.f_type == PROC_SUPER_MAGIC;
}

UNCHECKED static void attach_mount(const struct plan *p, guint i, struct scratch *s)
{
    const struct plan_mount *m = &((const struct plan_mount *)(void *)p->mounts->data)[i];
    int fd = m->via_fd >= 0 ? clone_part(s, m) : m->fd;
    int target = fd < 0 ? -1 : open_in_root(p->root_fd, m->dest, m->ordinary);
    if (target >= 0 ? is_in_proc(target) : strncmp(m->dest, "/proc/", 6) == 0)
        setup_fail(p, STAGE_IN_PROC, i);
    if (target < 0 || attach(fd, target) < 0)
        setup_fail(p, STAGE_MOUNT, i);
    close(target);
    if (i == 0) /* /dev is the first (mounts.h) */
        s->dev = m->fd;
}

/* A copy of the template namespace. Its only mount, hidden below the root, is lent as the mask.
 * That of the files is hidden there too: the kernel waits for all its CPUs when a detached mount is
 * closed, but not for an attached one. */
UNCHECKED static int copy_template(const struct plan *p)
{
    if (setns(p->template_fd, CLONE_NEWNS) < 0 || unshare(CLONE_NEWNS) < 0)
        setup_fail(p, STAGE_NAMESPACE, 0);
    int mask_fd = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (mask_fd < 0 || move_mount(p->files_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        setup_fail(p, STAGE_ROOT, 3);
    return mask_fd;
}

UNCHECKED static int copy_host(const struct plan *p)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        setup_fail(p, STAGE_NAMESPACE, 0);
    return p->mask_fd;
}

/* In a new mount namespace. Gives an empty read-only directory's detached mount for mask(). */
UNCHECKED static int attach_root(const struct plan *p)
{
    int mask_fd = p->template_fd >= 0 ? copy_template(p) : copy_host(p);
    if (move_mount(p->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
        setup_fail(p, STAGE_ROOT, 0);
    return mask_fd;
}

/* Mounts whose content depends on the new namespaces. */
UNCHECKED static void attach_kernel_views(const struct plan *p)
{
    const unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    if (!p->bound_proc)
        mount_new_at(p, "proc", quiet, "/proc", STAGE_PROC);
    if (p->own_net && !p->bound_sys)
        mount_new_at(p, "sysfs", quiet | (p->insecure ? 0 : MOUNT_ATTR_RDONLY), "/sys", STAGE_SYS);
    if (p->cgroup_view)
        mount_new_at(p, "cgroup2", quiet | MOUNT_ATTR_RDONLY, "/sys/fs/cgroup", STAGE_SYS);
    mount_new_at(p, "mqueue", quiet, "/dev/mqueue", STAGE_MQUEUE);
}

/* A copy of the template has nothing to pivot away: breaking out of this chroot leads to an empty
 * directory with the same root on top of it. */
UNCHECKED static void enter_root(const struct plan *p)
{
    gboolean ok = fchdir(p->root_fd) == 0;
    if (p->template_fd >= 0)
        ok = ok && chroot(".") == 0;
    else
        ok = ok && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0;
    if (!ok || chdir("/") < 0)
        setup_fail(p, STAGE_PIVOT, 0);
}

static const char *const masked_files[] = {
    "/proc/interrupts", "/proc/kcore",       "/proc/keys",       "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug"};
static const char *const masked_dirs[] = {"/proc/acpi", "/proc/asound", "/proc/scsi",
                                          "/sys/firmware", "/sys/devices/virtual/powercap"};
static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                             "/proc/sysrq-trigger"};

/* The kernel may lack any of these. */
UNCHECKED static gboolean is_absent(int error)
{
    return error == ENOENT || error == ENOTDIR;
}

UNCHECKED static void make_readonly(const struct plan *p, const char *path)
{
    int fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0) {
        if (!is_absent(errno))
            setup_fail(p, STAGE_MASK, 0);
        return;
    }
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                          MOUNT_ATTR_NOEXEC};
    if (mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0 ||
        move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        setup_fail(p, STAGE_MASK, 0);
    close(fd);
}

/* As Docker's MaskedPaths and ReadonlyPaths. */
UNCHECKED static void mask(const struct plan *p, int mask_fd)
{
    for (guint i = 0; i < G_N_ELEMENTS(readonly_paths); i++)
        make_readonly(p, readonly_paths[i]);
    for (guint i = 0; i < G_N_ELEMENTS(masked_files); i++)
        if (mount("/dev/null", masked_files[i], NULL, MS_BIND, NULL) < 0 && !is_absent(errno))
            setup_fail(p, STAGE_MASK, 0);
    const char *first =
        NULL; /* the empty directory once it is attached: later ones are bound from it */
    for (guint i = 0; i < G_N_ELEMENTS(masked_dirs); i++) {
        int ret = first
                      ? mount(first, masked_dirs[i], NULL, MS_BIND, NULL)
                      : move_mount(mask_fd, "", AT_FDCWD, masked_dirs[i], MOVE_MOUNT_F_EMPTY_PATH);
        if (ret < 0 && !is_absent(errno))
            setup_fail(p, STAGE_MASK, 0);
        if (ret == 0 && !first)
            first = masked_dirs[i];
    }
}

/* In a user namespace below the network's nobody has CAP_NET_BIND_SERVICE. As in Docker, every user
 * may then have ports below 1024. Kernels without IPv4 lack the file. */
UNCHECKED static void open_ports(const struct plan *p)
{
    int fd = open("/proc/sys/net/ipv4/ip_unprivileged_port_start", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "0", 1) < 0)
        setup_fail(p, STAGE_LOOPBACK, 1);
    close(fd);
}

UNCHECKED static void raise_loopback(const struct plan *p)
{
    struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
        setup_fail(p, STAGE_LOOPBACK, 0);
    close(fd);
}

/* The host's /dev/null would show the program where the host's root directory is. */
UNCHECKED static void take_own_null(const struct plan *p)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || dup2(fd, p->std_fd[0]) < 0)
        setup_fail(p, STAGE_STDIO, 0);
    close(fd);
}

/* The sources all have numbers beyond. */
UNCHECKED static void connect_stdio(const struct plan *p)
{
    for (int i = 0; i < 3; i++)
        if (dup2(p->std_fd[i], i) < 0)
            setup_fail(p, STAGE_STDIO, i);
}

/* Only the descriptors of launch.h stay. */
UNCHECKED static void execute_init(const struct plan *p)
{
    connect_stdio(p);
    if (dup2(p->config_fd, LAUNCH_CONFIG_FD) < 0 || dup2(p->report_fd, LAUNCH_REPORT_FD) < 0 ||
        dup3(p->init_fd, LAUNCH_INIT_FD, O_CLOEXEC) < 0)
        setup_fail(p, STAGE_STDIO, 3);
    if (syscall(SYS_close_range, LAUNCH_INIT_FD + 1, p->report_fd - 1, 0) < 0 ||
        syscall(SYS_close_range, p->report_fd + 1, ~0U, 0) < 0)
        setup_fail(p, STAGE_STDIO, 4);
    static char name[] = "varve-init";
    char *argv[] = {name, NULL}, *envp[] = {NULL};
    syscall(SYS_execveat, LAUNCH_INIT_FD, "", argv, envp, AT_EMPTY_PATH);
    setup_fail(p, STAGE_INIT, 0);
}

/* A killed varve must not leave the sandbox behind. If it died before the signal was requested,
 * nothing reads reports any more. */
UNCHECKED static void die_with_parent(const struct plan *p)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(p->report_read_fd);
    struct pollfd poll_fd = {.fd = p->report_fd};
    if (poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & (POLLERR | POLLHUP))
        _exit(125);
}

UNCHECKED static void enter_cgroup(const struct plan *p)
{
    for (guint i = 0; i < p->n_cgroups; i++)
        if (write(p->cgroups[i].procs_fd, "0", 1) < 0)
            setup_fail(p, STAGE_CGROUP, 0);
    if (unshare(CLONE_NEWCGROUP) < 0 && errno != EINVAL) /* EINVAL: a kernel without cgroups */
        setup_fail(p, STAGE_CGROUP, 0);
}

/* Everything in the root that masks, loopback and stdio depend on is varve's own: no mount placed
 * by the image or the spec is attached yet (CVE-2025-31133, CVE-2025-52565). */
UNCHECKED static void make_own(const struct plan *p, struct scratch *s)
{
    int mask_fd = attach_root(p);
    for (guint i = 0; i < p->n_own; i++)
        attach_mount(p, i, s);
    attach_kernel_views(p);
    enter_root(p);
    if (p->user_fd >= 0 && p->own_net)
        open_ports(p);
    if (!p->insecure)
        mask(p, mask_fd);
    if (p->own_net && !p->net)
        raise_loopback(p);
    if (p->null_stdin)
        take_own_null(p);
}

UNCHECKED int setup_main(void *data)
{
    const struct plan *p = data;
    struct scratch s = {.dev = -1};
    die_with_parent(p);
    enter_cgroup(p);
    if (p->net && setns(network_ns(p->net), CLONE_NEWNET) < 0)
        setup_fail(p, STAGE_NAMESPACE, 2);
    make_own(p, &s);
    for (guint i = p->n_own; i < p->mounts->len; i++)
        attach_mount(p, i, &s);
    remove_scratch(p, &s);
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    if (p->root_readonly && mount_setattr(p->root_fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        setup_fail(p, STAGE_ROOT, 1);
    if (sethostname(p->hostname, strlen(p->hostname)) < 0)
        setup_fail(p, STAGE_HOSTNAME, 0);
    if (p->user_fd >= 0 && setns(p->user_fd, CLONE_NEWUSER) < 0)
        setup_fail(p, STAGE_NAMESPACE, 3);
    execute_init(p);
    return 0;
}

UNCHECKED int setup_join_main(void *data)
{
    const struct plan *p = data;
    die_with_parent(p);
    if (setns(p->join_fd, p->join_flags) < 0 ||
        (p->join_user && setns(p->join_fd, CLONE_NEWUSER) < 0))
        setup_fail(p, STAGE_NAMESPACE, 1);
    if (p->user_fd >= 0 && setns(p->user_fd, CLONE_NEWUSER) < 0)
        setup_fail(p, STAGE_NAMESPACE, 3);
    execute_init(p);
    return 0;
}
