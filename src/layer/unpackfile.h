/* Making one file system object with given attributes, under a free name. All take an open parent
 * directory and update *e to what the file system really has (owners and xattrs that cannot be set
 * are left out, as in Docker). */
#ifndef VARVE_LAYER_UNPACKFILE_H
#define VARVE_LAYER_UNPACKFILE_H

#include "layer/tarreader.h"

/* What all files of one layer share. */
struct unpack_files {
    struct hasher *hasher;    /* for contents */
    GArray *xattrs;           /* struct xattr: those of the current entry that were kept */
    guint32 own_uid, own_gid; /* what new files belong to */
    mode_t umask;             /* bits that creation loses */
    gboolean restricted;  /* not the real root: some owners, devices and xattrs are out of reach */
    gboolean lost_owners; /* set when an owner could not be kept */
    gboolean skeleton;    /* contents are hashed, not written: files stay empty */
};
void unpack_files_init(struct unpack_files *f);
void unpack_files_clear(struct unpack_files *f);

/* Opens a new file for writing: a descriptor, or -1 with errno (EEXIST: the name is taken). */
int unpack_file_create(const struct unpack_files *f, int dirfd, const char *name, guint32 mode);
/* Writes the data of h (sparse files with their holes) and sets digest and attributes. */
gboolean unpack_file_fill(struct unpack_files *f, int fd, const struct tar_header *h,
                          struct tarreader *r, struct entry *e, GError **err);
/* Copies all of from into fd, then sets attributes. e has its digest. A skeleton takes no from. */
gboolean unpack_file_copy(struct unpack_files *f, int fd, int from, struct entry *e, GError **err);
/* Attributes of dirfd/name, which is neither a file nor a directory. */
gboolean unpack_node_attributes(struct unpack_files *f, int dirfd, const char *name,
                                struct entry *e, GError **err);
/* Attributes of the directory fd, whose content is complete. */
gboolean unpack_dir_attributes(struct unpack_files *f, int fd, struct entry *e, GError **err);

#endif
