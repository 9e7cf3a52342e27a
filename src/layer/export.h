/* A layer as a blob: tar → compressed members on all cores → blob in the store, with both digests.
 * The stream is a concatenation of independently compressed gzip members or zstd frames cut at
 * content-defined boundaries (PROTOCOLS.md); members seen before are copied from their old blob. */
#ifndef VARVE_LAYER_EXPORT_H
#define VARVE_LAYER_EXPORT_H

#include "base/cancel.h"
#include "base/event.h"
#include "store/layer.h"

enum compression { COMPRESS_NONE, COMPRESS_GZIP, COMPRESS_ZSTD };
struct export_options {
    enum compression compression;
    int level;                 /* -1: the default of the codec */
    gboolean force;            /* recompress layers that were pulled in another compression */
    gint64 clamp_mtime;        /* see tarwriter.h; -1 none */
    struct event_sink *events; /* transfer events, may be NULL */
    /* The blob that this image has for a pulled layer; NULL: the first one that the layer was
     * pulled as. Other images may have other blobs for the same layer. */
    const struct layer_blob *came_as;
};
/* gzip as usual, times as they are. */
#define EXPORT_DEFAULTS {COMPRESS_GZIP, -1, FALSE, -1, NULL, NULL}
/* Makes (or finds) the layer's blob; out->diff_id is what a config must say. A pulled layer without
 * force gives the blob it came as; with force, and in another compression, that blob's own tar is
 * compressed again (its diff ID stays, clamp_mtime does not count). When came_as is not in the
 * store the layer is compressed anew, and when no blob of it is and the layer's tar cannot be made
 * again as it was, VARVE_ERROR_FAILED. Remembers
 * the diff ID, so that layer_diff_id() costs nothing afterwards. Uses all CPUs and
 * about 5 MiB for each of them: export one layer after the other. */
gboolean layer_export(struct store *s, const char *layer_id, const struct export_options *o,
                      struct cancel *c, struct layer_blob *out, GError **err);
/* "application/vnd.oci.image.layer.v1.tar+gzip" and the like. */
const char *compression_media_type(enum compression c);
gboolean compression_parse(const char *text, enum compression *out, GError **err);
/* Whether c has this level; -1, the default, is always valid. VARVE_ERROR_USAGE. */
gboolean compression_check_level(enum compression c, int level, GError **err);

#endif
