#include "exec/ownbinfmt.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/idmap.h"
#include "exec/binfmt.h"
#include "snapshot/mountfd.h"

#define STACK 65536
#define FLAGS "POCF" /* argv[0] is kept, set-user-ID works, the file stays open */

/* The process that makes the namespace shares this one's descriptors, not its memory. */
struct maker {
    int go[2];      /* a byte: its ids are mapped */
    int answers[2]; /* of struct answer: after unshare(), and at the end */
};
struct answer {
    int error;     /* errno, or 0 */
    int ns, mount; /* at the end: descriptors */
};

static struct {
    int ns, mount;   /* -1: not made */
    gboolean tried;  /* it was, or cannot be made */
    GHashTable *has; /* of struct machine *: registered */
} own = {-1, -1, FALSE, NULL};

static void tell(const struct maker *m, struct answer a)
{
    if (write(m->answers[1], &a, sizeof a) != sizeof a)
        _exit(1);
    if (a.error)
        _exit(0);
}

static int maker_main(void *data)
{
    const struct maker *m = data;
    struct answer a = {0, -1, -1};
    char byte;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        a.error = errno;
    tell(m, a);
    if (read(m->go[0], &byte, 1) != 1)
        _exit(1);
    int fs = fsopen("binfmt_misc", FSOPEN_CLOEXEC);
    if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ||
        (a.mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) < 0 ||
        (a.ns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC)) < 0)
        a.error = errno;
    if (fs >= 0)
        close(fs);
    tell(m, a);
    _exit(0);
}

/* The ids of this namespace, each as itself. */
static gboolean map_ids(pid_t pid, const char *kind)
{
    g_autofree char *text = idmap_same_text(kind, G_MAXUINT32);
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, kind);
    fd_auto int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && *text && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static gboolean hear(const struct maker *m, struct answer *a)
{
    ssize_t n;
    while ((n = read(m->answers[0], a, sizeof *a)) < 0 && errno == EINTR)
        ;
    return n == sizeof *a && a->error == 0;
}

/* Whether the maker did all. It is told to go on, or sees that nobody tells it. */
static gboolean direct(struct maker *m, pid_t pid)
{
    struct answer a;
    gboolean ok = hear(m, &a) && map_ids(pid, "uid_map") && map_ids(pid, "gid_map") &&
                  write(m->go[1], "g", 1) == 1 && hear(m, &a);
    if (ok) {
        own.ns = a.ns;
        own.mount = a.mount;
    }
    return ok;
}

static void own_make(void)
{
    struct maker m = {{-1, -1}, {-1, -1}};
    g_autofree char *stack = g_malloc(STACK);
    own.has = g_hash_table_new(NULL, NULL);
    if (pipe2(m.go, O_CLOEXEC) == 0 && pipe2(m.answers, O_CLOEXEC) == 0) {
        pid_t pid = clone(maker_main, stack + STACK, CLONE_FILES, &m);
        if (pid > 0 && !direct(&m, pid))
            kill(pid, SIGKILL);
        while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    }
    for (guint i = 0; i < 2; i++) {
        fd_cleanup(&m.go[i]);
        fd_cleanup(&m.answers[i]);
    }
}

/* A directory with a copy, called name, that only the kernel can reach: through a mount on which
 * nothing can be changed. */
static int copy_emulator(int source, const char *name)
{
    const char *const options[] = {"mode", "755", NULL, NULL};
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
    fd_auto int dir = mountfd_new("tmpfs", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, options, NULL);
    fd_auto int copy = dir < 0 ? -1 : openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    if (copy < 0 || lseek(source, 0, SEEK_SET) < 0 ||
        !fs_copy_fd(source, copy, "the emulator", NULL))
        return -1;
    fd_cleanup(&copy);
    return mount_setattr(dir, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0 ? -1 : fd_steal(&dir);
}

static gboolean own_register(const struct machine *m, int source)
{
    g_autofree char *name = g_strconcat("qemu-", m->qemu, NULL);
    fd_auto int dir = copy_emulator(source, name);
    g_autofree char *at = dir < 0 ? NULL : fs_fd_path(dir);
    g_autofree char *path = at ? g_build_filename(at, name, NULL) : NULL;
    return path && binfmt_register(own.mount, m->qemu, m, path, FLAGS);
}

int ownbinfmt_namespace(const struct machine *m, int source)
{
    static GMutex lock;
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&lock);
    if (!own.tried)
        own_make();
    own.tried = TRUE;
    if (own.ns >= 0 && !g_hash_table_contains(own.has, m)) {
        if (!own_register(m, source))
            return -1;
        g_hash_table_add(own.has, (gpointer)m);
    }
    return own.ns;
}
