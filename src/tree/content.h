/* Reading and hashing files that may be changing meanwhile. Internal to tree/, layer/ and cache/.
 */
#ifndef VARVE_TREE_CONTENT_H
#define VARVE_TREE_CONTENT_H

#include "base/digest.h"

/* Opens the regular file path below rootfd for reading, following no symlinks and never waiting for
 * a fifo's writer; a socket reads as an empty file. -1 on error (VARVE_ERROR_DENIED when it is
 * unreadable). where names the tree in messages ("the build context"). */
int content_open(int rootfd, const char *path, const char *where, GError **err);
/* Opens the directory path ("" is rootfd itself) likewise; -1 with errno set. */
int content_open_dir(int rootfd, const char *path);
/* Hashes fd from its start to its end. VARVE_ERROR_FAILED "… changed while it was being read" if it
 * does not have exactly size bytes. */
gboolean content_hash(int fd, const char *path, guint64 size, struct digest *out, GError **err);
/* Sets *err to that message; returns FALSE. */
gboolean content_changed(const char *path, GError **err);

#endif
