/* Overlayfs's own marks in layer directories: whiteouts (character device 0:0) and opaque
 * directories (an xattr, "trusted.overlay.opaque" for the real root and "user.overlay.opaque" in a
 * user namespace, where snapshots are mounted with userxattr). Only this file decides which. A
 * store that itself is on overlayfs (in a container) can have neither, and is never mounted: there
 * a whiteout is a socket of a mode that no program gives one (ENTRY_SOCKET_WHITEOUT), and
 * "user.varve.opaque" makes a directory opaque. */
#ifndef VARVE_LAYER_OVERLAYMARK_H
#define VARVE_LAYER_OVERLAYMARK_H

#include <glib.h>

/* TRUE when varve is not the real root, so that the user.overlay marks are in use. */
gboolean overlaymark_userxattr(void);
/* Whether the file is on an overlayfs, where its marks cannot be made. */
gboolean overlaymark_foreign(int fd);
/* Marks the directory dirfd (not O_PATH) opaque. */
gboolean overlaymark_set_opaque(int dirfd, GError **err);
/* TRUE when the directory fd carries an opaque mark. */
gboolean overlaymark_is_opaque(int dirfd);
/* Makes the whiteout dirfd/name, which must not exist (EEXIST is an error). */
gboolean overlaymark_whiteout(int dirfd, const char *name, GError **err);
/* TRUE for xattrs that control overlayfs: never read from an archive, never stored in an index. */
gboolean overlaymark_is_xattr(const char *name);

#endif
