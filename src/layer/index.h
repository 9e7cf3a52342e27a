/* The index of a layer: its entries sorted by path, in one mapped file (layers/<id>/index).
 *
 * Format, little endian: magic "varvidx1", u32 version, u32 entries, u64 string bytes, content
 * digest (32 bytes: SHA-256 over entry_hash of all entries in order), u64 total file bytes, u32
 * xattrs, u32 0; then fixed-size entry records sorted by entry_path_cmp, then xattr records, then
 * the string area, into which both have offsets. Written once, through rename; mapped read-only.
 * Whether a directory is implied (base/entry.h) is in its record, not in the content digest.
 * Offsets are checked when opened, order and content by layer_index_verify().
 *
 * The root directory ("") is an entry only if it is not 0755, 0:0 and without xattrs: an upper that
 * nothing was written to has no entries. */
#ifndef VARVE_LAYER_INDEX_H
#define VARVE_LAYER_INDEX_H

#include "base/cancel.h"
#include "base/entry.h"
#include "store/layer.h"

struct layer_index;
/* Opens a committed layer's index, making it first when it is missing (layer_index_make()).
 * Shared, and cached by s until its leases end; release with layer_index_unref. */
struct layer_index *layer_index_open(struct store *s, const char *layer_id, struct cancel *c,
                                     GError **err);
void layer_index_unref(struct layer_index *x);
guint layer_index_len(const struct layer_index *x);
/* Fills *out with pointers into the mapping, valid while x is held. */
void layer_index_at(const struct layer_index *x, guint i, struct entry *out);
/* Position of path, or -1. */
gint64 layer_index_find(const struct layer_index *x, const char *path);
/* Entries at or below dir: [*lo, *hi). */
void layer_index_range(const struct layer_index *x, const char *dir, guint *lo, guint *hi);
void layer_index_content(const struct layer_index *x, struct digest *content, guint64 *bytes);

/* TRUE if a file of the layer has e's content, mode, owner, mtime and xattrs. */
gboolean layer_index_has_file(struct layer_index *x, const struct entry *e);

/* Writes sorted entries (all regular files with digests) as dir/index, where dirfd is a layer
 * directory under construction. Fills info's content, size, entries and indexed. A name that starts
 * with ".wh." is VARVE_ERROR_UNSUPPORTED: in an image's layers it would be a deletion. */
gboolean layer_index_write(int dirfd, struct entry_list *entries, struct layer_info *info,
                           GError **err);
/* Walks dirfd/fs, an overlayfs upper or an unpacked layer, into a sorted list: whiteouts (char
 * 0:0), opaque marks (trusted.overlay.opaque or user.overlay.opaque), hard links, the xattrs
 * attrs_keeps_xattr() names, and contents hashed in parallel. Sockets are left out. */
struct entry_list *layer_walk(int dirfd, struct cancel *c, GError **err);
/* Both: makes the index of the layer at dirfd. Times that a program set get mtime_set, unless
 * info->unpacked: then they are the image's. */
gboolean layer_index_make(int dirfd, struct cancel *c, struct layer_info *info, GError **err);
/* Gives an absent layer (store/absent.h) an index that came from elsewhere: checked as a file, for
 * order and paths, and that its content digest is content. claim: for this store (handle) alone
 * (store_absent_claim()). VARVE_ERROR_INVALID. */
gboolean layer_index_take(struct store *s, const char *layer_id, const void *bytes, gsize len,
                          const struct digest *content, gboolean claim, GError **err);
/* Replaces the index in dirfd, made by unpacking the layer, with the one that the absent layer was
 * given, which knows more (exact times, which of them were set, implied directories). In all else
 * they must agree, or it is VARVE_ERROR_INVALID. Sets info's content. */
gboolean layer_index_keep(struct store *s, const char *layer_id, int dirfd, struct layer_info *info,
                          GError **err);
/* Checks a layer's index (order, paths, content digest) and the layer against it: files present,
 * types, sizes, modes, and with contents also their digests; of an absent layer the index alone.
 * VARVE_ERROR_INVALID names what differs first. */
gboolean layer_index_verify(struct store *s, const char *layer_id, gboolean contents, GError **err);

typedef struct layer_index layer_index;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(layer_index, layer_index_unref)

#endif
