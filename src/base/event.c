#include "base/event.h"

#include "base/work.h"

void event_emit(struct event_sink *sink, const struct event *ev)
{
    if (!sink)
        return;
    struct event stamped = *ev;
    if (stamped.time_us == 0)
        stamped.time_us = g_get_real_time();
    if (stamped.vertex < 0 && work_current())
        stamped.vertex = work_current()->vertex;
    sink->emit(sink, &stamped);
}

char *event_stage_label(const char *stage)
{
    return stage && g_ascii_isdigit(*stage) ? g_strconcat("stage-", stage, NULL) : g_strdup(stage);
}
