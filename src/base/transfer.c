#include "base/transfer.h"

#define INTERVAL_US 100000

void transfer_init(struct transfer *t, struct event_sink *events, const char *name, guint64 total)
{
    *t = (struct transfer){.events = events, .name = g_strdup(name), .total = total};
}

static void emit(struct transfer *t, guint64 current, gboolean finished)
{
    struct event ev = {.type = EVENT_TRANSFER,
                       .vertex = -1,
                       .name = t->name,
                       .current = current,
                       .target = t->total,
                       .finished = finished};
    event_emit(t->events, &ev);
}

void transfer_tell(struct transfer *t, guint64 current)
{
    gint64 now = g_get_monotonic_time();
    if (!t->events || now - t->told_us < INTERVAL_US)
        return;
    t->told_us = now;
    emit(t, current, FALSE);
}

void transfer_finish(struct transfer *t, guint64 current)
{
    emit(t, current, TRUE);
    g_clear_pointer(&t->name, g_free);
}
