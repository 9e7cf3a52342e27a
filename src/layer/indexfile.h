/* The bytes of a layer's index (format: layer/index.h). Internal to layer/. */
#ifndef VARVE_LAYER_INDEXFILE_H
#define VARVE_LAYER_INDEXFILE_H

#include <glib.h>

#define INDEXFILE_MAGIC "varvidx1"
#define INDEXFILE_VERSION 1
#define INDEXFILE_NONE G_MAXUINT32 /* offset of an absent string */
#define INDEXFILE_MAX_ENTRIES (10 * 1000 * 1000)

struct indexfile_header {
    char magic[8];      /* INDEXFILE_MAGIC without its NUL */
    guint32 version;    /* INDEXFILE_VERSION */
    guint32 n;          /* entries */
    guint64 strings;    /* bytes of the string area, which starts with "" and ends with NUL */
    guint8 content[32]; /* content digest */
    guint64 bytes;      /* of file content */
    guint32 n_xattrs;   /* xattr records */
    guint32 crc;        /* CRC-32 of what follows the header; 0: none (older files) */
};
struct indexfile_entry {
    guint32 path;      /* offset */
    guint8 type;       /* enum entry_type */
    guint8 flags;      /* INDEXFILE_* */
    guint16 n_xattrs;  /* xattr records from xattr on */
    guint32 mode;      /* permission bits */
    guint32 uid;       /* as the container sees it */
    guint32 gid;       /* likewise */
    guint32 target;    /* offset or INDEXFILE_NONE */
    guint64 size;      /* as in struct entry */
    gint64 mtime;      /* nanoseconds */
    guint64 rdev;      /* char and block: makedev(major, minor) */
    guint32 hardlink;  /* offset or INDEXFILE_NONE */
    guint32 xattr;     /* number of the first xattr record */
    guint8 digest[32]; /* of the content, with INDEXFILE_DIGEST */
};
struct layer_index;
/* The index in bytes, which must outlive it and be aligned; checked as by layer_index_open(). */
struct layer_index *layer_index_of_bytes(const void *bytes, gsize size, GError **err);
/* Paths are clean and strictly ascending, and the content digest in the header is that of the
 * entries. id is the layer's, for messages. */
gboolean layer_index_verify_order(const struct layer_index *x, const char *id, GError **err);

#define INDEXFILE_DIGEST 1 /* digest is set */
#define INDEXFILE_OPAQUE 2
#define INDEXFILE_MTIME_SET 4
#define INDEXFILE_IMPLIED 8 /* times the entry's implied; older files have 0 here */
#define INDEXFILE_IMPLIED_MASK 7
struct indexfile_xattr {
    guint32 name;  /* offset */
    guint32 value; /* offset */
    guint32 size;  /* bytes of the value */
    guint32 zero;  /* padding */
};

#endif
