/* The records of a PAX extended header, which apply to the next entry. */
#ifndef VARVE_LAYER_TARPAX_H
#define VARVE_LAYER_TARPAX_H

#include "layer/tarreader.h"

struct tarpax {
    GByteArray *bytes;       /* the records; strings below point into it */
    const char *path;        /* NULL: not given */
    const char *linkpath;    /* NULL: not given */
    const char *sparse_name; /* GNU.sparse.name: the real path */
    gint64 mtime_ns;         /* nanoseconds since the epoch */
    guint64 size, uid, gid, real_size,
        sparse_major; /* sizes in bytes; GNU.sparse's size and version */
    gboolean has_mtime, has_size, has_uid, has_gid, has_real_size,
        is_sparse;    /* which of these were given */
    GArray *xattrs;   /* struct xattr, sorted once parsed */
    GArray *segments; /* struct tar_segment: maps of formats 0.0 and 0.1 */
};
void tarpax_init(struct tarpax *p);
void tarpax_clear(struct tarpax *p);
/* Forgets everything. */
void tarpax_reset(struct tarpax *p);
/* Parses p->bytes. */
gboolean tarpax_parse(struct tarpax *p, GError **err);

#endif
