#include "snapshot/mountfd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"

/* The kernel leaves its explanation in the descriptor: "e overlay: …". */
static gboolean fsconfig_fail(int fs, const char *type, GError **err)
{
    int error = errno;
    char text[512];
    ssize_t n = read(fs, text, sizeof text - 1);
    g_autofree char *said = n > 2 ? g_strndup(text + 2, n - 2) : NULL;
    if (said)
        g_strchomp(said);
    error_set_errno(err, error, "making a %s mount%s%s%s", type, said ? " (" : "", said ? said : "",
                    said ? ")" : "");
    errno = error;
    return FALSE;
}

static gboolean configure(int fs, const char *type, const char *const *options, GError **err)
{
    for (; options && options[0]; options += 2) {
        int ret = options[1] ? fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0)
                             : fsconfig(fs, FSCONFIG_SET_FLAG, options[0], NULL, 0);
        if (ret < 0)
            return fsconfig_fail(fs, type, err);
    }
    return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0 || fsconfig_fail(fs, type, err);
}

int mountfd_new(const char *type, guint64 attrs, const char *const *options, GError **err)
{
    fd_auto int fs = fsopen(type, FSOPEN_CLOEXEC);
    if (fs < 0) {
        int error = errno;
        error_set_errno(err, error, "opening the file system type %s", type);
        errno = error;
        return -1;
    }
    if (!configure(fs, type, options, err))
        return -1;
    int fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs);
    if (fd < 0)
        fsconfig_fail(fs, type, err);
    return fd;
}

int mountfd_clone(int dirfd, const char *path, guint64 attrs, GError **err)
{
    fd_auto int fd =
        open_tree(dirfd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    struct mount_attr attr = {.attr_set = attrs};
    if (fd < 0 ||
        (attrs && mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)) {
        int error = errno;
        error_set_errno(err, error, "making a bind mount of %s", *path ? path : "a directory");
        errno = error;
        return -1;
    }
    return fd_steal(&fd);
}
