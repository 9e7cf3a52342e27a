/* A layer's diff id without making a blob of it (OCI image-spec "Layer DiffID"). */
#ifndef VARVE_LAYER_DIFFID_H
#define VARVE_LAYER_DIFFID_H

#include "base/cancel.h"
#include "store/record.h"

/* SHA-256 of the layer's tar: known from a pull or an earlier export, or hashed now and remembered.
 * clamp_mtime as in tarwriter.h; layers that were pulled keep their own diff id whatever it says.
 */
gboolean layer_diff_id(struct store *s, const char *layer_id, gint64 clamp_mtime, struct cancel *c,
                       struct digest *out, GError **err);

#endif
