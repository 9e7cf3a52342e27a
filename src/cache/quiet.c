#include "cache/quiet.h"

#define SMALL (256 * 1024) /* bytes */

static void emit_large(struct event_sink *self, const struct event *ev)
{
    const struct quiet_sink *q = (const struct quiet_sink *)self;
    if (ev->type != EVENT_TRANSFER || ev->target >= SMALL)
        event_emit(q->next, ev);
}

void quiet_sink_init(struct quiet_sink *q, struct event_sink *next)
{
    *q = (struct quiet_sink){.sink = {emit_large}, .next = next};
}
