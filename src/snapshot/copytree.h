/* For systems without usable overlayfs: a chain is copied into a directory, and a step's changes
 * are found by comparing inode and ctime of every file with those recorded after copying. Slow, but
 * needs no kernel support. Internal to this room. */
#ifndef VARVE_SNAPSHOT_COPYTREE_H
#define VARVE_SNAPSHOT_COPYTREE_H

#include "store/chain.h"

struct copytree;
/* Copies chain into the (empty) directory at path, relative to the store's root. Whiteouts and
 * opaque marks take effect; modes, owners, times, xattrs, hard links within a layer and holes are
 * kept. */
struct copytree *copytree_new(struct store *s, const struct chain *c, const char *path,
                              GError **err);
/* Moves what was added or changed in path into the (empty) directory at into, as a layer with
 * overlayfs's whiteouts for what was removed. path is unusable afterwards. */
gboolean copytree_take_changes(struct copytree *t, struct store *s, const char *path,
                               const char *into, GError **err);
void copytree_free(struct copytree *t); /* NULL is fine */

typedef struct copytree copytree;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(copytree, copytree_free)

#endif
