/* The merged view of a chain of layers through their indexes: no mounts, no walking. */
#ifndef VARVE_LAYER_CHAINVIEW_H
#define VARVE_LAYER_CHAINVIEW_H

#include "base/cancel.h"
#include "store/record.h"
#include "tree/tree.h"

struct chainview;
struct chainview *chainview_new(struct store *s, const struct chain *c, struct cancel *stop,
                                GError **err);
void chainview_free(struct chainview *v);
/* The entry a container would see at exactly this clean path (no symlink resolution), from the top
 * layer down, respecting whiteouts and opaque directories. FALSE when there is none. "" is always
 * there: a directory 0755, 0:0 unless a layer says otherwise. Pointers live as long as v.
 * Thread-safe. */
gboolean chainview_lookup(struct chainview *v, const char *path, struct entry *out);
/* Resolves path as a rooted process would (see tree_resolve), using lookups only. */
char *chainview_resolve(struct chainview *v, const char *path, gboolean follow, gboolean *exists,
                        struct entry *out, GError **err);
/* Content digest of the chain: over its layers' content digests in order, without empty layers. */
void chainview_content(struct chainview *v, struct digest *out);
/* The whole merged tree (whiteouts applied, hard links only within one layer). name as in tree. The
 * tree keeps references to what it needs; the view may be freed. */
struct tree *chainview_tree(struct chainview *v, const char *name, GError **err);
/* Only the part of it that these selections can see, with the same results as from the whole tree
 * and at the cost of the part. sels may be empty. */
struct tree *chainview_tree_for(struct chainview *v, const char *name, const struct selection *sels,
                                guint n, GError **err);
/* TRUE when a file with e's content digest, mtime, mode, owner and xattrs is already in the chain:
 * the object of that identity must then not be linked again in it (one inode once per chain, DESIGN
 * "Objects"). */
gboolean chainview_has_identity(struct chainview *v, const struct entry *e);
/* Opens the content of a file that chainview_lookup() found at exactly this path; -1 with error. */
int chainview_open(struct chainview *v, const char *path, GError **err);

typedef struct chainview chainview;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(chainview, chainview_free)

#endif
