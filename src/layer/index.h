/* The index of a layer: its entries sorted by path, in one mapped file (layers/<id>/index).
 *
 * Format, little endian: magic "varvidx1", u32 version, u32 entries, u64 string bytes, content digest (32
 * bytes: SHA-256 over entry_hash of all entries in order), u64 total file bytes; then fixed-size entry
 * records sorted by entry_path_cmp with offsets into a string area that follows. Written once,
 * through rename; mapped read-only. Offsets are checked when opened. */
#ifndef VARVE_LAYER_INDEX_H
#define VARVE_LAYER_INDEX_H

#include "base/cancel.h"
#include "base/entry.h"
#include "store/record.h"

struct layer_index;
/* Opens a committed layer's index, making it first when it is missing (walking and hashing the layer's
 * fs in parallel). Shared and cached per process; release with layer_index_unref. */
struct layer_index *layer_index_open(struct store *s, const char *layer_id, struct cancel *c,
                                     GError **err);
struct layer_index *layer_index_ref(struct layer_index *x);
void layer_index_unref(struct layer_index *x);
guint layer_index_len(const struct layer_index *x);
/* Fills *out with pointers into the mapping, valid while x is held. */
void layer_index_at(const struct layer_index *x, guint i, struct entry *out);
/* Position of path, or -1. */
gint64 layer_index_find(const struct layer_index *x, const char *path);
/* Entries at or below dir: [*lo, *hi). */
void layer_index_range(const struct layer_index *x, const char *dir, guint *lo, guint *hi);
void layer_index_content(const struct layer_index *x, struct digest *content, guint64 *bytes);

/* Writes sorted entries (all regular files with digests) as dir/index, where dirfd is a layer directory
 * under construction. Fills info's content, size, entries and indexed. */
gboolean layer_index_write(int dirfd, struct entry_list *entries, struct layer_info *info, GError **err);
/* Walks dirfd/fs, an overlayfs upper or an unpacked layer, into a sorted list: whiteouts (char 0:0), opaque
 * marks (trusted.overlay.opaque or user.overlay.opaque), hard links, xattrs (overlay's own left out), and
 * contents hashed in parallel. */
struct entry_list *layer_walk(int dirfd, struct cancel *c, GError **err);
/* Checks a layer against its index: files present, sizes, modes, and with contents also their digests. */
gboolean layer_index_verify(struct store *s, const char *layer_id, gboolean contents, GError **err);

typedef struct layer_index layer_index;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layer_index, layer_index_unref)

#endif
