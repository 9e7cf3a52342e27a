/* Objects: one inode for equal files of many layers, hard-linked into layer directories. An object's
 * identity covers all that an inode carries: content digest, mode, uid, gid, mtime, xattrs. */
#ifndef VARVE_LAYER_OBJECT_H
#define VARVE_LAYER_OBJECT_H

#include "base/entry.h"
#include "store/store.h"

/* e must have its digest. */
void object_identity(const struct entry *e, struct digest *out);
/* Makes dirfd/name a file like e (content from src_fd, which may be -1 when an object exists or must be
 * opened through open_content): links the object of this identity, creating it first when missing; with
 * unique, or beyond the file system's link limit, writes a plain copy instead. Ownership, mode,
 * mtime and xattrs are e's. Verifies while copying that the content still has e's digest
 * (VARVE_ERROR_FAILED "changed while it was being read" otherwise). */
typedef int (*object_open_fn)(gpointer ctx, const struct entry *e, GError **err);
gboolean object_materialise(struct store *s, const struct entry *e, gboolean unique, int dirfd,
                            const char *name, object_open_fn open_content, gpointer ctx, GError **err);

#endif
