/* Cutting a tar stream into members at content-defined places, so that a change in one file changes
 * only the members around it:
 *
 *  - a member ends only between entries, or at every MEMBER_TARGET bytes inside an entry larger
 *    than that, which has its members to itself;
 *  - a place between small entries is taken if the hash of the next entry's path says so, with a
 *    chance in proportion to the size of the entry before it: about every MEMBER_TARGET bytes, but
 *    not before MEMBER_MIN;
 *  - no member is larger than MEMBER_MAX.
 *
 * Where to cut depends almost only on the entries near the place. */
#ifndef VARVE_LAYER_BATCHER_H
#define VARVE_LAYER_BATCHER_H

#include "layer/pipeline.h"
#include "layer/tarwriter.h"

#define MEMBER_MIN (256 * 1024)
#define MEMBER_TARGET (1024 * 1024)
#define MEMBER_MAX (2 * 1024 * 1024)

struct batcher {
    struct tar_sink sink;                          /* first: what tarwriter_run is given */
    struct pipeline *pipe;                         /* borrowed */
    GByteArray *batch;                             /* being filled; NULL: none */
    guint64 previous;                              /* bytes of the entry before */
    gboolean large;                                /* the entry being written is a large one */
    guint64 total;                                 /* bytes so far */
    void (*progress)(gpointer ctx, guint64 total); /* after each batch; may be NULL */
    gpointer ctx;                                  /* of progress */
};
void batcher_init(struct batcher *b, struct pipeline *p);
/* Pushes the last batch. */
void batcher_finish(struct batcher *b);

#endif
