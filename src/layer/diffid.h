/* A layer's diff id without making a blob of it (OCI image-spec "Layer DiffID"). */
#ifndef VARVE_LAYER_DIFFID_H
#define VARVE_LAYER_DIFFID_H

#include "base/cancel.h"
#include "store/layer.h"

/* SHA-256 of the layer's tar: known from a pull or an earlier export, or hashed now and remembered.
 * clamp_mtime as in tarwriter.h; layers that were pulled keep their own diff id whatever it says.
 */
gboolean layer_diff_id(struct store *s, const char *layer_id, gint64 clamp_mtime, struct cancel *c,
                       struct digest *out, GError **err);
/* *known: somebody hashed the tar before; out is set then. No file is read. */
gboolean layer_diff_id_known(struct store *s, const char *layer_id, gint64 clamp_mtime,
                             gboolean *known, struct digest *out, GError **err);
/* Remembers the diff id of a tar that was written anyhow, so that layer_diff_id() need not read the
 * layer again. A layer that was pulled has its own already. */
gboolean layer_diff_id_note(struct store *s, const char *layer_id, gint64 clamp_mtime,
                            const struct digest *diff_id, GError **err);

/* Whether the diff ids that the store has for the layer and its blobs are those of the tars: hashes
 * the tar that its index gives and the content of its blobs. A layer that was pulled may have a tar
 * that cannot be written again; then its blob tells, or the name it was unpacked by. A difference
 * is VARVE_ERROR_INVALID. */
gboolean layer_diff_id_verify(struct store *s, const char *layer_id, GError **err);

#endif
