/* The destination of file ops: a layer directory under construction on top of a chain's view. A
 * container would see the chain with the new layer on top; changes are made only in the new layer.
 * Internal to fileop*.c.
 *
 * Paths are clean and resolved: no component but the last is a symlink. dest_put_file() only notes
 * files from trees; dest_flush() writes them, in parallel. */
#ifndef VARVE_LAYER_DEST_H
#define VARVE_LAYER_DEST_H

#include "base/cancel.h"
#include "layer/chainview.h"
#include "tree/tree.h"

struct dest;
/* fd: the layer's fs directory, empty; taken over even on error. base may be NULL (scratch) and
 * must outlive the result, as must store and cancel. */
struct dest *dest_new(struct store *s, struct chainview *base, int fd, struct cancel *c);
void dest_free(struct dest *d);

/* The entry at exactly this path; FALSE when there is none. Strings live until d changes there. */
gboolean dest_lookup(struct dest *d, const char *path, struct entry *out);
/* resolve_path() over the view. */
char *dest_resolve(struct dest *d, const char *root, const char *path, gboolean follow,
                   gboolean *exists, struct entry *out, GError **err);

/* Makes a directory like e at a path that is free or was cleared. The parent must be a directory.
 * Copies e. */
gboolean dest_make_dir(struct dest *d, const struct entry *e, GError **err);
/* How to make missing directories; e's path is ignored. In a directory with the set-group-id bit
 * they inherit its group and the bit, as from the kernel, unless e's owner or mode was given. */
struct dest_made {
    struct entry e;                   /* attributes; its path does not matter */
    gboolean owner_given, mode_given; /* e's owner, e's mode was asked for */
};
/* Makes the missing directories of path, which are then implied (base/entry.h). VARVE_ERROR_INVALID
 * if a component is not a directory. */
gboolean dest_make_dirs(struct dest *d, const char *path, const struct dest_made *made,
                        GError **err);
/* Gives the existing directory e->path the attributes of e. */
gboolean dest_set_dir(struct dest *d, const struct entry *e, GError **err);
/* Clears path for something else: removes what the new layer has there; the caller then puts
 * something that hides what lower layers have. */
gboolean dest_clear(struct dest *d, const char *path, GError **err);
/* Removes what is at path and below, with a whiteout if lower layers have it. */
gboolean dest_remove(struct dest *d, const char *path, GError **err);

/* Puts a file like e with the content of from in t (both must outlive the flush); an existing name
 * must have been cleared. e needs its digest. */
gboolean dest_put_file(struct dest *d, const struct entry *e, struct tree *t,
                       const struct entry *from, GError **err);
/* Puts another name of the file or symlink first, which is in the new layer. */
gboolean dest_put_link(struct dest *d, const struct entry *e, const char *first, GError **err);
/* Puts a symlink, device or fifo. */
gboolean dest_put_special(struct dest *d, const struct entry *e, GError **err);
/* Creates an empty file to be filled by the caller, who closes it and then calls dest_note(); -1 on
 * error. */
int dest_create(struct dest *d, const char *path, GError **err);
/* Records the entry of a file made with dest_create(): attributes are already set, e has its
 * digest. */
void dest_note(struct dest *d, const struct entry *e);
/* Ensures that the file or symlink at path is in the new layer, copying it up if only lower layers
 * have it. */
gboolean dest_copy_up(struct dest *d, const char *path, GError **err);

/* Writes what dest_put_file() and dest_put_link() noted. */
gboolean dest_flush(struct dest *d, GError **err);
/* Flushes, gives directories their attributes and returns the layer's entries, sorted. No changes
 * are allowed afterwards; strings belong to d. */
struct entry_list *dest_finish(struct dest *d, GError **err);

typedef struct dest dest;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(dest, dest_free)

#endif
