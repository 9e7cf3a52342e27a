/* Part 1 of starting a sandbox (launch.h): everything that can fail with a good message. */
#include "exec/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/cgroup.h"
#include "exec/config.h"
#include "exec/emulator.h"
#include "exec/mounts.h"
#include "exec/template.h"

static void mount_clear(gpointer p)
{
    struct plan_mount *m = p;
    fd_cleanup(&m->fd);
    fd_cleanup(&m->via_fd);
    g_free(m->dest);
}

void plan_init(struct plan *p)
{
    *p = (struct plan){.root_fd = -1,
                       .files_fd = -1,
                       .mask_fd = -1,
                       .join_fd = -1,
                       .join_cgroup = -1,
                       .user_fd = -1,
                       .config_fd = -1,
                       .init_fd = -1,
                       .report_fd = -1,
                       .report_read_fd = -1,
                       .std_fd = {-1, -1, -1},
                       .terminal_fd = {-1, -1},
                       .out_fd = {-1, -1},
                       .in_fd = -1};
    p->mounts = g_array_new(FALSE, TRUE, sizeof(struct plan_mount));
    g_array_set_clear_func(p->mounts, mount_clear);
    p->stubs = stubs_new();
}

void plan_started(struct plan *p)
{
    for (int i = 0; i < 3; i++)
        fd_cleanup(&p->std_fd[i]);
    fd_cleanup(&p->terminal_fd[0]);
    fd_cleanup(&p->terminal_fd[1]);
    fd_cleanup(&p->report_fd);
    fd_cleanup(&p->config_fd);
    fd_cleanup(&p->init_fd);
    fd_cleanup(&p->root_fd);
    fd_cleanup(&p->files_fd);
    for (guint i = 0; i < p->mounts->len; i++) { /* their names are still needed for messages */
        fd_cleanup(&g_array_index(p->mounts, struct plan_mount, i).fd);
        fd_cleanup(&g_array_index(p->mounts, struct plan_mount, i).via_fd);
    }
}

void plan_clear(struct plan *p)
{
    plan_started(p);
    fd_cleanup(&p->report_read_fd);
    fd_cleanup(&p->mask_fd);
    cgroup_clear(p);
    fd_cleanup(&p->join_fd);
    for (int i = 0; i < 2; i++)
        fd_cleanup(&p->out_fd[i]);
    fd_cleanup(&p->in_fd);
    g_array_unref(p->mounts);
    stubs_free(p->stubs);
    g_strfreev(p->limit_names);
    g_strfreev(p->candidates);
    g_free(p->cwd);
}

/* setup.c moves descriptors to the numbers 0 to 5, so its inputs must have other numbers. Takes fd.
 */
static gboolean place_high(int *slot, int fd, GError **err)
{
    *slot = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    if (*slot < 0)
        return error_set_errno(err, errno, "preparing the sandbox's descriptors");
    return TRUE;
}

static gboolean make_pipe(int *read_end, int *write_end, GError **err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_set_errno(err, errno, "making a pipe for the sandbox");
    gboolean ok = place_high(read_end, ends[0], err) && place_high(write_end, ends[1], err);
    close(ends[0]);
    close(ends[1]);
    return ok;
}

/* A socket, because a descriptor may come over it (listener.h). */
static gboolean make_reports(struct plan *p, GError **err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return error_set_errno(err, errno, "making a socket for the sandbox");
    gboolean ok =
        place_high(&p->report_read_fd, ends[0], err) && place_high(&p->report_fd, ends[1], err);
    close(ends[0]);
    close(ends[1]);
    return ok;
}

static gboolean is_pipe(int fd)
{
    struct statfs st;
    return fstatfs(fd, &st) == 0 && st.f_type == PIPEFS_MAGIC;
}

/* Programs reopen their input and output by name: log files are links to /dev/stdout. The kernel
 * then checks the mode of the pipe, which belongs to its maker, and the program's user may be
 * another. Only processes that have an unnamed pipe can name it, so its mode protects nothing. A
 * pipe of another user (EPERM) is not changed. */
static void share_pipes(const struct plan *p)
{
    for (int i = 0; i < 3; i++)
        if (is_pipe(p->std_fd[i]))
            fchmod(p->std_fd[i], 0666);
}

/* Where the program's output i (1 or 2) goes. */
static gboolean prepare_output(struct plan *p, const struct sandbox_spec *spec, int i, GError **err)
{
    if (!spec->output || (spec->keep_pipes && is_pipe(i)))
        return place_high(&p->std_fd[i], i, err);
    return make_pipe(&p->out_fd[i - 1], &p->std_fd[i], err);
}

/* EINVAL: the user is not in this user namespace; starting the program then fails with that error.
 */
static gboolean use_terminal(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    int program = p->terminal_fd[1];
    for (int i = 0; i < 3; i++)
        if (!place_high(&p->std_fd[i], program, err))
            return FALSE;
    if (fchown(program, p->uid, -1) < 0 && errno != EINVAL)
        return error_set_errno(err, errno, "giving the terminal to user %u", p->uid);
    spec->terminal(spec->terminal_ctx, fd_steal(&p->terminal_fd[0]));
    return TRUE;
}

/* Only an unnamed pipe is passed directly: /proc/self/fd/0 of a terminal, file, named pipe or
 * directory of the host would give access to that file, or a way out, and a socket stays in the
 * host's network: a program can disconnect it from its peer and connect it to another there. Their
 * content is forwarded instead (pump.c). */
static gboolean prepare_input(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    if (is_pipe(spec->stdin_fd))
        return place_high(&p->std_fd[0], spec->stdin_fd, err);
    if (!make_pipe(&p->std_fd[0], &p->in_fd, err))
        return FALSE;
    return fcntl(p->in_fd, F_SETFL, O_NONBLOCK) == 0 ||
           error_set_errno(err, errno, "preparing the program's input");
}

static gboolean prepare_null(struct plan *p, GError **err)
{
    fd_auto int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    p->null_stdin = TRUE;
    return place_high(&p->std_fd[0], null_fd, err);
}

static gboolean prepare_stdio(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    if (spec->terminal)
        return use_terminal(p, spec, err);
    if (!(spec->stdin_fd < 0 ? prepare_null(p, err) : prepare_input(p, spec, err)) ||
        !prepare_output(p, spec, 1, err) || !prepare_output(p, spec, 2, err))
        return FALSE;
    share_pipes(p);
    return TRUE;
}

static gboolean groups_denied(void)
{
    g_autofree char *text = NULL;
    return g_file_get_contents("/proc/self/setgroups", &text, NULL, NULL) &&
           g_str_has_prefix(text, "deny");
}

static gboolean prepare_init(struct plan *p, const struct config_input *in, GError **err)
{
    g_autoptr(GByteArray) config = config_pack(in, err);
    p->config_fd = config ? config_memfd(config, err) : -1;
    p->init_fd = p->config_fd < 0 ? -1 : config_init_memfd(err);
    return p->init_fd >= 0;
}

/* Everything about the process itself. */
static gboolean prepare_process(struct plan *p, const struct sandbox_spec *spec,
                                const struct identity *id, guint32 flags, GError **err)
{
    g_autoptr(GArray) limits = config_limits(spec, &p->limit_names, err);
    if (!limits)
        return FALSE;
    g_auto(GStrv) env = config_env(spec->env, id->home);
    p->cwd = g_strdup(spec->cwd && *spec->cwd ? spec->cwd : "/");
    p->uid = id->uid;
    p->gid = id->gid;
    if (!make_reports(p, err))
        return FALSE;
    flags |= (spec->terminal ? LAUNCH_TTY : 0) | (spec->init || p->emulated ? LAUNCH_INIT : 0) |
             (groups_denied() ? LAUNCH_NO_GROUPS : 0) |
             (p->net && network_listens(p->net) ? LAUNCH_LISTEN : 0);
    struct config_input in = {.spec = spec,
                              .id = id,
                              .flags = flags,
                              .argv = spec->args,
                              .cwd = p->cwd,
                              .candidates = (const char *const *)p->candidates,
                              .env = (const char *const *)env,
                              .limits = limits};
    return prepare_init(p, &in, err) && prepare_stdio(p, spec, err);
}

/* Checks the spec; where its program may be is needed from here on. */
static gboolean begin_plan(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    if (!spec->args || !spec->args[0] || !*spec->args[0])
        return error_set(err, VARVE_ERROR_INVALID,
                         "there is no program to run: the command is empty");
    if (spec->cwd && *spec->cwd && *spec->cwd != '/')
        return error_set(err, VARVE_ERROR_INVALID, "the working directory %s is not absolute",
                         spec->cwd);
    if (spec->devices && spec->devices[0])
        return error_set(err, VARVE_ERROR_UNSUPPORTED, "devices in the sandbox are not supported");
    p->candidates = config_candidates(spec->args[0], spec->env);
    return TRUE;
}

/* A kernel before 6.15 cannot clone a detached mount: then the spec's own is attached (and can be
 * attached only once). */
static gboolean prepare_root(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    struct mount_attr attr = {.attr_set = plan_nodev(p)};
    p->root_readonly = spec->root_readonly;
    p->root_fd = fcntl(spec->root_fd, F_DUPFD_CLOEXEC, 10);
    if (p->root_fd < 0 || mount_setattr(p->root_fd, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return error_set_errno(err, errno, "preparing the root file system");
    return TRUE;
}

/* What the program is for, whatever the platform says; NULL: not known (a script, or none). */
static const struct machine *program_machine(const struct plan *p, const struct sandbox_spec *spec)
{
    const struct machine *m = NULL;
    for (guint i = 0; p->candidates[i] && !m; i++)
        m = machine_of_file(spec->root_fd, p->candidates[i]);
    return m;
}

/* An image may hold other programs than its platform says: those decide where it says this
 * machine's, and what this machine can run is run. */
static void choose_emulator(struct emulator *e, const struct plan *p,
                            const struct sandbox_spec *spec)
{
    const struct machine *m = program_machine(p, spec);
    struct platform real = {.os = "linux"}, host;
    platform_host(&host);
    g_strlcpy(real.arch, m ? m->arch : host.arch, sizeof real.arch);
    gboolean native = g_str_equal(real.arch, host.arch);
    emulator_choose(e, spec->platform, spec->insecure);
    if (e->kind != (native ? EMULATOR_NONE : EMULATOR_NATIVE) || !m)
        return;
    emulator_clear(e);
    emulator_choose(e, &real, spec->insecure);
}

/* An emulator ends by the signal that ended its program, and would wait for that for ever as
 * process 1, which no signal of its own ends: so it is given an init. */
static gboolean prepare_emulator(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    struct emulator e;
    choose_emulator(&e, p, spec);
    p->user_fd = e.user_fd;
    p->emulated = e.kind > EMULATOR_COMPAT;
    gboolean ok = e.kind != EMULATOR_NONE;
    if (e.kind == EMULATOR_PLACED)
        ok = mounts_prepare_emulator(p, spec, e.path, err);
    else if (!ok)
        g_propagate_error(err, g_steal_pointer(&e.why));
    emulator_clear(&e);
    return ok;
}

gboolean plan_prepare(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    p->insecure = spec->insecure;
    if (!begin_plan(p, spec, err) || !prepare_root(p, spec, err))
        return FALSE;
    if (!template_namespace(&p->template_fd, err))
        return FALSE;
    p->own_net = spec->network == NET_NONE || p->net;
    p->hostname = spec->hostname && *spec->hostname ? spec->hostname : "buildkitsandbox";
    struct identity id;
    gboolean ok =
        identity_resolve(&id, spec->root_fd, spec->user, err) &&
        (!spec->cwd || stubs_make_lasting(spec->root_fd, spec->cwd, id.uid, id.gid, err)) &&
        mounts_prepare_kernel(p, spec, err) && mounts_prepare_files(p, spec, err) &&
        mounts_prepare_spec(p, spec, err) && prepare_emulator(p, spec, err) &&
        prepare_process(p, spec, &id, 0, err) && cgroup_prepare(p, spec, err);
    identity_clear(&id);
    return ok;
}

static gboolean is_foreign(int pid, const char *kind)
{
    struct stat own, other;
    g_autofree char *own_path = g_strdup_printf("/proc/self/ns/%s", kind);
    g_autofree char *other_path = g_strdup_printf("/proc/%d/ns/%s", pid, kind);
    return stat(own_path, &own) == 0 && stat(other_path, &other) == 0 && own.st_ino != other.st_ino;
}

/* Joining the current namespace may be refused (the host's network, for an ordinary user). */
static int foreign_namespaces(int pid)
{
    static const struct {
        const char *name;
        int flag;
    } kinds[] = {{"mnt", CLONE_NEWNS},  {"pid", CLONE_NEWPID}, {"ipc", CLONE_NEWIPC},
                 {"uts", CLONE_NEWUTS}, {"net", CLONE_NEWNET}, {"cgroup", CLONE_NEWCGROUP}};
    int flags = 0;
    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (is_foreign(pid, kinds[i].name))
            flags |= kinds[i].flag;
    return flags;
}

/* Of the sandbox's own /dev/pts, if it still is one: the program can change /dev. */
static gboolean join_terminal(struct plan *p, int rootfd, GError **err)
{
    struct statfs st;
    fd_auto int pts = fs_open_in_root(rootfd, "dev/pts", O_PATH | O_DIRECTORY, 0);
    if (pts >= 0 && fstatfs(pts, &st) == 0 && st.f_type == DEVPTS_SUPER_MAGIC)
        return mounts_open_terminal(p, pts, err);
    return error_set(err, VARVE_ERROR_FAILED, "the sandbox has no /dev/pts any more");
}

gboolean plan_prepare_join(struct plan *p, int pid, const struct sandbox_spec *spec, GError **err)
{
    if (!begin_plan(p, spec, err))
        return FALSE;
    g_autofree char *root = g_strdup_printf("/proc/%d/root", pid);
    fd_auto int rootfd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    fd_auto int pidfd = syscall(SYS_pidfd_open, pid, 0);
    if (rootfd < 0 || !place_high(&p->join_fd, pidfd, NULL))
        return error_set_errno(err, errno, "joining the sandbox of process %d", pid);
    p->join_flags = foreign_namespaces(pid);
    p->join_user = is_foreign(pid, "user");
    cgroup_prepare_join(p, pid);
    if (spec->terminal && !join_terminal(p, rootfd, err))
        return FALSE;
    struct identity id;
    gboolean ok = identity_resolve(&id, rootfd, spec->user, err) &&
                  prepare_process(p, spec, &id, LAUNCH_JOIN, err);
    identity_clear(&id);
    return ok;
}
