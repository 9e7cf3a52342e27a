/* The plain view, for logs: a line when a step starts, its output indented below, a line when it
 * ends. Lines carry the step's number so that parallel steps can be told apart. And the quiet view:
 * nothing. */
#include "ui/text.h"
#include "ui/view.h"

#include <string.h>

/* " build" behind the numbers; " stage-1" for a stage without a name (it has a number), and nothing
 * where there is no other stage. Newly allocated. */
static char *label(struct progress *p, const struct step *s)
{
    if (!s->stage)
        return g_strdup("");
    gboolean unnamed = g_ascii_isdigit(*s->stage), alone = unnamed;
    for (guint i = 0; i < p->steps->len && alone; i++)
        alone = g_strcmp0(((struct step *)g_ptr_array_index(p->steps, i))->stage, s->stage) == 0;
    return alone ? g_strdup("") : g_strconcat(unnamed ? " stage-" : " ", s->stage, NULL);
}

static int number(struct progress *p, const struct step *s)
{
    for (guint i = 0; i < p->steps->len; i++)
        if (g_ptr_array_index(p->steps, i) == s)
            return i + 1;
    return 0;
}

#define NAME_COLUMNS 120 /* long commands are cut: varve history shows them whole */

static void print_start(struct progress *p, struct step *s)
{
    g_autofree char *stage = label(p, s);
    g_autofree char *name = text_fit(s->name, NAME_COLUMNS);
    fprintf(p->out, "[%d/%d%s] %s%s%s%s\n", number(p, s), p->total, stage, name,
            s->why ? "   (" : "", s->why ? s->why : "", s->why ? ")" : "");
}

static void print_line(struct progress *p, struct step *s, const char *line)
{
    g_autofree char *stage = label(p, s);
    g_autofree char *text = text_without_escapes(line);
    g_autofree char *clean = text_fit(text, 2000);
    fprintf(p->out, "[%d/%d%s]   │ %s\n", number(p, s), p->total, stage, clean);
}

/* Prints whole lines; a carriage return starts a line over, as on a terminal. */
static void print_log(struct progress *p, struct step *s, const char *bytes, gsize len)
{
    for (gsize i = 0; i < len; i++) {
        if (bytes[i] == '\n' || s->line->len > 64 * 1024) {
            if (s->line->len > 0 && s->line->str[s->line->len - 1] == '\r')
                g_string_truncate(s->line, s->line->len - 1);
            const char *start = strrchr(s->line->str, '\r');
            print_line(p, s, start ? start + 1 : s->line->str);
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
        print_log(p, s, "\n", 1);
    g_autofree char *stage = label(p, s);
    if (s->outcome == OUTCOME_CACHED || s->outcome == OUTCOME_CUT) {
        g_autofree char *name = text_fit(s->name, NAME_COLUMNS);
        fprintf(p->out, "[%d/%d%s] %s   %s\n", number(p, s), p->total, stage, name,
                words[s->outcome]);
        return;
    }
    g_autofree char *took = text_duration(s->duration_us);
    g_autofree char *size = s->layer_bytes ? text_size(s->layer_bytes) : NULL;
    fprintf(p->out, "[%d/%d%s] %s after %s%s%s\n", number(p, s), p->total, stage, words[s->outcome],
            took, size ? "   " : "", size ? size : "");
}

static void print_transfer(struct progress *p, const struct event *ev)
{
    if (!ev->finished)
        return;
    g_autofree char *size = text_size(ev->current);
    fprintf(p->out, "%s   %s\n", ev->name, size);
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
            print_log(p, s, ev->bytes, ev->n_bytes);
        break;
    case EVENT_DONE:
        if (s)
            print_done(p, s);
        break;
    case EVENT_TRANSFER:
        print_transfer(p, ev);
        break;
    case EVENT_WARNING:
        fprintf(p->out, "warning: %s\n", ev->text);
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
    if (ev->type != EVENT_WARNING)
        return;
    fprintf(p->out, "warning: %s\n", ev->text);
    fflush(p->out);
}

const struct view view_quiet = {.event = quiet_event};
