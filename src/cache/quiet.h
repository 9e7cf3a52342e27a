/* Progress without the many small blobs of a cache: transfers below a size are not told. */
#ifndef VARVE_CACHE_QUIET_H
#define VARVE_CACHE_QUIET_H

#include "base/event.h"

struct quiet_sink {
    struct event_sink sink;  /* first: the sink to use */
    struct event_sink *next; /* gets all other events; or NULL */
};
void quiet_sink_init(struct quiet_sink *q, struct event_sink *next);

#endif
