/* Scanning a source directory into a tree, with a stat cache that saves hashing unchanged files.
 *
 * Every directory that is not ignored is read and every entry lstat'ed, in parallel. Contents are
 * hashed only on request (tree ensure_digests), and not for files whose (size, mtime, ctime, inode,
 * device) equal the stat cache's and whose ctime is older than the cache's own time by a margin
 * (files too young to trust are hashed again, as git does with racily clean entries). uid and gid
 * of every entry are 0 (COPY's default owner) and paths are bytes. Of a file's xattrs only
 * security.capability is used. */
#ifndef VARVE_TREE_SCAN_H
#define VARVE_TREE_SCAN_H

#include "base/cancel.h"
#include "store/store.h"
#include "text/ignore.h"
#include "tree/tree.h"

struct scan_stats {
    guint64 files, bytes;         /* regular files seen, and their sizes */
    guint64 hashed, hashed_bytes; /* contents read */
    guint64 ignored; /* entries the ignore patterns left out (directories count once) */
};

/* Scans dir (path on this machine). ig may be NULL. name is for messages. The stat cache of dir in
 * db (may be NULL) is used. db and c must outlive the tree. Unreadable directories, more than 4
 * million entries or depth over 1,000 are errors naming the path; unreadable files, devices and
 * fifos only if something selects and hashes them. A socket (programs such as git's fsmonitor leave
 * them around) is an empty file, as in Docker. Symlinks are never followed. */
struct tree *scan_dir(struct store *db, const char *dir, const struct ignore *ig, const char *name,
                      struct cancel *c, GError **err);
/* The same for a temporary directory with an unpacked archive: entries keep their owners, and no
 * stat cache is used. */
struct tree *scan_unpacked(const char *dir, const struct ignore *ig, const char *name,
                           struct cancel *c, GError **err);
/* Writes the stat cache back if it changed. Call once after all selections; NULL-safe. */
void scan_save(struct tree *t);
void scan_get_stats(const struct tree *t, struct scan_stats *out);

#endif
