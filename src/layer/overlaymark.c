#include "layer/overlaymark.h"

#include "base/entry.h"
#include "base/error.h"
#include "base/idmap.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TRUSTED "trusted.overlay."
#define USER "user.overlay."
#define OWN_OPAQUE "user.varve.opaque"

static gboolean in_user_namespace(void)
{
    g_autoptr(GArray) ids = idmap_read("uid_map");
    return ids->len > 0 && !idmap_is_all(ids);
}

gboolean overlaymark_userxattr(void)
{
    static gsize once;
    static gboolean user;
    if (g_once_init_enter(&once)) {
        user = geteuid() != 0 || in_user_namespace();
        g_once_init_leave(&once, 1);
    }
    return user;
}

gboolean overlaymark_foreign(int fd)
{
    struct statfs fs;
    return fstatfs(fd, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* The xattr that makes a directory opaque. */
static const char *overlaymark_opaque_name(int dirfd)
{
    if (overlaymark_foreign(dirfd))
        return OWN_OPAQUE;
    return overlaymark_userxattr() ? USER "opaque" : TRUSTED "opaque";
}

gboolean overlaymark_set_opaque(int dirfd, GError **err)
{
    const char *name = overlaymark_opaque_name(dirfd);
    if (fsetxattr(dirfd, name, "y", 1, 0) == 0)
        return TRUE;
    gboolean unsupported = errno == ENOTSUP;
    error_set_errno(err, errno, "cannot mark a directory opaque (xattr %s)", name);
    if (unsupported)
        error_add_next(err, "keep the store on a file system with such attributes (ext4, xfs, "
                            "btrfs, tmpfs of Linux 6.6 or newer): --root or VARVE_ROOT");
    return FALSE;
}

gboolean overlaymark_is_opaque(int dirfd)
{
    char value;
    return (fgetxattr(dirfd, TRUSTED "opaque", &value, 1) == 1 && value == 'y') ||
           (fgetxattr(dirfd, USER "opaque", &value, 1) == 1 && value == 'y') ||
           (fgetxattr(dirfd, OWN_OPAQUE, &value, 1) == 1 && value == 'y');
}

gboolean overlaymark_whiteout(int dirfd, const char *name, GError **err)
{
    if (mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) == 0)
        return TRUE;
    int error = errno;
    if (error == EPERM && overlaymark_foreign(dirfd) &&
        mknodat(dirfd, name, ENTRY_SOCKET_WHITEOUT, 0) == 0 &&
        fchmodat(dirfd, name, ENTRY_SOCKET_WHITEOUT & 07777, 0) == 0)
        return TRUE;
    errno = error;
    return error_set_errno(err, errno, "cannot make the whiteout %s", name);
}

gboolean overlaymark_is_xattr(const char *name)
{
    return g_str_has_prefix(name, TRUSTED) || g_str_has_prefix(name, USER) ||
           g_str_equal(name, OWN_OPAQUE);
}
