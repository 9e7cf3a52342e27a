/* A tar that is decompressed and hashed by a thread of its own, ahead of whoever reads its entries.
 */
#ifndef VARVE_LAYER_TARSTREAM_H
#define VARVE_LAYER_TARSTREAM_H

#include "layer/decompress.h"
#include "layer/tarreader.h"

struct tarstream {
    struct tarreader *reader; /* read entries from this */
    struct ring *between;     /* internal */
    struct decompress *from;  /* internal, borrowed */
    GThread *thread;          /* internal */
    struct digest diff_id;    /* valid after tarstream_stop() when all was read without error */
};
/* Starts; d is borrowed until tarstream_stop(). More than 80 GiB of tar is VARVE_ERROR_INVALID. */
gboolean tarstream_start(struct tarstream *t, struct decompress *d, GError **err);
/* Ends it wherever it is and waits for the thread. Must follow every successful start. */
void tarstream_stop(struct tarstream *t);

#endif
