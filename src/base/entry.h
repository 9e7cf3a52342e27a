/* One entry of a file tree: shared by context trees, layer indexes and tar streams. */
#ifndef VARVE_BASE_ENTRY_H
#define VARVE_BASE_ENTRY_H

#include "base/digest.h"

#include <sys/stat.h>

enum entry_type {
    ENTRY_FILE = 1,
    ENTRY_DIR,
    ENTRY_SYMLINK,
    ENTRY_CHAR,
    ENTRY_BLOCK,
    ENTRY_FIFO,
    ENTRY_SOCKET, /* seen in uppers; in a context read as an empty file; never stored in a layer */
    ENTRY_WHITEOUT, /* layers only: hides path in the layers below */
};

/* A whiteout where there can be no device 0:0, on overlayfs (layer/overlaymark.h): st_mode of a
 * socket that nothing but varve makes. */
#define ENTRY_SOCKET_WHITEOUT (S_IFSOCK | 01000)

struct xattr {
    const char *name;  /* "security.capability", never overlay's own or whiteout markers */
    const void *value; /* size bytes */
    gsize size;        /* bytes of value */
};

#define ENTRY_IMPLIED 1
#define ENTRY_IMPLIED_OWNER 2 /* its owner was asked for */
#define ENTRY_IMPLIED_MODE 4  /* its mode was asked for */

struct entry {
    const char *path; /* relative, no leading or trailing '/', no "." or ".."; "" is the root */
    enum entry_type type;
    guint32 mode;         /* permission bits 07777 */
    guint32 uid, gid;     /* as the container sees them */
    guint64 size;         /* files: bytes; symlinks: length of target; others 0 */
    gint64 mtime_ns;      /* nanoseconds since the epoch */
    gboolean mtime_set;   /* a program set it: it counts like the content */
    guint64 rdev;         /* char and block: makedev(major, minor) */
    const char *target;   /* symlinks: link text; else NULL */
    const char *hardlink; /* files: if this is another name of an inode, the path of its first entry
                             (in path order) in this tree; else NULL */
    struct digest digest; /* files: content SHA-256 when has_digest */
    gboolean has_digest;
    guint8 implied;  /* directories of layers: ENTRY_IMPLIED_* if it exists only because something
                        was put below it; never hashed; else 0 */
    gboolean opaque; /* directories in layers: hides everything that lower layers have in it */
    const struct xattr *xattrs; /* sorted by name */
    guint n_xattrs;
    guint64
        ino; /* source inode on this machine, 0 when unknown: never hashed, never stored in tar */
};

/* Path order: bytewise, but '/' sorts before every other byte, so that a directory is directly
 * followed by everything in it. */
int entry_path_cmp(const char *a, const char *b);
/* TRUE when path is dir itself or below it (everything is below ""). */
gboolean entry_path_within(const char *path, const char *dir);
gboolean entry_same_xattrs(const struct entry *a, const struct entry *b);
/* Whether it is the inode of a whiteout. */
gboolean entry_is_whiteout(const struct stat *st);
/* type, mode and size from st; path, target, xattrs and digests are left alone. */
void entry_from_stat(struct entry *e, const struct stat *st);
/* Adds to h everything that identifies the entry: path (rel: the part of the path to hash), type,
 * mode, uid, gid, size, digest, target, hardlink, rdev, opaque, xattrs; mtime only with mtime_set,
 * never ino or implied (DESIGN "Keys"). */
void entry_hash(const struct entry *e, const char *rel, struct hasher *h);

/* A growing list of entries that owns all memory they point to. */
struct entry_list {
    GArray *items;       /* struct entry */
    GStringChunk *chunk; /* strings and xattr bytes */
    GPtrArray *blocks;   /* xattr tables */
};
struct entry_list *entry_list_new(void);
void entry_list_free(struct entry_list *l);
/* Appends a deep copy; returns it (valid until the next append). */
struct entry *entry_list_add(struct entry_list *l, const struct entry *e);
/* Sorts by path order. */
void entry_list_sort(struct entry_list *l);
guint entry_list_len(const struct entry_list *l);
struct entry *entry_list_at(const struct entry_list *l, guint i);
/* Binary search in a sorted list; NULL when absent. */
struct entry *entry_list_find(const struct entry_list *l, const char *path);
/* The same in any list of n entries in path order; at() returns the i-th. */
typedef struct entry *(*entry_at_fn)(gconstpointer list, guint i);
struct entry *entry_search(entry_at_fn at, gconstpointer list, guint n, const char *path);

typedef struct entry_list entry_list;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(entry_list, entry_list_free)

#endif
