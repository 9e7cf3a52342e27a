/* Directories below a root, kept open by path: archives list files directory by directory, so most
 * names need no path walk. Paths are clean and never followed through symlinks. */
#ifndef VARVE_LAYER_DIRCACHE_H
#define VARVE_LAYER_DIRCACHE_H

#include <glib.h>

struct dircache;
/* root is borrowed. */
struct dircache *dircache_new(int root);
void dircache_free(struct dircache *d);
/* An O_PATH descriptor of the directory path ("" is the root), owned by the cache and valid until
 * the next call. -1 with errno: ENOENT missing, ELOOP or ENOTDIR if a component is something else.
 */
int dircache_open(struct dircache *d, const char *path);
/* Forgets path: the directory was removed. Other descriptors stay valid. */
void dircache_forget(struct dircache *d, const char *path);
/* Forgets all. */
void dircache_flush(struct dircache *d);
/* Opens path below root without following any symlink. -1 with errno. */
int dircache_open_beneath(int root, const char *path, int flags);

typedef struct dircache dircache;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(dircache, dircache_free)

#endif
