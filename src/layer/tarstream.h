/* A tar that another thread decompresses and hashes, ahead of the reader of its entries.
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
    struct digest diff_id;    /* valid after tarstream_stop() if all was read without error */
};
/* Starts; d is borrowed until tarstream_stop(). More than 80 GiB of tar is VARVE_ERROR_INVALID. */
gboolean tarstream_start(struct tarstream *t, struct decompress *d, GError **err);
/* Ends it at any point and waits for the thread. Required after every successful start. */
void tarstream_stop(struct tarstream *t);

#endif
