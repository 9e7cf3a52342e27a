/* Puts archive entries into a layer directory and collects its index on the way. The archive is
 * hostile: every name is resolved below the layer's fs, component by component if it is not plain,
 * and symlinks are followed as by a process rooted in the layer.
 *
 * new; add for each entry; finish once; take the entries. */
#ifndef VARVE_LAYER_UNPACKER_H
#define VARVE_LAYER_UNPACKER_H

#include "base/cancel.h"
#include "layer/tarreader.h"
#include "store/record.h"

struct unpacker;
/* fs: the layer's fs directory, empty, borrowed. parents: the chain below, or NULL if unknown (then
 * adding an entry that depends on it fails with unpacker_needs_parents()). Both must outlive it. */
struct unpacker *unpacker_new(struct store *s, int fs, const struct chain *parents,
                              struct cancel *c);
/* Before the first entry: contents of files are hashed, but not written. Everything else is done,
 * so that the entries come out the same; the directory is good for nothing. */
void unpacker_skeleton(struct unpacker *u);
void unpacker_free(struct unpacker *u);
/* Adds an entry; the data of files is read from r. */
gboolean unpacker_add(struct unpacker *u, const struct tar_header *h, struct tarreader *r,
                      GError **err);
/* Gives directories their attributes and completes the list: sorted, hard links resolved. */
gboolean unpacker_finish(struct unpacker *u, GError **err);
/* The finished list, owned by the caller. */
struct entry_list *unpacker_take(struct unpacker *u);
/* The layer depends on those below it. With unknown parents, adding failed because of it. */
gboolean unpacker_needs_parents(const struct unpacker *u);
/* Owners could not be kept (single-id user namespace): everything is 0:0. */
gboolean unpacker_lost_owners(const struct unpacker *u);

typedef struct unpacker unpacker;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(unpacker, unpacker_free)

#endif
