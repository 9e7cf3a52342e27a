/* Writing a layer's tar from its index (OCI image-spec "Image Layer Filesystem Changeset"): path order,
 * PAX headers only where ustar cannot say it, whiteouts as ".wh.<name>" and ".wh..wh..opq", hard links
 * after their first name, xattrs as SCHILY.xattr.*, mtimes in whole seconds (clamped to the epoch given for
 * rewrite-timestamp), user and group names empty. The same index always gives the same bytes. */
#ifndef VARVE_LAYER_TARWRITER_H
#define VARVE_LAYER_TARWRITER_H

#include "base/cancel.h"
#include "layer/index.h"

/* Receives the tar in order. member_end: a content-defined place where a compressed member may end. */
struct tar_sink {
    gboolean (*write)(struct tar_sink *self, const void *bytes, gsize len, GError **err);
    gboolean (*boundary)(struct tar_sink *self, GError **err);
};
struct tar_options {
    gint64 clamp_mtime; /* seconds: later mtimes become this; -1: none */
};
gboolean tarwriter_run(struct store *s, const char *layer_id, const struct tar_options *o,
                       struct tar_sink *sink, struct cancel *c, GError **err);

#endif
