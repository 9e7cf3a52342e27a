/* Work on one file that may last for minutes: it ends when the work is cancelled, and after a
 * second the user is told how far it is, as EVENT_TRANSFERs of the current work (work.h). */
#ifndef VARVE_BASE_METER_H
#define VARVE_BASE_METER_H

#include "base/transfer.h"

struct meter {
    const char *doing, *what; /* "hashing", the file; borrowed */
    guint64 total;            /* bytes */
    guint64 at;               /* of them done */
    gint64 first_us;          /* when to tell first, monotonic */
    struct transfer transfer; /* its name is NULL until something was told */
};
void meter_init(struct meter *m, const char *doing, const char *what, guint64 total);
/* So many more bytes are about to be done. FALSE as work_check(). For each chunk. */
gboolean meter_add(struct meter *m, guint64 bytes, GError **err);
/* Nothing comes any more, for an error too. */
void meter_end(struct meter *m);

#endif
