/* Objects: one inode for equal files of many layers, hard-linked into layer directories. An
 * object's identity covers everything in an inode: content digest, mode, uid, gid, mtime, xattrs.
 */
#ifndef VARVE_LAYER_OBJECT_H
#define VARVE_LAYER_OBJECT_H

#include "base/entry.h"
#include "store/store.h"

/* e must have its digest. */
void object_identity(const struct entry *e, struct digest *out);
/* Opens the content of e; -1 with *err. */
typedef int (*object_open_fn)(gpointer ctx, const struct entry *e, GError **err);
/* Makes dirfd/name (name may be a path below dirfd; it must not exist) a file like e: links the
 * object of this identity, creating it first when missing; with unique, or beyond the file system's
 * link limit, writes a plain copy instead. Owner, mode, mtime and xattrs are e's; holes are kept.
 * Verifies while copying that the content still has e's digest (VARVE_ERROR_FAILED "changed while
 * it was being read" otherwise). Thread-safe. */
gboolean object_materialise(struct store *s, const struct entry *e, gboolean unique, int dirfd,
                            const char *name, object_open_fn open_content, gpointer ctx,
                            GError **err);
/* The same, but in_chain (may be NULL) is asked whether the chain already has an inode of this
 * identity; only if an object exists that some layer links. ctx is for both callbacks. */
struct object_source {
    object_open_fn open;                                       /* gives the content */
    gboolean (*in_chain)(gpointer ctx, const struct entry *e); /* or NULL */
    gpointer ctx;                                              /* for both */
};
gboolean object_place(struct store *s, const struct entry *e, const struct digest *identity,
                      int dirfd, const char *name, const struct object_source *from, GError **err);
/* Writes a plain copy of e's content with e's attributes as dirfd/name. */
gboolean object_copy(const struct entry *e, int dirfd, const char *name,
                     const struct object_source *from, GError **err);

#endif
