#include "base/event.h"

#include "base/work.h"

#include <stdarg.h>

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

static void emit_text(struct event_sink *sink, enum event_type type, const char *fmt, va_list ap)
{
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    event_emit(sink, &(struct event){.type = type, .vertex = -1, .text = text});
}

void event_warn(struct event_sink *sink, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    emit_text(sink, EVENT_WARNING, fmt, ap);
    va_end(ap);
}

void event_note(struct event_sink *sink, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    emit_text(sink, EVENT_NOTE, fmt, ap);
    va_end(ap);
}

char *event_stage_label(const char *stage)
{
    return stage && g_ascii_isdigit(*stage) ? g_strconcat("stage-", stage, NULL) : g_strdup(stage);
}

char *event_step_label(const char *build, const char *platform, const char *stage)
{
    g_autofree char *label = event_stage_label(stage);
    g_autoptr(GString) out = g_string_new(NULL);
    if (build)
        g_string_append_printf(out, "%s%s", build, platform || label ? ": " : "");
    if (platform)
        g_string_append_printf(out, "%s%s", platform, label ? " " : "");
    g_string_append(out, label ? label : "");
    return out->len > 0 ? g_strdup(out->str) : NULL;
}
