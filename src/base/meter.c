#include "base/meter.h"

#include "base/event.h"
#include "base/work.h"

#define FIRST_US G_USEC_PER_SEC
#define INTERVAL_US (G_USEC_PER_SEC / 10)

void meter_init(struct meter *m, const char *doing, const char *what, guint64 total)
{
    *m = (struct meter){doing, what, total, 0, g_get_monotonic_time() + FIRST_US, FALSE};
}

static void tell(struct meter *m, gboolean finished)
{
    const struct work *w = work_current();
    g_autofree char *name = g_strdup_printf("%s %s", m->doing, m->what);
    event_emit(w ? w->events : NULL, &(struct event){.type = EVENT_TRANSFER,
                                                     .vertex = -1,
                                                     .name = name,
                                                     .current = m->at,
                                                     .target = MAX(m->total, m->at),
                                                     .finished = finished});
    m->told = TRUE;
}

gboolean meter_add(struct meter *m, guint64 bytes, GError **err)
{
    gint64 now = g_get_monotonic_time();
    if (!work_check(err))
        return FALSE;
    m->at += bytes;
    if (now >= m->due_us) {
        m->due_us = now + INTERVAL_US;
        tell(m, FALSE);
    }
    return TRUE;
}

void meter_end(struct meter *m)
{
    if (m->told)
        tell(m, TRUE);
}
