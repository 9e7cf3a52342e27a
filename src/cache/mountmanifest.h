/* Manifests of exported cache mounts in memory. Internal to cache/mount*.c; mountmanifest.c
 * describes the format. */
#ifndef VARVE_CACHE_MOUNTMANIFEST_H
#define VARVE_CACHE_MOUNTMANIFEST_H

#include "base/entry.h"
#include "cache/mount.h"

#define MOUNT_MAGIC "varvmnt1"
#define MOUNT_MAX_TEXT                                                                             \
    (256 * 1024 * 1024)        /* bytes of a manifest, uncompressed, and of its paths              \
                                */
#define MOUNT_MAX_PACKS 4096   /* of one manifest, whoever wrote it */
#define MOUNT_NONE G_MAXUINT32 /* no such number */

struct mount_pack {
    struct digest digest; /* of the blob */
    guint64 size;         /* bytes of the blob */
    guint64 raw;          /* bytes, uncompressed */
};
struct mount_content {
    struct digest digest; /* of the file */
    guint32 pack;         /* number of its pack */
    guint64 offset;       /* in the uncompressed pack */
    guint64 length;       /* bytes, never 0 */
};
struct mount_entry {
    const char *path;     /* as in struct entry; the first is "" */
    const char *target;   /* symlinks: text; else NULL */
    enum entry_type type; /* file, directory or symlink */
    guint32 mode;         /* permission bits 07777 */
    guint32 uid, gid;     /* as a step sees them */
    guint32 content;      /* files: number of its content; MOUNT_NONE: it is empty */
    guint32 leader;       /* files: the entry before it that it is another name of, or MOUNT_NONE */
    gint64 mtime_ns;      /* nanoseconds since the epoch */
    gint64 used;          /* seconds since the epoch: last read or written, as far as known */
};
struct mount_manifest {
    GArray *packs;      /* struct mount_pack, sorted by digest and sizes */
    GArray *contents;   /* struct mount_content, sorted by pack and offset, each digest once */
    GArray *entries;    /* struct mount_entry, in path order */
    GStringChunk *text; /* paths and targets */
    GBytes *bytes;      /* as stored */
    GHashTable *known;  /* struct digest in contents → number + 1 */
};
/* An empty one, to be filled (with numbers of packs and contents in any order) and sealed. */
struct mount_manifest *mount_manifest_new(void);
/* Leaves out what no entry needs, sorts packs and contents, and fills known. */
void mount_manifest_seal(struct mount_manifest *m);
/* Sets bytes of a sealed one. */
void mount_manifest_write(struct mount_manifest *m);
/* Sealed or parsed ones: everything but the times of use is equal. */
gboolean mount_manifest_same(const struct mount_manifest *a, const struct mount_manifest *b);
/* Fills known. FALSE: a digest is there twice. */
gboolean mount_manifest_know(struct mount_manifest *m);

static inline struct mount_pack *mount_pack_at(const struct mount_manifest *m, guint i)
{
    return &g_array_index(m->packs, struct mount_pack, i);
}

static inline struct mount_content *mount_content_at(const struct mount_manifest *m, guint i)
{
    return &g_array_index(m->contents, struct mount_content, i);
}

static inline struct mount_entry *mount_entry_at(const struct mount_manifest *m, guint i)
{
    return &g_array_index(m->entries, struct mount_entry, i);
}

/* The number of the content with this digest, or MOUNT_NONE. */
guint32 mount_manifest_find(const struct mount_manifest *m, const struct digest *d);
/* The entry with this path, or NULL. */
struct mount_entry *mount_manifest_entry(const struct mount_manifest *m, const char *path);
/* Bytes of a file's content. */
guint64 mount_entry_size(const struct mount_manifest *m, const struct mount_entry *e);
struct descriptor *mount_pack_descriptor(const struct mount_pack *p);

#endif
