#include "run/health.h"

#define SECOND ((gint64)G_USEC_PER_SEC)
#define EARLY_FIRST (SECOND / 20)

static gint64 us_or(gint64 ns, gint64 fallback)
{
    return ns > 0 ? MAX(ns / 1000, 1) : fallback;
}

void run_health_init(struct run_health *h, const struct healthcheck *conf, gint64 now)
{
    *h = (struct run_health){.interval = us_or(conf->interval, 30 * SECOND),
                             .timeout = us_or(conf->timeout, 30 * SECOND),
                             .start_period = us_or(conf->start_period, 0),
                             .early_max = us_or(conf->start_interval, SECOND),
                             .retries = conf->retries > 0 ? conf->retries : 3,
                             .started = now,
                             .early_step = EARLY_FIRST};
    h->next_counted = now + h->interval;
    h->next_early = now + h->early_step;
}

gint64 run_health_due(const struct run_health *h)
{
    return h->state == HEALTH_STARTING ? MIN(h->next_counted, h->next_early) : h->next_counted;
}

static void note_failure(struct run_health *h, gint64 began, gboolean counted)
{
    gboolean excused = h->state == HEALTH_STARTING && began - h->started < h->start_period;
    if (!counted || excused)
        return;
    h->failures++;
    if (h->failures >= h->retries)
        h->state = HEALTH_UNHEALTHY;
}

enum run_health_state run_health_note(struct run_health *h, gint64 began, gint64 ended, gboolean ok)
{
    gboolean counted = began >= h->next_counted;
    if (counted || h->state != HEALTH_STARTING || ok)
        h->next_counted = ended + h->interval;
    h->early_step = MIN(h->early_step * 2, h->early_max);
    h->next_early = ended + h->early_step;
    if (ok) {
        h->failures = 0;
        h->state = HEALTH_HEALTHY;
    } else {
        note_failure(h, began, counted);
    }
    return h->state;
}
