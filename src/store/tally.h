/* Bytes on disk of trees that share inodes by hard links. Internal to store/. */
#ifndef VARVE_STORE_TALLY_H
#define VARVE_STORE_TALLY_H

#include "store/store.h"

struct tally {
    guint64 bytes;       /* so far */
    GHashTable *links;   /* inode number → links seen */
    GHashTable *objects; /* inode numbers of objects/, or NULL */
};
void tally_init(struct tally *t);
void tally_clear(struct tally *t);
/* Adds the tree at path (relative to the root), each inode once over all calls. */
void tally_add(struct tally *t, struct store *s, const char *path);
/* Adds what removing the tree frees, if all trees of earlier calls and objects without other links
 * are removed as well. */
void tally_add_freed(struct tally *t, struct store *s, const char *path);

/* Walks objects/: counts, all bytes, and the bytes of those that no layer links. Any may be NULL;
 * inodes gets their inode numbers. */
struct objects_sum {
    guint64 count, bytes,
        unlinked_bytes; /* number, disk bytes of all, disk bytes of the unlinked */
};
void objects_sum(struct store *s, struct objects_sum *out, GHashTable *inodes);
/* Removes objects that no layer links; returns how many. */
guint64 objects_sweep(struct store *s);
/* Removes the objects that are also files of the tree at path, whose content cannot be trusted. */
void objects_forget(struct store *s, const char *path);

#endif
