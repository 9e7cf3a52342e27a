/* The plain view, for logs: a line when a step starts, its output indented below, a line when it
 * ends. Lines carry the step's number so that parallel steps can be told apart. And the quiet view:
 * nothing. */
#include "ui/text.h"
#include "ui/view.h"

#include <string.h>

/* "[3/7 build]", with which each line begins; newly allocated. */
static char *prefix(struct progress *p, const struct step *s)
{
    g_autofree char *number = progress_number(p, s), *stage = progress_stage(p, s);
    return g_strdup_printf("[%s%s%s]", number, stage ? " " : "", stage ? stage : "");
}

#define TELL_US (10 * G_USEC_PER_SEC)
#define NAME_COLUMNS 120 /* long commands are cut: varve history shows them whole */

static void print_start(struct progress *p, struct step *s)
{
    g_autofree char *head = prefix(p, s);
    g_autofree char *name = text_step(s->name, NAME_COLUMNS);
    fprintf(p->out, "%s %s%s%s%s\n", head, name, s->why ? "   (" : "", s->why ? s->why : "",
            s->why ? ")" : "");
}

/* A line of its output with the seconds since it started, so that a log shows where a step hung. */
static void print_line(struct progress *p, struct step *s, const char *line, gint64 now_us)
{
    g_autofree char *head = prefix(p, s);
    g_autofree char *text = text_without_escapes(line);
    g_autofree char *clean = text_fit(text, 2000);
    double since = (double)(now_us - s->started_us) / G_USEC_PER_SEC;
    fprintf(p->out, "%s %6.2f │ %s\n", head, MAX(0, since), clean);
}

/* Prints whole lines; a carriage return starts a line over, as on a terminal. */
static void print_log(struct progress *p, struct step *s, const char *bytes, gsize len,
                      gint64 now_us)
{
    for (gsize i = 0; i < len; i++) {
        if (bytes[i] == '\n' || s->line->len > 64 * 1024) {
            if (s->line->len > 0 && s->line->str[s->line->len - 1] == '\r')
                g_string_truncate(s->line, s->line->len - 1);
            const char *start = strrchr(s->line->str, '\r');
            print_line(p, s, start ? start + 1 : s->line->str, now_us);
            g_string_truncate(s->line, 0);
        }
        if (bytes[i] != '\n' && bytes[i] != '\0')
            g_string_append_c(s->line, bytes[i]);
    }
}

static void print_done(struct progress *p, struct step *s)
{
    static const char *const words[] = {[OUTCOME_RAN] = "done",
                                        [OUTCOME_CACHED] = "cached",
                                        [OUTCOME_CUT] = "same as before",
                                        [OUTCOME_FAILED] = "FAILED",
                                        [OUTCOME_CANCELLED] = "interrupted"};
    if (s->line->len > 0)
        print_log(p, s, "\n", 1, s->ended_us);
    g_autofree char *head = prefix(p, s);
    if (s->outcome == OUTCOME_CACHED || s->outcome == OUTCOME_CUT) {
        g_autofree char *name = text_step(s->name, NAME_COLUMNS);
        fprintf(p->out, "%s %s   %s\n", head, name, words[s->outcome]);
        return;
    }
    if (s->outcome == OUTCOME_CANCELLED && !s->started_us) {
        fprintf(p->out, "%s not run: %s\n", head, s->why ? s->why : "interrupted");
        return;
    }
    g_autofree char *took = text_duration(s->duration_us);
    g_autofree char *size = s->layer_bytes ? text_size(s->layer_bytes) : NULL;
    fprintf(p->out, "%s %s after %s%s%s\n", head, words[s->outcome], took, size ? "   " : "",
            size ? size : "");
}

/* At its end, and before that now and then, so that a log shows what a build waits for. */
static void print_transfer(struct progress *p, const struct event *ev)
{
    struct transfer *t = progress_transfer(p, ev);
    if (!ev->finished && ev->time_us - t->told_us < TELL_US)
        return;
    t->told_us = ev->time_us;
    g_autofree char *name = text_fit(ev->name, NAME_COLUMNS);
    g_autofree char *size = text_size(ev->current), *all = text_size(ev->target);
    gboolean part = !ev->finished && ev->target > 0;
    fprintf(p->out, "%s   %s%s%s\n", name, size, part ? " of " : "", part ? all : "");
}

static void plain_event(struct progress *p, const struct event *ev, struct step *s)
{
    switch (ev->type) {
    case EVENT_START:
        if (s)
            print_start(p, s);
        break;
    case EVENT_LOG:
        if (s)
            print_log(p, s, ev->bytes, ev->n_bytes, ev->time_us);
        break;
    case EVENT_DONE:
        if (s)
            print_done(p, s);
        break;
    case EVENT_TRANSFER:
        print_transfer(p, ev);
        break;
    case EVENT_WARNING:
    case EVENT_NOTE:
        progress_put_message(p, ev);
        break;
    case EVENT_PLAN:
    case EVENT_VERTEX:
        break;
    }
    fflush(p->out);
}

const struct view view_plain = {.event = plain_event};

static void quiet_event(struct progress *p, const struct event *ev, struct step *s)
{
    (void)s;
    if (ev->type == EVENT_WARNING || ev->type == EVENT_NOTE)
        progress_put_message(p, ev);
}

const struct view view_quiet = {.event = quiet_event};
