/* Cache mounts as content, to travel with a cache.
 *
 * An exported mount is a manifest (CACHE_MOUNT_TYPE): its entries (path, type, mode, owner, times,
 * link, size, digest) and for each distinct file content where it lies: a pack, and offset and
 * length in it. Packs (CACHE_PACK_TYPE) are blobs of some MiB of files, compressed together; they
 * are never changed. Exporting compares with what the other side has: only contents that are in no
 * pack there go into new packs. Packs of which less than half is still used are written anew, and
 * their number is kept at CACHE_PACKS_MAX or less, so that an import is a bounded number of blobs.
 *
 * Directories, files and symlinks travel, setuid bits included: a layer has them, too, and only a
 * step sees the mount. Sockets, fifos, devices and xattrs are left out. Owners are as the step sees
 * them.
 *
 * What comes from outside is hostile: a manifest is checked as a whole before anything is made of
 * it, paths are made below the mount's directory and no links are followed, packs and each file are
 * checked against their digests and the manifest's limits. */
#ifndef VARVE_CACHE_MOUNT_H
#define VARVE_CACHE_MOUNT_H

#include "base/cancel.h"
#include "cache/segment.h"

#define CACHE_PACKS_MAX 64
#define MOUNT_MAX_ENTRIES (2 * 1000 * 1000)
#define MOUNT_MAX_MANIFEST (128 * 1024 * 1024) /* bytes of one, as it is stored */
#define MOUNT_MAX_BYTES ((guint64)256 << 30)   /* of the files of one mount */

/* A parsed manifest. Never changes: several threads may use it. */
struct mount_manifest;
/* VARVE_ERROR_INVALID says what is wrong. bytes is kept. */
struct mount_manifest *mount_manifest_parse(GBytes *bytes, GError **err);
void mount_manifest_free(struct mount_manifest *m); /* NULL is fine */
/* How many files it lists, and their bytes (*bytes may be NULL). */
guint64 mount_manifest_files(const struct mount_manifest *m, guint64 *bytes);
/* Two writers' manifests as one: by file the newer wins, and a directory over anything else. The
 * result does not depend on the order of the two. Contents stay where they lie, so it may need up
 * to twice CACHE_PACKS_MAX packs; the next export writes fewer. */
GBytes *mount_manifest_merge(const struct mount_manifest *a, const struct mount_manifest *b);
/* struct descriptor*: all packs that it needs. */
GPtrArray *mount_manifest_packs(const struct mount_manifest *m);

/* The directory of a cache mount; all borrowed. Whoever exports or imports holds the volume
 * (store/images.h). Steps that share it may go on writing to it. */
struct mount_dir {
    struct store *store;   /* has its packs and stat cache; on the file system of fd */
    int fd;                /* of the directory, not O_PATH */
    const char *name;      /* of its stat cache: volume.dir, as each instance has its own */
    struct cancel *cancel; /* or NULL */
};

struct mount_export {
    struct descriptor manifest; /* CACHE_MOUNT_TYPE, a blob of the store */
    GPtrArray *packs;           /* struct descriptor*: all that the manifest needs */
    GPtrArray *new_packs;       /* those of them that previous does not have, borrowed from packs */
    guint64 bytes, files;       /* that the manifest lists */
    guint64 left_out;           /* bytes of files left out because of max_bytes */
    guint changing;     /* files that did not hold still: left out, or as previous has them */
    gboolean unchanged; /* manifest is previous's */
};
void mount_export_clear(struct mount_export *e);
/* Exports the directory. New packs and the manifest become blobs of the store. previous (may be
 * NULL) is what the other side has of this mount. Of files beyond max_bytes (0: no limit) the least
 * recently used are left out.
 *
 * The directory is listed again after it was read, until it did not change meanwhile, a few times
 * at most. So the manifest is the directory at one moment; under constant writing it is only each
 * file that is whole. Contents of unchanged files (inode, size, times) are not read again by later
 * exports. */
gboolean mount_export(const struct mount_dir *d, const struct mount_manifest *previous,
                      guint64 max_bytes, struct mount_export *out, GError **err);

/* Lists the packs that have contents which the directory lacks and would take (struct descriptor*).
 * An empty directory needs all. */
GPtrArray *mount_import_packs(const struct mount_manifest *m, const struct mount_dir *d,
                              GError **err);
/* Adds m's files to the directory, from packs in the store that mount_import_packs() listed and
 * from files that are there. By file the newer one wins (the directory's if they are equally old),
 * and a directory is not replaced; what there is besides stays. Modes, owners, links and times are
 * kept; owners that this user namespace cannot express are left out. A file appears whole or not at
 * all, and a directory gets its time when all is done: killed on the way, it is usable and the next
 * import goes on. *files (may be NULL): entries that were made. */
gboolean mount_import(const struct mount_manifest *m, const struct mount_dir *d, guint64 *files,
                      GError **err);

typedef struct mount_manifest mount_manifest;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(mount_manifest, mount_manifest_free)

#endif
