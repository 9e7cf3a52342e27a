/* The directories of a layer being unpacked: resolving names that are not plain, copying up what
 * the layers below have, and final attributes. Internal to the unpacker. */
#ifndef VARVE_LAYER_UNPACKDIR_H
#define VARVE_LAYER_UNPACKDIR_H

#include "layer/chainview.h"
#include "layer/dircache.h"
#include "layer/unpacker.h"
#include "layer/unpackfile.h"

struct unpacker {
    struct store *store;
    int fs;                      /* root of the layer, borrowed */
    const struct chain *parents; /* below it; NULL: unknown */
    struct cancel *cancel;
    struct dircache *dirs;      /* open directories below fs */
    struct entry_list *entries; /* in order of the archive until finished; type 0: replaced */
    GHashTable *by_path;        /* path (of the entry) → position + 1 */
    struct unpack_files files;
    GString *path, *dir;    /* of the entry at work, clean and real once its place is found */
    guint64 content;        /* bytes of files so far */
    guint64 holes;          /* of which the archive does not store */
    guint replaced_dirs;    /* that had something in them */
    guint64 groups;         /* hard link groups: an entry's ino is its group until finished */
    gboolean needs_parents; /* the layer cannot be unpacked without those below it */
    /* an entry can be placed only with the layers below */ /* the layer cannot be unpacked
                                                               without those below it */
    struct chainview *view;   /* of parents, once something was looked up */
    struct tree *parent_tree; /* of parents, once a file was copied up */
};
/* The entry of this layer at path, or NULL. */
struct entry *unpacker_entry(const struct unpacker *u, const char *path);
/* Adds e, replacing one of the same path. */
gboolean unpacker_put(struct unpacker *u, const struct entry *e, GError **err);

/* Resolves symlinks in dir (never above the root) and makes missing directories as they are in the
 * layers below. dir becomes the real path of an existing directory. */
gboolean unpackdir_resolve(struct unpacker *u, GString *dir, GError **err);
/* Copies the file path of the layers below into this one, for a hard link to it. */
gboolean unpackdir_copy_up(struct unpacker *u, const char *path, GError **err);
/* Gives all directories their attributes, children first. Entries must be sorted. */
gboolean unpackdir_finish(struct unpacker *u, GError **err);

#endif
