/* The header blocks of one tar entry. */
#ifndef VARVE_LAYER_TARHEADER_H
#define VARVE_LAYER_TARHEADER_H

#include "base/entry.h"

#define TAR_BLOCK 512

/* The header's values, as they are to appear in the archive. */
struct tar_fields {
    const char *path;           /* directories end in '/' */
    const char *link;           /* link text or first name; "" */
    char type;                  /* as in tar_header */
    guint32 mode, uid, gid;     /* mode: permission bits */
    guint64 size;               /* of the data that follows */
    gint64 mtime;               /* seconds since the epoch */
    guint32 devmajor, devminor; /* char and block */
    const struct xattr *xattrs; /* n_xattrs, sorted */
    guint n_xattrs;
};
/* Appends the blocks to out: a PAX header first when ustar cannot hold everything. */
void tarheader_write(GByteArray *out, const struct tar_fields *f);

#endif
