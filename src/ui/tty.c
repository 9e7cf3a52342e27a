/* The live view: redrawn in place a few times a second. What runs is always visible; on a small
 * screen ended and waiting steps are dropped first, then the ends of the running steps' logs, and
 * the rest is counted in one line. Nothing is printed for builds that end before the first frame.
 */
#include "ui/text.h"
#include "ui/view.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LOG_LINES 3 /* of each running step, more when few run */
#define MAX_LOG_LINES 10
#define WAITING_LINES 6
#define STAGE_COLUMNS 14
#define NAME_COLUMNS 20 /* of a transfer at least, before its numbers lose their last */
#define MIN_BAR 8
#define BAR_COLUMNS 28

/* The frame being put together. */
struct frame {
    GPtrArray *lines; /* char*, styled and fitted */
    GArray *widths;   /* int, of each line in columns */
    int columns, rows;
    gboolean colours;
    int log_lines; /* of each running step */
    int places;    /* lines left for running steps and transfers */
    int hidden;    /* those that got none */
};

static void frame_init(struct frame *f, struct progress *p)
{
    *f = (struct frame){.lines = g_ptr_array_new_with_free_func(g_free),
                        .widths = g_array_new(FALSE, FALSE, sizeof(int)),
                        .colours = p->colours,
                        .log_lines = LOG_LINES,
                        .places = G_MAXINT};
}

static void frame_clear(struct frame *f)
{
    g_ptr_array_unref(f->lines);
    g_array_unref(f->widths);
}

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
    int width = text_width(plain);
    g_ptr_array_add(f->lines, text_styled(plain, style, f->colours));
    g_array_append_val(f->widths, width);
}

static void add_head(struct frame *f, struct progress *p)
{
    g_autofree char *took = text_duration(g_get_real_time() - p->started_us);
    g_autofree char *right =
        p->total ? g_strdup_printf("%s   %d of %d steps", took, p->done, p->total) : g_strdup(took);
    add_line(f, STYLE_BOLD, p->title ? p->title : "", right);
}

/* "● stage          RUN make …   right" */
static void add_step_line(struct frame *f, struct progress *p, enum text_style style,
                          const char *mark, const struct step *s, const char *right)
{
    g_autofree char *label = f->columns < 60 ? NULL : progress_stage(p, s);
    gboolean os = label && text_width(label) > STAGE_COLUMNS && g_str_has_prefix(label, "linux/");
    g_autofree char *stage =
        text_fit(label ? label + (os ? strlen("linux/") : 0) : "", STAGE_COLUMNS);
    int pad = label ? STAGE_COLUMNS - text_width(stage) + 1 : 0;
    int room = f->columns - 5 - text_width(stage) - pad - text_width(right);
    g_autofree char *name = text_step(s->name, MAX(10, room));
    g_autofree char *left = g_strdup_printf("%s %s%*s%s", mark, stage, pad, "", name);
    add_line(f, style, left, right);
}

static void add_done(struct frame *f, struct progress *p, const struct step *s)
{
    static const struct {
        enum text_style style;
        const char *mark, *right; /* right NULL: how long it took, and what it added */
    } shown[] = {[OUTCOME_RAN] = {STYLE_GREEN, "✓", NULL},
                 [OUTCOME_CACHED] = {STYLE_DIM, "✓", "cached"},
                 [OUTCOME_CUT] = {STYLE_DIM, "✓", "same"},
                 [OUTCOME_FAILED] = {STYLE_RED, "✗", NULL},
                 [OUTCOME_CANCELLED] = {STYLE_DIM, "–", NULL}};
    g_autofree char *took = text_duration(s->duration_us);
    g_autofree char *size = s->layer_bytes ? text_size(s->layer_bytes) : NULL;
    g_autofree char *cost = g_strconcat(took, size ? "   " : NULL, size, NULL);
    const char *right = shown[s->outcome].right;
    add_step_line(f, p, shown[s->outcome].style, shown[s->outcome].mark, s, right ? right : cost);
}

/* What a terminal finally shows of a line of output: what follows its last carriage return, without
 * escape sequences. */
static char *shown_text(const char *line, gsize len)
{
    while (len > 0 && line[len - 1] == '\r')
        len--;
    const char *cr = memrchr(line, '\r', len);
    g_autofree char *text = cr ? g_strndup(cr + 1, line + len - cr - 1) : g_strndup(line, len);
    return text_without_escapes(text);
}

/* The last lines, at most n, of a step's log that show anything. */
static GPtrArray *log_lines(const struct step *s, int n)
{
    GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
    const char *end = s->tail->str + s->tail->len;
    while (end > s->tail->str && (int)lines->len < n) {
        const char *nl = memrchr(s->tail->str, '\n', end - s->tail->str);
        const char *line = nl ? nl + 1 : s->tail->str;
        g_autofree char *text = shown_text(line, end - line);
        if (*text)
            g_ptr_array_insert(lines, 0, g_steal_pointer(&text));
        end = nl ? nl : s->tail->str;
    }
    return lines;
}

/* Whether something that runs gets a line. */
static gboolean take_place(struct frame *f)
{
    if (f->places <= 0) {
        f->hidden++;
        return FALSE;
    }
    f->places--;
    return TRUE;
}

static void add_running(struct frame *f, struct progress *p, const struct step *s)
{
    if (!take_place(f))
        return;
    g_autofree char *took = text_duration(g_get_real_time() - s->started_us);
    add_step_line(f, p, STYLE_CYAN, "●", s, took);
    g_autoptr(GPtrArray) lines = log_lines(s, f->log_lines);
    for (guint i = 0; i < lines->len; i++) {
        g_autofree char *text = g_strdup_printf("  │ %s", (char *)g_ptr_array_index(lines, i));
        add_line(f, STYLE_DIM, text, "");
    }
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
    g_autofree char *name = event_stage_label(on);
    g_autofree char *right = on && *on ? g_strdup_printf("waits for %s", name) : g_strdup("");
    add_step_line(f, p, STYLE_DIM, "○", s, right);
}

/* The name of a transfer as far as it says more than the head line: "pull 92cf57ad2b1c" below the
 * title node:20. Its last word tells it from others, so what is before gives way. Newly allocated.
 */
static char *transfer_name(const struct progress *p, const struct transfer *t, int columns)
{
    const char *last = strrchr(t->name, ' ');
    g_autofree char *before = last ? g_strndup(t->name, last - t->name) : g_strdup("");
    if (p->title && g_str_has_suffix(before, p->title))
        before[strlen(before) - strlen(p->title)] = '\0';
    g_strchomp(before);
    last = last ? last + 1 : t->name;
    int room = columns - text_width(last) - 1;
    if (!*before || room < 5)
        return text_fit(last, columns);
    g_autofree char *fit = text_fit(before, room);
    return g_strdup_printf("%s %s", fit, last);
}

/* "2.9 MB of 98 MB  4.5 MB/s  21 s left", or as much of it as fits, but always how far it is. */
static char *transfer_numbers(const struct transfer *t, int columns)
{
    double rate = (double)t->current * 1e6 / MAX(1, g_get_real_time() - t->started_us);
    guint64 rest = t->target - MIN(t->current, t->target);
    g_autofree char *now = text_size(t->current);
    g_autofree char *all = t->target ? text_size(t->target) : NULL;
    g_autofree char *speed = text_size((guint64)rate);
    g_autofree char *left = rate > 0 && rest > rate ? text_duration(rest / rate * 1e6) : NULL;
    GString *out = g_string_new(now);
    if (all)
        g_string_append_printf(out, " of %s", all);
    g_autofree char *pace = g_strdup_printf("  %s/s", speed);
    g_autofree char *eta = left ? g_strdup_printf("  %s left", left) : g_strdup("");
    if ((int)out->len + text_width(pace) <= columns)
        g_string_append(out, pace);
    if ((int)out->len + text_width(eta) <= columns)
        g_string_append(out, eta);
    return g_string_free(out, FALSE);
}

static void add_transfer(struct frame *f, const struct progress *p, const struct transfer *t)
{
    int room = f->columns - 5; /* without the arrow, the gap before the numbers, the last column */
    g_autofree char *numbers = transfer_numbers(t, room - NAME_COLUMNS);
    room -= text_width(numbers);
    gboolean barred = t->target && room >= NAME_COLUMNS + 2 + MIN_BAR;
    g_autofree char *name = transfer_name(p, t, barred ? room - 2 - MIN_BAR : MAX(1, room));
    int bar = barred ? MIN(BAR_COLUMNS, room - 2 - text_width(name)) : 0;
    int full = barred ? (int)(bar * MIN(1.0, (double)t->current / t->target)) : 0;
    GString *line = g_string_new(NULL);
    g_string_append_printf(line, "⇣ %s%s", name, barred ? "  " : "");
    for (int i = 0; i < bar; i++)
        g_string_append(line, i < full ? "━" : "─");
    add_line(f, STYLE_NONE, line->str, numbers);
    g_string_free(line, TRUE);
}

static void add_transfers(struct frame *f, struct progress *p)
{
    for (guint i = 0; i < p->transfers->len; i++) {
        const struct transfer *t = g_ptr_array_index(p->transfers, i);
        if (!t->finished && take_place(f))
            add_transfer(f, p, t);
    }
}

/* How many running steps and transfers there are. */
static int count_running(struct progress *p)
{
    int n = 0;
    for (guint i = 0; i < p->steps->len; i++)
        n += ((struct step *)g_ptr_array_index(p->steps, i))->state == STEP_RUNNING;
    for (guint i = 0; i < p->transfers->len; i++)
        n += !((struct transfer *)g_ptr_array_index(p->transfers, i))->finished;
    return n;
}

/* How many lines of logs there are, at most n of each running step. */
static int count_log_lines(struct progress *p, int n)
{
    int count = 0;
    for (guint i = 0; i < p->steps->len; i++) {
        const struct step *s = g_ptr_array_index(p->steps, i);
        g_autoptr(GPtrArray) lines = s->state == STEP_RUNNING ? log_lines(s, n) : NULL;
        count += lines ? (int)lines->len : 0;
    }
    return count;
}

/* Divides room lines among what runs; returns what is left for other steps. */
static int plan_running(struct frame *f, struct progress *p, int room)
{
    int running = count_running(p);
    if (running > room) {
        f->places = room - 1; /* the last line says how many are not shown */
        f->log_lines = 0;
        return 0;
    }
    f->log_lines = CLAMP(room / (2 * MAX(1, running)), LOG_LINES, MAX_LOG_LINES);
    while (f->log_lines > 0 && running + count_log_lines(p, f->log_lines) > room)
        f->log_lines--;
    return room - running - count_log_lines(p, f->log_lines);
}

/* Besides the running steps, the last that ended and the first that wait, together at most room. */
static void add_steps(struct frame *f, struct progress *p, int room, int waiting_room)
{
    int ended = 0;
    for (guint i = 0; i < p->steps->len; i++)
        ended += ((struct step *)g_ptr_array_index(p->steps, i))->state == STEP_DONE;
    int skip = MAX(0, ended - (room - waiting_room));
    for (guint i = 0; i < p->steps->len; i++) {
        const struct step *s = g_ptr_array_index(p->steps, i);
        if (s->state == STEP_DONE && skip-- <= 0)
            add_done(f, p, s);
        else if (s->state == STEP_RUNNING)
            add_running(f, p, s);
        else if (s->state == STEP_WAITING && waiting_room-- > 0)
            add_waiting(f, p, s);
    }
}

/* How many rows the last frame takes now. A terminal that became narrower since has wrapped its
 * lines; all that are in use but xterm do. */
static int drawn_rows(const struct progress *p, int columns)
{
    int rows = 0;
    for (guint i = 0; i < p->drawn->len; i++)
        rows += MAX(1, (g_array_index(p->drawn, int, i) + columns - 1) / columns);
    return rows;
}

static void put_frame(struct progress *p, struct frame *f)
{
    GString *out = g_string_new(NULL);
    int up = drawn_rows(p, f->columns);
    if (up > 0)
        g_string_append_printf(out, "\x1b[%dA", up);
    g_string_append(out, "\r");
    for (guint i = 0; i < f->lines->len; i++)
        g_string_append_printf(out, "%s\x1b[K\n", (char *)g_ptr_array_index(f->lines, i));
    g_string_append(out, "\x1b[J");
    fwrite(out->str, 1, out->len, p->out);
    fflush(p->out);
    g_array_set_size(p->drawn, 0);
    g_array_append_vals(p->drawn, f->widths->data, f->widths->len);
    g_string_free(out, TRUE);
}

void tty_draw(struct progress *p)
{
    struct frame f;
    frame_init(&f, p);
    screen_size(p->out, &f.columns, &f.rows);
    int height = f.rows - 1; /* the cursor waits on a line of its own */
    add_head(&f, p);
    int room = plan_running(&f, p, height - 1);
    add_steps(&f, p, room, MIN(room / 3, WAITING_LINES));
    add_transfers(&f, p);
    if (f.hidden > 0) {
        g_autofree char *more = g_strdup_printf("● … and %d more", f.hidden);
        add_line(&f, STYLE_CYAN, more, "");
    }
    if ((int)f.lines->len > height) { /* a window of one or two rows */
        g_ptr_array_set_size(f.lines, height);
        g_array_set_size(f.widths, height);
    }
    put_frame(p, &f);
    frame_clear(&f);
}

static void draw_last(struct progress *p)
{
    struct frame f;
    frame_init(&f, p);
    screen_size(p->out, &f.columns, &f.rows);
    add_steps(&f, p, G_MAXINT, 0);
    put_frame(p, &f);
    frame_clear(&f);
}

/* A line that stays, where the frame was: the next one is drawn below. */
static void put_message(struct progress *p, const struct event *ev)
{
    struct frame f;
    frame_init(&f, p);
    screen_size(p->out, &f.columns, &f.rows);
    put_frame(p, &f);
    progress_put_message(p, ev);
    g_array_set_size(p->drawn, 0);
    frame_clear(&f);
}

static void tty_event(struct progress *p, const struct event *ev, struct step *s)
{
    (void)s;
    if (ev->type == EVENT_WARNING || ev->type == EVENT_NOTE)
        put_message(p, ev);
    if (ev->type == EVENT_START || ev->type == EVENT_TRANSFER)
        progress_start_ticker(p);
    if (ev->type == EVENT_WARNING && p->steps->len > 0)
        g_string_append_printf(p->warnings, "warning: %s\n", ev->text);
}

/* Leaves the steps on the screen when there was a live view at all; else nothing ran for long
 * enough. */
static void tty_finish(struct progress *p)
{
    if (p->drawn->len > 0)
        draw_last(p);
}

const struct view view_tty = {.event = tty_event, .finish = tty_finish, .ticks = TRUE};
