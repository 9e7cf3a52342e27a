/* The live view: redrawn in place a few times a second. What runs is always visible with the end of
 * its log; ended and waiting steps give way when the screen is small. Nothing is printed for builds
 * that end before the first frame. */
#include "ui/text.h"
#include "ui/view.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOG_LINES 3 /* of each running step */
#define BAR_COLUMNS 28

/* The frame being put together. */
struct frame {
    GPtrArray *lines; /* char*, styled and fitted */
    int columns, rows;
    gboolean colours;
};

static void screen_size(FILE *f, int *columns, int *rows)
{
    struct winsize ws;
    gboolean known = ioctl(fileno(f), TIOCGWINSZ, &ws) == 0;
    *columns = known && ws.ws_col > 0 ? ws.ws_col : 80;
    *rows = known && ws.ws_row > 0 ? ws.ws_row : 24;
}

/* left … right on one line; left is cut when both do not fit. */
static void add_line(struct frame *f, enum text_style style, const char *left, const char *right)
{
    int right_width = text_width(right);
    int room = f->columns - 1 - (right_width ? right_width + 2 : 0);
    if (room < 10) {
        room = f->columns - 1;
        right = "";
        right_width = 0;
    }
    g_autofree char *fit = text_fit(left, room);
    int pad = f->columns - 1 - text_width(fit) - right_width;
    g_autofree char *plain =
        right_width ? g_strdup_printf("%s%*s%s", fit, pad, "", right) : g_strdup(fit);
    g_ptr_array_add(f->lines, text_styled(plain, style, f->colours));
}

static void add_head(struct frame *f, struct progress *p)
{
    g_autofree char *took = text_duration(g_get_real_time() - p->started_us);
    g_autofree char *right =
        p->total ? g_strdup_printf("%s   %d of %d steps", took, p->done, p->total) : g_strdup(took);
    add_line(f, STYLE_BOLD, p->title ? p->title : "", right);
}

static char *step_text(struct progress *p, const struct step *s, const char *mark)
{
    gboolean narrow = FALSE;
    int columns, rows;
    screen_size(p->out, &columns, &rows);
    narrow = columns < 60;
    if (narrow || !s->stage)
        return g_strdup_printf("%s %s", mark, s->name);
    g_autofree char *stage = text_fit(s->stage, 14);
    return g_strdup_printf("%s %s%*s %s", mark, stage, MAX(0, 14 - text_width(stage)), "", s->name);
}

static void add_done(struct frame *f, struct progress *p, const struct step *s)
{
    g_autofree char *took = text_duration(s->duration_us);
    g_autofree char *size = s->layer_bytes ? text_size(s->layer_bytes) : g_strdup("");
    gboolean failed = s->outcome == OUTCOME_FAILED;
    g_autofree char *left = step_text(p, s,
                                      failed                            ? "✗"
                                      : s->outcome == OUTCOME_CANCELLED ? "–"
                                                                        : "✓");
    g_autofree char *right = s->outcome == OUTCOME_CACHED || s->outcome == OUTCOME_CUT
                                 ? g_strdup(s->outcome == OUTCOME_CUT ? "same" : "cached")
                                 : g_strdup_printf("%s%s%s", took, *size ? "   " : "", size);
    add_line(f,
             failed                      ? STYLE_RED
             : s->outcome == OUTCOME_RAN ? STYLE_GREEN
                                         : STYLE_DIM,
             left, right);
}

static void add_log_lines(struct frame *f, const struct step *s)
{
    g_auto(GStrv) lines = g_strsplit(s->tail->str, "\n", -1);
    guint n = g_strv_length(lines), shown = 0;
    for (guint i = n; i > 0 && shown < LOG_LINES; i--) {
        const char *cr = strrchr(lines[i - 1], '\r');
        gboolean empty = !*lines[i - 1];
        if (!empty && cr)
            memmove(lines[i - 1], cr + 1, strlen(cr + 1) + 1);
        if (!empty)
            shown++;
    }
    guint skip = 0;
    for (guint i = n; i > 0; i--)
        skip += *lines[i - 1] ? 1 : 0;
    for (guint i = 0; i < n; i++) {
        if (!*lines[i] || skip-- > shown)
            continue;
        g_autofree char *left = g_strdup_printf("  │ %s", lines[i]);
        add_line(f, STYLE_DIM, left, "");
    }
}

static void add_running(struct frame *f, struct progress *p, const struct step *s)
{
    g_autofree char *left = step_text(p, s, "●");
    g_autofree char *took = text_duration(g_get_real_time() - s->started_us);
    add_line(f, STYLE_CYAN, left, took);
    add_log_lines(f, s);
}

/* The names of what a waiting step waits for. */
static void add_waiting(struct frame *f, struct progress *p, const struct step *s)
{
    const char *on = NULL;
    for (int i = 0; i < s->n_inputs && !on; i++) {
        struct step *in = progress_step(p, s->inputs[i]);
        if (in && in->state != STEP_DONE)
            on = in->stage && g_strcmp0(in->stage, s->stage) != 0 ? in->stage : "";
    }
    g_autofree char *left = step_text(p, s, "○");
    g_autofree char *right = on && *on ? g_strdup_printf("waits for %s", on) : g_strdup("");
    add_line(f, STYLE_DIM, left, right);
}

static void add_transfer(struct frame *f, const struct transfer *t)
{
    gint64 took = MAX(1, g_get_real_time() - t->started_us);
    double rate = t->current * 1e6 / took;
    g_autofree char *now = text_size(t->current);
    g_autofree char *all = t->target ? text_size(t->target) : NULL;
    g_autofree char *speed = text_size((guint64)rate);
    GString *line = g_string_new(NULL);
    g_string_append_printf(line, "⇣ %s  ", t->name);
    if (t->target && f->columns >= 80) {
        int full = (int)(BAR_COLUMNS * MIN(1.0, (double)t->current / t->target));
        for (int i = 0; i < BAR_COLUMNS; i++)
            g_string_append(line, i < full ? "━" : "─");
    }
    double left = t->target && rate > 0 ? (t->target - MIN(t->current, t->target)) / rate : 0;
    g_autofree char *eta = left >= 1 ? g_strdup_printf("  %.0f s left", left) : g_strdup("");
    g_autofree char *right = all ? g_strdup_printf("%s of %s  %s/s%s", now, all, speed, eta)
                                 : g_strdup_printf("%s  %s/s", now, speed);
    add_line(f, STYLE_NONE, line->str, right);
    g_string_free(line, TRUE);
}

static int running_lines(struct progress *p)
{
    int n = 1;
    for (guint i = 0; i < p->steps->len; i++) {
        const struct step *s = g_ptr_array_index(p->steps, i);
        n += s->state == STEP_RUNNING ? 1 + LOG_LINES : 0;
    }
    for (guint i = 0; i < p->transfers->len; i++)
        n += !((struct transfer *)g_ptr_array_index(p->transfers, i))->finished;
    return n;
}

/* Steps other than running ones: the last that ended and the first that wait, as many as fit. */
static void add_steps(struct frame *f, struct progress *p, gboolean all)
{
    int room = all ? G_MAXINT : MAX(0, f->rows - 2 - running_lines(p));
    int ended = 0, waiting_room = MIN(room / 3, 6);
    for (guint i = 0; i < p->steps->len; i++)
        ended += ((struct step *)g_ptr_array_index(p->steps, i))->state == STEP_DONE;
    int skip = MAX(0, ended - (room - waiting_room));
    for (guint i = 0; i < p->steps->len; i++) {
        const struct step *s = g_ptr_array_index(p->steps, i);
        if (s->state == STEP_DONE && skip-- <= 0)
            add_done(f, p, s);
        else if (s->state == STEP_RUNNING)
            add_running(f, p, s);
        else if (s->state == STEP_WAITING && !all && waiting_room-- > 0)
            add_waiting(f, p, s);
    }
}

static void put_frame(struct progress *p, struct frame *f)
{
    GString *out = g_string_new(NULL);
    if (p->drawn > 0)
        g_string_append_printf(out, "\x1b[%dA", p->drawn);
    g_string_append(out, "\r");
    for (guint i = 0; i < f->lines->len; i++)
        g_string_append_printf(out, "%s\x1b[K\n", (char *)g_ptr_array_index(f->lines, i));
    g_string_append(out, "\x1b[J");
    fwrite(out->str, 1, out->len, p->out);
    fflush(p->out);
    p->drawn = f->lines->len;
    g_string_free(out, TRUE);
}

static void draw(struct progress *p, gboolean last)
{
    struct frame f = {.lines = g_ptr_array_new_with_free_func(g_free), .colours = p->colours};
    screen_size(p->out, &f.columns, &f.rows);
    if (!last)
        add_head(&f, p);
    add_steps(&f, p, last);
    for (guint i = 0; i < p->transfers->len; i++) {
        const struct transfer *t = g_ptr_array_index(p->transfers, i);
        if (!t->finished && !last)
            add_transfer(&f, t);
    }
    if (!last && (int)f.lines->len > f.rows - 1)
        g_ptr_array_remove_range(f.lines, f.rows - 1, f.lines->len - (f.rows - 1));
    put_frame(p, &f);
    g_ptr_array_unref(f.lines);
}

void tty_draw(struct progress *p)
{
    draw(p, FALSE);
}

static void tty_event(struct progress *p, const struct event *ev, struct step *s)
{
    (void)s;
    if (ev->type == EVENT_START || ev->type == EVENT_TRANSFER)
        progress_start_ticker(p);
}

/* Leaves the steps on the screen when there was a live view at all; else nothing ran for long
 * enough. */
static void tty_finish(struct progress *p)
{
    if (p->drawn > 0)
        draw(p, TRUE);
}

const struct view view_tty = {.event = tty_event, .finish = tty_finish, .ticks = TRUE};
