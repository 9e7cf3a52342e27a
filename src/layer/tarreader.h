/* A strict reader of tar streams: ustar (POSIX.1-1988), PAX (POSIX.1-2001 "pax Interchange Format")
 * with SCHILY.xattr.* records, GNU long names, base-256 numbers and sparse files (GNU tar manual,
 * "Storing Sparse Files": the old format and PAX 0.0, 0.1 and 1.0). Global PAX headers are skipped,
 * as Docker does. Everything is checked; names are passed on unchanged. */
#ifndef VARVE_LAYER_TARREADER_H
#define VARVE_LAYER_TARREADER_H

#include "base/entry.h"
#include "layer/ring.h"

#define TAR_MAX_PATH 4096
#define TAR_MAX_META (1024 * 1024) /* bytes of PAX header per entry */

/* A part of a sparse file that contains data. */
struct tar_segment {
    guint64 offset; /* in the file */
    guint64 size;   /* bytes */
};
struct tar_header {
    const char *path;     /* as in the archive */
    const char *linkpath; /* link text, or the first name's path; "" */
    char type; /* '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6' fifo
                */
    guint32 mode; /* 07777 */
    guint32 uid, gid;
    guint64 size; /* files: bytes, holes included */
    gint64 mtime_ns;
    guint32 devmajor, devminor;
    const struct xattr *xattrs; /* sorted by name */
    guint n_xattrs;
    gboolean is_sparse; /* the stored bytes go to segments, in order; the rest are holes */
    const struct tar_segment *segments; /* n_segments of them */
    guint n_segments;
};
struct tarreader;
/* Reads the stream of a ring, which must outlive it. */
struct tarreader *tarreader_new(struct ring *from);
void tarreader_free(struct tarreader *r);
/* The next entry: 1, *h set, valid until the next call; 0 at the end; -1 on error. Data not read is
 * skipped. */
int tarreader_next(struct tarreader *r, const struct tar_header **h, GError **err);
/* The next stored bytes of the file, at most max; *len is 0 at its end. *p is valid until the next
 * call. */
gboolean tarreader_data(struct tarreader *r, guint64 max, const guint8 **p, gsize *len,
                        GError **err);
/* Reads to the end of the stream (padding, and anything after it). */
gboolean tarreader_drain(struct tarreader *r, GError **err);

typedef struct tarreader tarreader;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(tarreader, tarreader_free)

#endif
