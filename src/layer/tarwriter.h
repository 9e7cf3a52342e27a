/* Writing tar streams (OCI image-spec "Image Layer Filesystem Changeset"): PAX headers only where
 * ustar does not suffice, whiteouts as ".wh.<name>" and ".wh..wh..opq", hard links after their
 * first name, xattrs as SCHILY.xattr.*, mtimes in whole seconds (clamped to the epoch given for
 * rewrite-timestamp), user and group names empty. The same entries always give the same bytes. */
#ifndef VARVE_LAYER_TARWRITER_H
#define VARVE_LAYER_TARWRITER_H

#include "base/cancel.h"
#include "layer/index.h"

/* Receives the tar in order. */
struct tar_sink {
    gboolean (*write)(struct tar_sink *self, const void *bytes, gsize len,
                      GError **err); /* takes the next bytes of the tar */
    /* Called before each entry, where a compressed member may end, with the entry's path and total
     * bytes. May be NULL. */
    gboolean (*boundary)(struct tar_sink *self, const char *path, guint64 bytes, GError **err);
};
struct tar_options {
    gint64 clamp_mtime; /* seconds: later mtimes become this; -1: none */
};
/* Writes one entry. fd gives a file's content from its current offset, exactly e->size bytes
 * (anything else is VARVE_ERROR_FAILED); not used for other types and further names of a file. */
gboolean tarwriter_entry(struct tar_sink *sink, const struct entry *e, const struct tar_options *o,
                         int fd, GError **err);
/* Writes the end of the archive. */
gboolean tarwriter_end(struct tar_sink *sink, GError **err);

/* Writes a layer from its index, in path order. The root directory is left out unless its owner,
 * mode or xattrs are unusual. */
gboolean tarwriter_run(struct store *s, const char *layer_id, const struct tar_options *o,
                       struct tar_sink *sink, struct cancel *c, GError **err);

#endif
