#include "exec/template.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/container.h"
#include "base/error.h"
#include "base/fs.h"
#include "layer/overlaymark.h"
#include "snapshot/mountfd.h"

struct made {
    int root;  /* detached mount: the namespace's only one */
    int ns;    /* result */
    int error; /* errno when ns is -1 */
};

/* In a thread of its own: it alone leaves the process's mount namespace. */
static gpointer template_thread(gpointer data)
{
    struct made *m = data;
    m->ns = -1;
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
        fd_auto int ns = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
        if (ns >= 0 && move_mount(m->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0 &&
            fchdir(m->root) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 &&
            umount2(".", MNT_DETACH) == 0)
            m->ns = fcntl(ns, F_DUPFD_CLOEXEC, 10);
    }
    m->error = errno;
    return NULL;
}

gboolean template_namespace(int *fd, GError **err)
{
    static GMutex lock;
    static int ns = -1;
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&lock);
    *fd = ns;
    if (ns >= 0 || overlaymark_userxattr())
        return TRUE;
    const char *const options[] = {"size", "4k", "nr_inodes", "1", "mode", "755", NULL, NULL};
    fd_auto int root = mountfd_new("tmpfs", MOUNT_ATTR_RDONLY, options, err);
    if (root < 0)
        return FALSE;
    struct made m = {.root = root};
    g_thread_join(g_thread_new("template", template_thread, &m));
    *fd = ns = m.ns;
    if (ns >= 0)
        return TRUE;
    const char *remedy = m.error == EPERM ? container_remedy(CONTAINER_USERNS) : NULL;
    if (remedy)
        return error_set(err, VARVE_ERROR_DENIED,
                         "making a mount namespace for sandboxes: %s: this container may not: %s "
                         "gives it",
                         g_strerror(m.error), remedy);
    error_set_errno(err, m.error, "making a mount namespace for sandboxes");
    if (m.error == EPERM)
        error_add_next(err,
                       "run varve as root, or as a user whose user namespaces are allowed; inside "
                       "a container it needs CAP_SYS_ADMIN");
    return FALSE;
}
