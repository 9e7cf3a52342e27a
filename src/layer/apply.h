/* Unpacking a layer's tar into a layer directory (OCI image-spec "Applying Changesets").
 *
 * Everything in the tar is hostile: names are resolved below the layer's fs with openat, and
 * symlinks are followed as by a process rooted in the layer; "..", a device that overlayfs treats
 * as a whiteout, huge headers and archives over the limits are VARVE_ERROR_INVALID, and nothing
 * outside is ever touched. Limits: 64 GiB of content, of which holes may be 4 GiB and 100 times
 * what is stored, 2 million entries, 1 MiB of PAX header per entry, 4,095 bytes per path. */
#ifndef VARVE_LAYER_APPLY_H
#define VARVE_LAYER_APPLY_H

#include "base/cancel.h"
#include "base/event.h"
#include "layer/decompress.h"
#include "layer/index.h"
#include "store/absent.h"

struct apply_result {
    struct digest diff_id;  /* of the plain tar, all bytes to its end */
    struct layer_info info; /* indexed */
    gboolean needs_parents; /* it relies on lower layers (implicit directories, links into them). If
                               parents were unknown, unpacking stopped there and nothing else here
                               is valid */
    /* some owners could not be kept (single-id user namespace): those are 0:0 */
    gboolean lost_owners;
};
/* Unpacks the tar pulled from d into tmp/fs (tmp relative to the store's root, empty) and writes
 * tmp/index: files are hashed as they are written, nothing is walked again; another thread
 * decompresses and hashes ahead. parents: the layers below (an empty chain for a base layer), or
 * NULL if not known yet. Devices are left out in a user namespace, and so are xattrs that the file
 * system or the user cannot set. */
gboolean layer_apply(struct store *s, const char *tmp, struct decompress *d,
                     const struct chain *parents, struct cancel *c, struct apply_result *out,
                     GError **err);

/* A layer that is wanted. */
struct layer_want {
    struct store *store;
    const struct digest *diff_id; /* of the layer's tar */
    const struct chain *parents; /* the layers below, an empty chain for a base layer; NULL: unknown
                                    yet */
    /* The chain that holds it already gets it again (parents are known): overlayfs takes a
     * directory only once, so it gets one of its own. */
    gboolean repeated;
    const char *fill; /* the absent layer that is to be filled (store/absent.h), NULL: a new one */
    gboolean index_only;       /* with fill: it gets its index, and stays absent */
    struct event_sink *events; /* told how much of a blob was read, or NULL */
    struct cancel *cancel;     /* or NULL */
    /* How the image describes the layer's blob; nobody has verified that yet. */
    const struct digest *blob;
    guint64 blob_size;
    const char *blob_type;
    gint64 created; /* seconds since the epoch, of a layer that is only known; 0: now */
};
/* Unpacks a blob of the store: checks the diff ID (VARVE_ERROR_INVALID on a mismatch), commits the
 * layer with source "diff:<hex>" (or "chain:<hex>" when it relied on parents) and notes its blob.
 * Gives the layer that is there when it was unpacked before. Without parents, a layer that needs
 * them is no error but gives an empty out->id. One process at a time does it (store lock). */
gboolean layer_from_blob(const struct layer_want *w, const struct digest *blob,
                         const char *media_type, struct layer_info *out, GError **err);
/* The same for bytes that arrive while they are unpacked (pull: unpack and download overlap). read
 * is first called when the lock is held and the layer does not exist; not all need be read. No blob
 * is noted. */
gboolean layer_from_stream(const struct layer_want *w, decompress_read_fn read, gpointer ctx,
                           struct layer_info *out, GError **err);

/* The layer that is known already, alone or upon parents; *absent: it is not here. What is here was
 * verified, so it serves whoever names its diff ID. What is absent is only what some image says: it
 * is found by the same description of its blob alone, so that an image that lies (or whose blob is
 * gone) harms no other. w->blob may be NULL: absent layers are not looked for. */
gboolean layer_find(const struct layer_want *w, gboolean *absent, struct layer_info *out);
/* The same, or an absent one that is made; parents and blob are known. */
gboolean layer_describe(const struct layer_want *w, struct layer_info *out, GError **err);
/* Notes that blob (when it is in the store) is the layer's tar (layer_blob row "pulled"). */
gboolean layer_note_blob(struct store *s, const char *layer_id, const struct digest *blob,
                         const char *media_type, const struct digest *diff_id, GError **err);

#endif
