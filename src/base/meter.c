#include "base/meter.h"

#include "base/work.h"

#define FIRST_US G_USEC_PER_SEC

void meter_init(struct meter *m, const char *doing, const char *what, guint64 total)
{
    *m = (struct meter){.doing = doing,
                        .what = what,
                        .total = total,
                        .first_us = g_get_monotonic_time() + FIRST_US};
}

static void meter_tell(struct meter *m)
{
    if (!m->transfer.name) {
        const struct work *w = work_current();
        g_autofree char *name = g_strdup_printf("%s %s", m->doing, m->what);
        transfer_init(&m->transfer, w ? w->events : NULL, name, m->total);
    }
    m->transfer.total = MAX(m->total, m->at);
    transfer_tell(&m->transfer, m->at);
}

gboolean meter_add(struct meter *m, guint64 bytes, GError **err)
{
    if (!work_check(err))
        return FALSE;
    m->at += bytes;
    if (g_get_monotonic_time() >= m->first_us)
        meter_tell(m);
    return TRUE;
}

void meter_end(struct meter *m)
{
    if (!m->transfer.name)
        return;
    m->transfer.total = MAX(m->total, m->at);
    transfer_finish(&m->transfer, m->at);
}
