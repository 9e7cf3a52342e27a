/* A layer's diff id without making a blob (OCI image-spec "Layer DiffID"). */
#ifndef VARVE_LAYER_DIFFID_H
#define VARVE_LAYER_DIFFID_H

#include "base/cancel.h"
#include "store/layer.h"

/* SHA-256 of the layer's tar: known from a pull or an earlier export, or hashed now and remembered.
 * clamp_mtime as in tarwriter.h; pulled layers always keep their own diff id.
 */
gboolean layer_diff_id(struct store *s, const char *layer_id, gint64 clamp_mtime, struct cancel *c,
                       struct digest *out, GError **err);
/* *known: the tar was hashed before; then out is set. No file is read. */
gboolean layer_diff_id_known(struct store *s, const char *layer_id, gint64 clamp_mtime,
                             gboolean *known, struct digest *out, GError **err);
/* Remembers the diff id of a tar that was just written, so that layer_diff_id() need not read the
 * layer again. A pulled layer already has its own. */
gboolean layer_diff_id_note(struct store *s, const char *layer_id, gint64 clamp_mtime,
                            const struct digest *diff_id, GError **err);
/* The clamp_mtime with which the layer's tar has this diff id, as far as tars were hashed: -1 also
 * when no such tar is known. */
gboolean layer_diff_id_clamp(struct store *s, const char *layer_id, const struct digest *diff_id,
                             gint64 *clamp_mtime, GError **err);

/* Checks the diff ids that the store has for the layer and its blobs: hashes the tar written from
 * its index and the content of its blobs. The tar of a pulled layer may not be reproducible; then
 * its blob is used, or the diff id it was unpacked by. A difference is VARVE_ERROR_INVALID. A layer
 * that is not here passes: what its manifest or a cache says of it is checked when it comes. */
gboolean layer_diff_id_verify(struct store *s, const char *layer_id, GError **err);

#endif
