/* Progress of one transfer as events, at most ten a second. Used by one thread at a time. */
#ifndef VARVE_BASE_TRANSFER_H
#define VARVE_BASE_TRANSFER_H

#include "base/event.h"

struct transfer {
    struct event_sink *events; /* may be NULL */
    char *name;                /* "pull node:20 0123456789ab" */
    guint64 total;             /* bytes in all; 0: unknown */
    gint64 told_us;            /* monotonic: last event */
};
void transfer_init(struct transfer *t, struct event_sink *events, const char *name, guint64 total);
void transfer_tell(struct transfer *t, guint64 current);
/* Says that it ended, with current bytes there, and frees what t holds. */
void transfer_finish(struct transfer *t, guint64 current);

#endif
