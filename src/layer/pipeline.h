/* The threads of an export: raw batches go in, in order; their members are made on all CPUs (or
 * copied from an old blob), hashed and written in order. The number of batches in flight is
 * limited. */
#ifndef VARVE_LAYER_PIPELINE_H
#define VARVE_LAYER_PIPELINE_H

#include "layer/member.h"
#include "store/blob.h"

struct pipeline_result {
    struct digest diff_id; /* of all raw bytes */
    GArray *raw;           /* struct digest: of each member's raw bytes; the caller's */
    GArray *members;       /* struct member_info with blob zero; the caller's */
    guint64 raw_bytes;     /* bytes before compression */
    guint64 reused;        /* members copied from older blobs */
};
struct pipeline;
/* Members are written to w, which the pipeline borrows. */
struct pipeline *pipeline_new(struct store *s, const struct encoder *e, struct blob_writer *w,
                              struct cancel *c);
/* Stops, also after an error, without waiting for more work. NULL is fine. */
void pipeline_free(struct pipeline *p);
/* The next batch to fill; waits for a free one. NULL with *err if a thread failed or on cancel. */
GByteArray *pipeline_batch(struct pipeline *p, GError **err);
/* The batch is full: it becomes a member. */
void pipeline_push(struct pipeline *p);
/* Waits until everything is written. */
gboolean pipeline_finish(struct pipeline *p, struct pipeline_result *out, GError **err);

typedef struct pipeline pipeline;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(pipeline, pipeline_free)

#endif
