#include "layer/overlaymark.h"

#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TRUSTED "trusted.overlay."
#define USER "user.overlay."

/* The first user namespace maps all ids onto themselves. */
static gboolean in_user_namespace(void)
{
    FILE *f = fopen("/proc/self/uid_map", "re");
    if (!f)
        return FALSE;
    unsigned long inside = 0, outside = 0, count = 0;
    int n = fscanf(f, "%lu %lu %lu", &inside, &outside, &count);
    fclose(f);
    return n == 3 && !(inside == 0 && outside == 0 && count == 4294967295UL);
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

/* The xattr that makes a directory opaque. */
static const char *overlaymark_opaque_name(void)
{
    return overlaymark_userxattr() ? USER "opaque" : TRUSTED "opaque";
}

gboolean overlaymark_set_opaque(int dirfd, GError **err)
{
    if (fsetxattr(dirfd, overlaymark_opaque_name(), "y", 1, 0) == 0)
        return TRUE;
    gboolean unsupported = errno == ENOTSUP;
    error_set_errno(err, errno, "cannot mark a directory opaque (xattr %s)",
                    overlaymark_opaque_name());
    if (unsupported)
        error_add_next(err, "keep the store on a file system with such attributes (ext4, xfs, "
                            "btrfs, tmpfs of Linux 6.6 or newer): --root or VARVE_ROOT");
    return FALSE;
}

gboolean overlaymark_is_opaque(int dirfd)
{
    char value;
    return (fgetxattr(dirfd, TRUSTED "opaque", &value, 1) == 1 && value == 'y') ||
           (fgetxattr(dirfd, USER "opaque", &value, 1) == 1 && value == 'y');
}

gboolean overlaymark_whiteout(int dirfd, const char *name, GError **err)
{
    if (mknodat(dirfd, name, S_IFCHR, makedev(0, 0)) == 0)
        return TRUE;
    return error_set_errno(err, errno, "cannot make the whiteout %s", name);
}

gboolean overlaymark_is_xattr(const char *name)
{
    return g_str_has_prefix(name, TRUSTED) || g_str_has_prefix(name, USER);
}
