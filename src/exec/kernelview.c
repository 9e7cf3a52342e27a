#include "exec/kernelview.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/container.h"
#include "base/fs.h"
#include "exec/launch.h"
#include "exec/spawn.h"
#include "layer/overlaymark.h"

#define MAX_MOUNTINFO (4 << 20)

UNCHECKED static gboolean can_mount_view(const char *type, unsigned attrs)
{
    int fs = fsopen(type, FSOPEN_CLOEXEC);
    int fd = fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0
                 ? fsmount(fs, FSMOUNT_CLOEXEC, attrs)
                 : -1;
    return fd >= 0; /* the process ends, and with it the descriptors */
}

/* In new namespaces, and sharing varve's memory: system calls only. */
UNCHECKED static int try_views(void *unused)
{
    const unsigned quiet = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    (void)unused;
    _exit((can_mount_view("proc", quiet) ? 0 : KERNELVIEW_PROC) |
          (can_mount_view("sysfs", quiet | MOUNT_ATTR_RDONLY) ? 0 : KERNELVIEW_SYS));
}

/* Mounts that are nearly everywhere, on directories that are empty: they hide nothing. */
static gboolean is_harmless(const char *place)
{
    static const char *const prefixes[] = {"/sys/fs/", "/sys/kernel/", "/proc/sys/fs/binfmt_misc"};
    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++)
        if (g_str_has_prefix(place, prefixes[i]))
            return TRUE;
    return FALSE;
}

static gboolean line_masks(const char *line)
{
    g_auto(GStrv) fields = g_strsplit(line, " ", 6);
    const char *place = g_strv_length(fields) > 4 ? fields[4] : "";
    return (g_str_has_prefix(place, "/proc/") || g_str_has_prefix(place, "/sys/")) &&
           !is_harmless(place);
}

/* Whether anything may lie over parts of /proc or /sys: trying costs a process. */
static gboolean may_be_masked(void)
{
    g_autoptr(GBytes) text = fs_read(AT_FDCWD, "/proc/self/mountinfo", MAX_MOUNTINFO, NULL);
    g_auto(GStrv) lines = text ? g_strsplit(g_bytes_get_data(text, NULL), "\n", -1) : NULL;
    gboolean any = !text;
    for (guint i = 0; lines && lines[i] && !any; i++)
        any = line_masks(lines[i]);
    return any;
}

static guint ask_kernel(void)
{
    if (!overlaymark_userxattr() || !may_be_masked())
        return 0;
    fd_auto int pidfd = spawn(try_views, NULL, CLONE_NEWPID | CLONE_NEWNET, NULL);
    int status = pidfd < 0 ? 0 : spawn_wait(pidfd, NULL);
    return WIFEXITED(status) ? (guint)WEXITSTATUS(status) : 0;
}

guint kernelview_refused(void)
{
    static gsize once;
    static guint refused;
    if (g_once_init_enter(&once)) {
        refused = ask_kernel();
        g_once_init_leave(&once, 1);
    }
    return refused;
}

char *kernelview_warning(void)
{
    static gint told;
    if (!kernelview_refused() || !g_atomic_int_compare_and_exchange(&told, 0, 1))
        return NULL;
    const char *remedy = container_remedy(CONTAINER_PROC);
    return g_strdup_printf(
        "programs have the /proc and /sys of this container, since the kernel allows no others "
        "below their masks: they see the container's processes and their command lines (but not "
        "their files, memory or environment), and steps run one at a time (%s)",
        remedy ? remedy : "run varve where nothing is mounted over parts of /proc and /sys");
}
