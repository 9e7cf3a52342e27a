/* The merged view of a chain of layers through their indexes: no mounts, no walking. */
#ifndef VARVE_LAYER_CHAINVIEW_H
#define VARVE_LAYER_CHAINVIEW_H

#include "base/cancel.h"
#include "context/tree.h"
#include "store/record.h"

struct chainview;
struct chainview *chainview_new(struct store *s, const struct chain *c, struct cancel *cancel,
                                GError **err);
void chainview_free(struct chainview *v);
/* The entry a container would see at exactly this clean path (no symlink resolution), looking from the
 * top layer down and minding whiteouts and opaque directories. FALSE when there is none. Pointers
 * live as long as v. */
gboolean chainview_lookup(struct chainview *v, const char *path, struct entry *out);
/* Resolves path as a rooted process would (see tree_resolve), using lookups only. */
char *chainview_resolve(struct chainview *v, const char *path, gboolean follow, gboolean *exists,
                        struct entry *out, GError **err);
/* Content digest of the chain: over its layers' content digests in order; layers without entries
 * do not count. */
void chainview_content(struct chainview *v, struct digest *out);
/* The whole merged tree (whiteouts applied, hard links only within one layer). name as in tree. The
 * tree keeps what it needs alive; the view may be freed. */
struct tree *chainview_tree(struct chainview *v, const char *name, GError **err);
/* TRUE when a file with this content digest, mtime, mode and owner is already in the chain: the object
 * of that identity may then be linked nowhere else in it (one inode once per chain, DESIGN "Objects"). */
gboolean chainview_has_identity(struct chainview *v, const struct digest *identity);

typedef struct chainview chainview;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(chainview, chainview_free)

#endif
