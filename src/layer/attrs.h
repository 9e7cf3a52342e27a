/* Attributes of files in layer directories: owners, modes, times, xattrs. */
#ifndef VARVE_LAYER_ATTRS_H
#define VARVE_LAYER_ATTRS_H

#include "base/entry.h"

#define ATTRS_MAX_XATTRS (1024 * 1024) /* bytes of one file's xattr values, together */

/* TRUE for the xattrs that belong to an image: security.capability, POSIX ACLs, user.* (but not
 * overlayfs's). Others, such as SELinux labels, belong to the host. */
gboolean attrs_keeps_xattr(const char *name);
/* The kept xattrs of fd, sorted by name: *n of them in one newly allocated block (free with
 * g_free), NULL when there are none. FALSE with *err when they cannot be read. */
gboolean attrs_read_xattrs(int fd, struct xattr **out, guint *n, GError **err);

/* The error for an xattr of path that cannot be set for reason, an errno; FALSE. */
gboolean attrs_xattr_failed(int reason, const struct xattr *x, const char *path, GError **err);

/* Gives fd (a regular file or directory) owner, mode, xattrs and mtime of e. Owners that this user
 * namespace cannot express are left out: the index has the real ones. */
gboolean attrs_apply_fd(int fd, const struct entry *e, GError **err);
/* Gives dirfd/name, a symlink or special file, owner, mode (not of symlinks) and mtime of e. */
gboolean attrs_apply_at(int dirfd, const char *name, const struct entry *e, GError **err);

#endif
