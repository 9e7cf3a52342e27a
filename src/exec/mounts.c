#include "exec/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "exec/kernelview.h"
#include "exec/resolv.h"
#include "snapshot/mountfd.h"

#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)
#define DEFAULT_SHM (64 << 20)
#define HOSTS "/etc/hosts"

gboolean mounts_old_kernel;

/* Takes fd. */
static struct plan_mount *plan_add_mount(struct plan *p, int fd, const char *dest)
{
    struct plan_mount m = {.fd = fd, .dest = g_strdup(dest), .via_fd = -1};
    g_array_append_val(p->mounts, m);
    return &g_array_index(p->mounts, struct plan_mount, p->mounts->len - 1);
}

/* The mount that path will be in, NULL for the root's; *rest is the path inside it. With self, a
 * mount on path itself counts, with rest "". */
static const struct plan_mount *mount_at(const struct plan *p, const char *path, gboolean self,
                                         const char **rest)
{
    for (guint i = p->mounts->len; i-- > 0;) {
        const struct plan_mount *m = &g_array_index(p->mounts, struct plan_mount, i);
        gsize len = strlen(m->dest);
        *rest = path + len;
        if (g_str_has_prefix(path, m->dest) && (**rest == '/' || (self && !**rest)))
            return m;
    }
    *rest = path;
    return NULL;
}

/* A mount point below a mount must be made in it, and stays there: another step may share that
 * mount (a cache), and lose what it mounted when the point went. Gives the descriptor to make it in
 * and the path from there. */
static int base_of(const struct plan *p, int rootfd, const char *dest, const char **rest)
{
    const struct plan_mount *m = mount_at(p, dest, FALSE, rest);
    return m ? m->fd : rootfd;
}

/* What already exists decides: the kernel mounts a directory on a directory, a file on a file. */
static gboolean fits(const struct plan *p, int rootfd, const char *dest, gboolean dir, GError **err)
{
    const char *rest;
    struct stat st;
    int base = base_of(p, rootfd, dest, &rest);
    fd_auto int there = fs_open_in_root(base, *rest ? rest : ".", O_PATH | O_CLOEXEC, 0);
    if (there < 0 || fstat(there, &st) < 0 || S_ISDIR(st.st_mode) == dir)
        return TRUE;
    error_set(err, VARVE_ERROR_INVALID, "cannot mount %s at %s, which is %s",
              dir ? "a directory" : "a file", dest, dir ? "a file" : "a directory");
    if (dir)
        error_add_next(err, "mount a file, or choose another target");
    else
        error_add_next(err, "mount a directory, or name the file: %s/NAME", dest);
    return FALSE;
}

static gboolean make_point(struct plan *p, int rootfd, const char *dest, gboolean dir,
                           gboolean *made, GError **err)
{
    const char *rest;
    int base = base_of(p, rootfd, dest, &rest);
    if (stubs_make(base == rootfd ? p->stubs : NULL, base, rest, dir, made, err))
        return TRUE;
    g_prefix_error(err, "making the mount point %s: ", dest);
    return FALSE;
}

/* Adds a part of a detached mount: source is the part, tree the mount's root, both borrowed. */
static gboolean add_part(struct plan *p, int source, int tree, const char *dest, guint64 attrs,
                         GError **err)
{
    int fd = -1;
    errno = EINVAL;
    if (!mounts_old_kernel || tree < 0)
        fd = mountfd_clone(source, "", attrs, NULL);
    if (fd >= 0) {
        plan_add_mount(p, fd, dest);
        return TRUE;
    }
    if (errno != EINVAL)
        return error_set_errno(err, errno, "making the mount at %s", dest);
    fd = fcntl(source, F_DUPFD_CLOEXEC, 10);
    struct plan_mount *m = plan_add_mount(p, fd, dest);
    m->attrs = attrs;
    m->via_fd = tree < 0 ? -1 : fcntl(tree, F_DUPFD_CLOEXEC, 10);
    struct mount_attr attr = {.attr_set = attrs};
    if (fd < 0 || (tree >= 0 && m->via_fd < 0) ||
        (tree < 0 && attrs &&
         mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0))
        return error_set_errno(err, errno, "making the mount at %s", dest);
    return TRUE;
}

static const struct {
    const char *name;
    guint minor, major;
} nodes[] = {{"null", 3, 1},   {"zero", 5, 1},    {"full", 7, 1},
             {"random", 8, 1}, {"urandom", 9, 1}, {"tty", 0, 5}};

static const char *const links[][2] = {
    {"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"},
    {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
    {"pts/ptmx", "ptmx"},          {"/proc/kcore", "core"}}; /* the last: not every kernel's */

/* The host's node over an empty file. */
static gboolean add_host_node(struct plan *p, int dev, const char *name, const char *path,
                              GError **err)
{
    fd_auto int empty = openat(dev, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (empty < 0)
        return error_set_errno(err, errno, "making %s for the sandbox", path);
    /* Devices can be written to on a read-only mount; the node itself cannot be changed. */
    fd_auto int fd = mountfd_clone(AT_FDCWD, path, MOUNT_ATTR_RDONLY, err);
    if (fd < 0)
        return FALSE;
    plan_add_mount(p, fd_steal(&fd), path);
    return TRUE;
}

/* A device node, mounted over itself: only in these mounts can a node open a device. Where nodes
 * are refused (user namespaces) it is the host's. */
static gboolean add_node(struct plan *p, int dev, guint i, GError **err)
{
    const char *name = nodes[i].name;
    g_autofree char *path = g_strconcat("/dev/", name, NULL);
    if (mknodat(dev, name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0)
        return errno == EPERM ? add_host_node(p, dev, name, path, err)
                              : error_set_errno(err, errno, "making %s for the sandbox", path);
    fd_auto int node = openat(dev, name, O_PATH | O_CLOEXEC);
    if (node < 0 || fchmodat(dev, name, 0666, 0) < 0)
        return error_set_errno(err, errno, "setting the mode of %s", path);
    return add_part(p, node, dev, path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, err);
}

static gboolean fill_dev(struct plan *p, int dev, GError **err)
{
    static const char *const dirs[] = {"pts", "shm", "mqueue"};
    for (guint i = 0; i < G_N_ELEMENTS(dirs); i++)
        if (mkdirat(dev, dirs[i], 0755) < 0)
            return error_set_errno(err, errno, "making /dev/%s for the sandbox", dirs[i]);
    guint n_links = G_N_ELEMENTS(links) - (access("/proc/kcore", F_OK) < 0);
    for (guint i = 0; i < n_links; i++)
        if (symlinkat(links[i][0], dev, links[i][1]) < 0)
            return error_set_errno(err, errno, "making /dev/%s for the sandbox", links[i][1]);
    for (guint i = 0; i < G_N_ELEMENTS(nodes); i++)
        if (!add_node(p, dev, i, err))
            return FALSE;
    return TRUE;
}

/* Nodes made in a user namespace are useless: they open nothing there. */
static gboolean make_node(int dev, const char *name, mode_t mode, dev_t number, GError **err)
{
    if (mknodat(dev, name, mode, number) < 0)
        return errno == EPERM ||
               error_set_errno(err, errno, "making /dev/%s for the sandbox", name);
    return fchmodat(dev, name, mode & 0777, 0) == 0 ||
           error_set_errno(err, errno, "setting the mode of /dev/%s", name);
}

/* What BuildKit's --security=insecure adds: file systems in user space, and those in files. */
static gboolean add_insecure_nodes(int dev, GError **err)
{
    enum { LOOPS = 8, LOOP_MAJOR = 7, MISC_MAJOR = 10, FUSE_MINOR = 229, CONTROL_MINOR = 237 };
    for (guint i = 0; i < LOOPS; i++) {
        g_autofree char *name = g_strdup_printf("loop%u", i);
        if (!make_node(dev, name, S_IFBLK | 0660, makedev(LOOP_MAJOR, i), err))
            return FALSE;
    }
    return make_node(dev, "loop-control", S_IFCHR | 0660, makedev(MISC_MAJOR, CONTROL_MINOR),
                     err) &&
           make_node(dev, "fuse", S_IFCHR | 0666, makedev(MISC_MAJOR, FUSE_MINOR), err);
}

static int new_pts(GError **err)
{
    const char *options[] = {"ptmxmode", "0666", "mode", "0620", "newinstance",
                             NULL,       "gid",  "5",    NULL,   NULL};
    int fd = mountfd_new("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options, NULL);
    if (fd >= 0)
        return fd;
    options[6] = NULL; /* group tty may have no number in this user namespace */
    return mountfd_new("devpts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, options, err);
}

gboolean mounts_open_terminal(struct plan *p, int pts, GError **err)
{
    int locked = 0;
    int *fd = p->terminal_fd;
    fd[0] = openat(pts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd[0] >= 0 && ioctl(fd[0], TIOCSPTLCK, &locked) == 0)
        fd[1] = ioctl(fd[0], TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd[1] >= 0 || error_set_errno(err, errno, "making a terminal for the sandbox");
}

static gboolean add_dev(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    const char *const dev_options[] = {"mode", "755", "size", "65536k", NULL, NULL};
    int dev = mountfd_new("tmpfs", MOUNT_ATTR_NOSUID, dev_options, err);
    if (dev < 0)
        return FALSE;
    plan_add_mount(p, dev, "/dev")->ordinary = TRUE;
    if (!fill_dev(p, dev, err) || (p->insecure && !add_insecure_nodes(dev, err)))
        return FALSE;
    struct mount_attr attr = {.attr_set = plan_nodev(p)}; /* the nodes' mounts are without */
    if (mount_setattr(dev, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return error_set_errno(err, errno, "making /dev for the sandbox");
    int pts = new_pts(err);
    if (pts < 0)
        return FALSE;
    plan_add_mount(p, pts, "/dev/pts");
    if (spec->terminal && !mounts_open_terminal(p, pts, err))
        return FALSE;
    g_autofree char *size =
        g_strdup_printf("%" G_GUINT64_FORMAT, spec->shm_size ? spec->shm_size : DEFAULT_SHM);
    const char *const shm_options[] = {"mode", "1777", "size", size, NULL, NULL};
    int shm = mountfd_new("tmpfs", QUIET, shm_options, err);
    if (shm < 0)
        return FALSE;
    plan_add_mount(p, shm, "/dev/shm");
    return TRUE;
}

/* The host's /sys has the host's cgroups in it, of which the sandbox is to see none but its own:
 * setup.c covers version 2, and this the rest. */
static gboolean cover_cgroups(struct plan *p, GError **err)
{
    struct statfs st;
    if (p->cgroup_view || statfs("/sys/fs/cgroup", &st) < 0 || st.f_type == SYSFS_MAGIC)
        return TRUE;
    const char *const options[] = {"size", "4k", "nr_inodes", "1", NULL, NULL};
    int fd = mountfd_new("tmpfs", QUIET | MOUNT_ATTR_RDONLY, options, err);
    if (fd < 0)
        return FALSE;
    plan_add_mount(p, fd, "/sys/fs/cgroup")->ordinary = TRUE;
    return TRUE;
}

/* Where the kernel allows no other: with the masks that lie on it. */
static gboolean add_bound_proc(struct plan *p, GError **err)
{
    p->bound_proc = (kernelview_refused() & KERNELVIEW_PROC) != 0;
    int fd = p->bound_proc ? mountfd_clone(AT_FDCWD, "/proc", QUIET, err) : -1;
    if (fd >= 0)
        plan_add_mount(p, fd, "/proc")->ordinary = TRUE;
    return fd >= 0 || !p->bound_proc;
}

/* With a network namespace of its own setup.c makes /sys, which shows the namespace it was mounted
 * in. In a user namespace the host's network forbids a new one: then the host's is bound. */
static gboolean add_sys(struct plan *p, GError **err)
{
    struct statfs st;
    p->cgroup_view = statfs("/sys/fs/cgroup", &st) == 0 && st.f_type == CGROUP2_SUPER_MAGIC;
    p->bound_sys = (kernelview_refused() & KERNELVIEW_SYS) != 0;
    if (p->own_net && !p->bound_sys)
        return TRUE;
    guint64 attrs = QUIET | (p->insecure ? 0 : MOUNT_ATTR_RDONLY);
    int fd = p->bound_sys ? -1 : mountfd_new("sysfs", attrs, NULL, NULL);
    gboolean bound = fd < 0;
    if (bound)
        fd = mountfd_clone(AT_FDCWD, "/sys", QUIET | MOUNT_ATTR_RDONLY, err);
    if (fd < 0)
        return FALSE;
    plan_add_mount(p, fd, "/sys")->ordinary = TRUE;
    return !bound || cover_cgroups(p, err);
}

gboolean mounts_prepare_kernel(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    static const char *const points[] = {"/proc", "/dev", "/sys"};
    for (guint i = 0; i < G_N_ELEMENTS(points); i++)
        if (!stubs_make_lasting(spec->root_fd, points[i], 0, 0, err))
            return FALSE;
    const char *const mask_options[] = {"size", "4k", "nr_inodes", "1", NULL, NULL};
    if (!p->insecure && p->template_fd < 0) {
        p->mask_fd = mountfd_new("tmpfs", MOUNT_ATTR_RDONLY, mask_options, err);
        if (p->mask_fd < 0)
            return FALSE;
    }
    gboolean ok = add_dev(p, spec, err) && add_bound_proc(p, err) && add_sys(p, err);
    p->n_own = p->mounts->len;
    return ok;
}

static gboolean write_secret_file(int dir, const char *name, const struct sandbox_file *f,
                                  const char *dest, GError **err)
{
    fd_auto int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || fchown(fd, f->uid, f->gid) < 0 || fchmod(fd, f->mode) < 0)
        return error_set_errno(err, errno, "making the file for %s", dest);
    return fs_write_all(fd, f->bytes, f->len, err);
}

/* The file's number is its name among the files; made: as in stubs_make(). */
static gboolean add_secret_file(struct plan *p, int rootfd, guint number,
                                const struct sandbox_file *f, const char *dest, gboolean *made,
                                GError **err)
{
    int dir = p->files_fd;
    g_autofree char *name = g_strdup_printf("%u", number);
    if (!write_secret_file(dir, name, f, dest, err) ||
        !make_point(p, rootfd, dest, FALSE, made, err))
        return FALSE;
    fd_auto int source = openat(dir, name, O_PATH | O_CLOEXEC);
    return add_part(p, source, dir, dest, QUIET | MOUNT_ATTR_RDONLY, err);
}

/* As Docker's builder writes it. In the host's network the gateway to the host is the loopback
 * interface. */
static char *hosts_text(const struct plan *p, const struct sandbox_spec *spec, const char *hostname)
{
    const char *gateway = p->net ? NETWORK_GATEWAY : "127.0.0.1";
    GString *text = g_string_new(NULL);
    g_string_printf(text, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n",
                    hostname);
    for (guint i = 0; i < spec->n_hosts; i++) {
        const char *ip =
            g_str_equal(spec->hosts[i].ip, "host-gateway") ? gateway : spec->hosts[i].ip;
        g_string_append_printf(text, "%s\t%s\n", ip, spec->hosts[i].host);
    }
    return g_string_free(text, FALSE);
}

gboolean sandbox_floor(int dir, GError **err)
{
    return stubs_make(NULL, dir, HOSTS, FALSE, NULL, err) &&
           stubs_make(NULL, dir, RESOLV_CONF, FALSE, NULL, err);
}

static GBytes *read_resolv(const struct plan *p, GError **err)
{
    if (p->net)
        return g_bytes_new(network_resolv(p->net), strlen(network_resolv(p->net)));
    fd_auto int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? g_bytes_new(NULL, 0) : fs_read_fd(fd, RESOLV_CONF, RESOLV_MAX, err);
}

static gboolean add_network_files(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    g_autofree char *hosts = hosts_text(p, spec, p->hostname);
    g_autoptr(GBytes) resolv = read_resolv(p, err);
    if (!resolv)
        return FALSE;
    struct sandbox_file files[] = {
        {.bytes = hosts, .len = strlen(hosts), .mode = 0644},
        {.bytes = g_bytes_get_data(resolv, NULL), .len = g_bytes_get_size(resolv), .mode = 0644}};
    return add_secret_file(p, spec->root_fd, 0, &files[0], HOSTS, NULL, err) &&
           add_secret_file(p, spec->root_fd, 1, &files[1], RESOLV_CONF, NULL, err);
}

gboolean mounts_prepare_files(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    const char *const options[] = {"mode", "0700", NULL, NULL};
    p->files_fd = mountfd_new("tmpfs", QUIET, options, err);
    return p->files_fd >= 0 && add_network_files(p, spec, err);
}

/* A mount of the spec on its way into the plan. */
struct placed {
    struct sandbox_mount *mount;
    char *dest;   /* without the links of the root; owned */
    guint number; /* its place in the spec */
    guint depth;  /* names in dest */
};

static void placed_clear(gpointer p)
{
    g_free(((struct placed *)p)->dest);
}

/* As runc's. */
static mode_t tmpfs_mode(const struct plan *p, int rootfd, const struct placed *m)
{
    const char *rest;
    struct stat st;
    if (m->mount->mode)
        return m->mount->mode;
    int base = base_of(p, rootfd, m->dest, &rest);
    fd_auto int point = m->mount->made ? -1 : fs_open_in_root(base, rest, O_PATH | O_DIRECTORY, 0);
    return point >= 0 && fstat(point, &st) == 0 ? st.st_mode & 07777 : 01777;
}

static gboolean add_tmpfs(struct plan *p, int rootfd, const struct placed *placed, GError **err)
{
    const struct sandbox_mount *m = placed->mount;
    g_autofree char *size = g_strdup_printf("%" G_GUINT64_FORMAT, m->size);
    g_autofree char *mode = g_strdup_printf("%o", tmpfs_mode(p, rootfd, placed));
    const char *options[] = {"mode", mode, "size", size, NULL, NULL};
    if (!m->size)
        options[2] = NULL;
    guint64 attrs = MOUNT_ATTR_NOSUID | plan_nodev(p) | (m->readonly ? MOUNT_ATTR_RDONLY : 0) |
                    (m->noexec ? MOUNT_ATTR_NOEXEC : 0);
    int fd = mountfd_new("tmpfs", attrs, options, err);
    if (fd < 0)
        return FALSE;
    plan_add_mount(p, fd, placed->dest);
    return TRUE;
}

static gboolean add_spec_mount(struct plan *p, int rootfd, const struct placed *placed,
                               GError **err)
{
    struct sandbox_mount *m = placed->mount;
    struct stat st = {.st_mode = S_IFDIR};
    if (m->file) /* 0 and 1 are the network's */
        return add_secret_file(p, rootfd, placed->number + 2, m->file, placed->dest, &m->made, err);
    if (m->fd >= 0 && fstat(m->fd, &st) < 0)
        return error_set_errno(err, errno, "reading the source of the mount %s", m->dest);
    if (!fits(p, rootfd, placed->dest, S_ISDIR(st.st_mode), err) ||
        !make_point(p, rootfd, placed->dest, S_ISDIR(st.st_mode), &m->made, err))
        return FALSE;
    gboolean ok = m->fd < 0 ? add_tmpfs(p, rootfd, placed, err)
                            : add_part(p, m->fd, m->tree_fd > 0 ? m->tree_fd : -1, placed->dest,
                                       plan_nodev(p) | (m->readonly ? MOUNT_ATTR_RDONLY : 0), err);
    if (ok)
        g_array_index(p->mounts, struct plan_mount, p->mounts->len - 1).readonly = m->readonly;
    return ok;
}

/* Where mount points are looked for: the root with the mounts planned so far. */
struct view {
    const struct plan *plan;
    int rootfd;
    gboolean root_only; /* without the mounts */
};

static int view_open(gpointer ctx, const char *path)
{
    const struct view *v = ctx;
    const char *rest = path;
    const struct plan_mount *m = v->root_only ? NULL : mount_at(v->plan, path, TRUE, &rest);
    if (m && !*rest)
        return fcntl(m->fd, F_DUPFD_CLOEXEC, 0);
    return fs_open_in_root(m ? m->fd : v->rootfd, rest, O_PATH | O_NOFOLLOW, 0);
}

/* The working directory may lie below a mount, which need not have it: it is made there too, but
 * not in what is mounted read-only. */
static gboolean make_cwd(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    if (!spec->cwd)
        return TRUE;
    struct view v = {.plan = p, .rootfd = spec->root_fd};
    g_autofree char *cwd = stubs_resolve(view_open, &v, spec->cwd, err);
    const char *rest;
    const struct plan_mount *m = cwd ? mount_at(p, cwd, FALSE, &rest) : NULL;
    return cwd && (!m || m->readonly || stubs_make_lasting(m->fd, rest, 0, 0, err));
}

static guint path_depth(const char *path)
{
    guint n = 0;
    for (; *path; path++)
        n += *path == '/';
    return n;
}

/* What is mounted on a directory comes before what is mounted inside it, however they were written
 * and whatever kind they are; else the order stays. */
static gint by_depth(gconstpointer a, gconstpointer b)
{
    const struct placed *x = a, *y = b;
    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    return x->number < y->number ? -1 : 1;
}

/* Two names of one directory must not let what is mounted on it hide what is mounted inside. */
static gboolean place_mount(struct placed *out, const struct sandbox_spec *spec, guint i,
                            GError **err)
{
    struct sandbox_mount *m = &spec->mounts[i];
    struct view root = {.rootfd = spec->root_fd, .root_only = TRUE};
    if (*m->dest != '/' || !m->dest[1])
        return error_set(err, VARVE_ERROR_INVALID,
                         "the mount point \"%s\" is not an absolute path below /", m->dest);
    *out = (struct placed){.mount = m, .number = i};
    out->dest = stubs_resolve(view_open, &root, m->dest, err);
    out->depth = out->dest ? path_depth(out->dest) : 0;
    return out->dest != NULL;
}

/* Earlier mounts may also contain links. */
static gboolean attach_placed(struct plan *p, int rootfd, struct placed *m, GError **err)
{
    struct view v = {.plan = p, .rootfd = rootfd};
    g_autofree char *dest = stubs_resolve(view_open, &v, m->dest, err);
    if (!dest)
        return FALSE;
    if (!dest[1])
        return error_set(err, VARVE_ERROR_INVALID, "the mount point \"%s\" is the root directory",
                         m->mount->dest);
    g_free(m->dest);
    m->dest = g_steal_pointer(&dest);
    return add_spec_mount(p, rootfd, m, err);
}

gboolean mounts_prepare_spec(struct plan *p, const struct sandbox_spec *spec, GError **err)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(struct placed));
    g_array_set_clear_func(list, placed_clear);
    for (guint i = 0; i < spec->n_mounts; i++) {
        struct placed placed;
        if (!place_mount(&placed, spec, i, err))
            return FALSE;
        g_array_append_val(list, placed);
    }
    g_array_sort(list, by_depth);
    for (guint i = 0; i < list->len; i++)
        if (!attach_placed(p, spec->root_fd, &g_array_index(list, struct placed, i), err))
            return FALSE;
    return make_cwd(p, spec, err);
}

gboolean mounts_prepare_emulator(struct plan *p, const struct sandbox_spec *spec, const char *path,
                                 GError **err)
{
    fd_auto int file = open(path, O_PATH | O_CLOEXEC);
    struct sandbox_mount mount = {.dest = path, .fd = file, .readonly = TRUE};
    struct placed placed = {.mount = &mount, .dest = g_strdup(path), .number = spec->n_mounts};
    gboolean ok = (file >= 0 || error_set_errno(err, errno, "opening the emulator %s", path)) &&
                  attach_placed(p, spec->root_fd, &placed, err);
    placed_clear(&placed);
    return ok;
}
