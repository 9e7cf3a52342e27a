/* Walking a directory tree: every directory is read and every entry lstat'ed, in parallel; nothing
 * is followed. Context scans and layer indexing both start here. */
#ifndef VARVE_TREE_WALK_H
#define VARVE_TREE_WALK_H

#include "base/cancel.h"
#include "base/entry.h"
#include "text/ignore.h"

#define WALK_MAX_DEPTH 1000            /* directories below one another */
#define WALK_MAX_ENTRIES (4000 * 1000) /* entries of one tree */
#define WALK_MAX_PATH 4095             /* bytes of one path: the kernel's own limit */

/* What lstat returns beyond struct entry, to recognize an unchanged file. */
struct walk_stat {
    gint64 ctime_ns; /* nanoseconds since the epoch */
    guint64 dev;     /* device of the file system */
    guint64 ino;     /* inode there */
    gint64 atime_ns; /* nanoseconds since the epoch; says nothing about a change */
};
struct walk {
    struct entry_list *entries; /* sorted; "" first; types, modes, owners, sizes, times, targets,
                                   hard links; neither digests nor xattrs */
    GArray *stats;              /* struct walk_stat, by entry */
    guint64 ignored;            /* entries left out (an ignored directory counts once) */
};
/* Walks rootfd. ig may be NULL; ignored directories are only read if something below them may be
 * re-included. where names the tree in messages ("the build context"). Too many or too deep entries
 * are VARVE_ERROR_INVALID, unreadable directories VARVE_ERROR_DENIED. Entries that vanish meanwhile
 * are left out. */
gboolean walk_dir(int rootfd, const struct ignore *ig, const char *where, struct cancel *c,
                  struct walk *out, GError **err);
void walk_clear(struct walk *w);

#endif
