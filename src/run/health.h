/* When to probe and what results mean, by Docker's rules: a probe every interval, the first after
 * one interval; retries failures in a row make it unhealthy; failures within the start period do
 * not count; one success makes it healthy. To shorten waiting there are extra probes until the
 * first success, soon after the start and then every second (or every start interval), whose
 * failures never count.
 *
 * A state machine without clock or process: times are microseconds of one monotonic clock. */
#ifndef VARVE_RUN_HEALTH_H
#define VARVE_RUN_HEALTH_H

#include "graph/imageconf.h"

enum run_health_state { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
struct run_health {
    gint64 interval, timeout, start_period; /* Docker's defaults unless the image sets them */
    gint64 early_max;                       /* longest time between the extra probes */
    int retries;                            /* failures in a row that make it unhealthy */
    gint64 started;                         /* when the program started */
    enum run_health_state state;
    int failures;        /* in a row, counted */
    gint64 next_counted; /* when the next counted probe is due */
    gint64 next_early;   /* when the next extra probe is due */
    gint64 early_step;   /* time to the one after it */
};
void run_health_init(struct run_health *h, const struct healthcheck *conf, gint64 now);
/* When the next probe is due. */
gint64 run_health_due(const struct run_health *h);
/* Records a probe that began and ended at these times; returns the new state. */
enum run_health_state run_health_note(struct run_health *h, gint64 began, gint64 ended,
                                      gboolean ok);

#endif
