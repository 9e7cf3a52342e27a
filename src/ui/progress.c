#include "ui/progress.h"

#include "base/error.h"
#include "ui/text.h"
#include "ui/view.h"

#include <string.h>
#include <unistd.h>

#define TICK_US (100 * 1000)
#define WARNING_COLUMNS 4000

gboolean progress_mode_parse(const char *text, enum progress_mode *out, GError **err)
{
    static const struct {
        const char *name;
        enum progress_mode mode;
    } modes[] = {{"auto", PROGRESS_AUTO},   {"tty", PROGRESS_TTY},
                 {"plain", PROGRESS_PLAIN}, {"quiet", PROGRESS_QUIET},
                 {"none", PROGRESS_QUIET},  {"rawjson", PROGRESS_RAWJSON}};
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (!g_str_equal(text, modes[i].name))
            continue;
        *out = modes[i].mode;
        return TRUE;
    }
    error_set(err, VARVE_ERROR_USAGE, "--progress=%s is unknown", text);
    error_add_next(err, "use auto, tty, plain, quiet, none or rawjson");
    return FALSE;
}

static void step_free(gpointer data)
{
    struct step *s = data;
    g_free(s->name);
    g_free(s->stage);
    g_free(s->build);
    g_free(s->platform);
    g_free(s->level);
    g_free(s->id);
    g_free(s->inputs);
    g_free(s->why);
    g_string_free(s->tail, TRUE);
    g_string_free(s->line, TRUE);
    g_free(s);
}

static void transfer_free(gpointer data)
{
    struct transfer *t = data;
    g_free(t->name);
    g_free(t);
}

struct step *progress_step(struct progress *p, int vertex)
{
    for (guint i = 0; i < p->steps->len; i++) {
        struct step *s = g_ptr_array_index(p->steps, i);
        if (s->vertex == vertex)
            return s;
    }
    return NULL;
}

char *progress_number(struct progress *p, const struct step *s)
{
    guint at = 0;
    g_ptr_array_find(p->steps, s, &at);
    return g_strdup_printf("%u/%d", at + 1, p->total);
}

static gboolean has_platforms(const struct progress *p)
{
    const char *first = NULL;
    for (guint i = 0; i < p->steps->len; i++) {
        const char *platform = ((struct step *)g_ptr_array_index(p->steps, i))->platform;
        if (first && platform && !g_str_equal(first, platform))
            return TRUE;
        first = platform ? platform : first;
    }
    return FALSE;
}

char *progress_stage(struct progress *p, const struct step *s)
{
    gboolean alone = s->stage && g_ascii_isdigit(*s->stage);
    for (guint i = 0; i < p->steps->len && alone; i++) {
        const struct step *other = g_ptr_array_index(p->steps, i);
        alone = g_strcmp0(other->build, s->build) != 0 || g_strcmp0(other->stage, s->stage) == 0;
    }
    return event_step_label(s->build, has_platforms(p) ? s->platform : NULL,
                            alone ? NULL : s->stage);
}

static struct step *new_step(struct progress *p, const struct event *ev)
{
    struct step *s = g_new0(struct step, 1);
    s->vertex = ev->vertex;
    s->name = text_fit(ev->name ? ev->name : "", 4000);
    s->stage = g_strdup(ev->stage);
    s->build = g_strdup(ev->build);
    s->platform = g_strdup(ev->platform);
    s->level = g_strdup(ev->level);
    s->id = ev->id ? digest_text(ev->id) : NULL;
    s->inputs = g_memdup2(ev->inputs, ev->n_inputs * sizeof *ev->inputs);
    s->n_inputs = ev->n_inputs;
    s->tail = g_string_new(NULL);
    s->line = g_string_new(NULL);
    g_ptr_array_add(p->steps, s);
    return s;
}

static void keep_tail(struct step *s, const struct event *ev)
{
    g_string_append_len(s->tail, ev->bytes, ev->n_bytes);
    if (s->tail->len > 2 * TAIL_BYTES)
        g_string_erase(s->tail, 0, s->tail->len - TAIL_BYTES);
}

struct transfer *progress_transfer(struct progress *p, const struct event *ev)
{
    for (guint i = 0; i < p->transfers->len; i++) {
        struct transfer *t = g_ptr_array_index(p->transfers, i);
        if (t->vertex == ev->vertex && g_strcmp0(t->name, ev->name) == 0)
            return t;
    }
    return NULL;
}

static void note_transfer(struct progress *p, const struct event *ev)
{
    struct transfer *t = progress_transfer(p, ev);
    if (!t) {
        t = g_new0(struct transfer, 1);
        t->name = g_strdup(ev->name);
        t->started_us = t->told_us = ev->time_us;
        t->vertex = ev->vertex;
        g_ptr_array_add(p->transfers, t);
    }
    t->current = ev->current;
    t->target = ev->target;
    t->finished = ev->finished;
}

static void note_done(struct progress *p, struct step *s, const struct event *ev)
{
    s->state = STEP_DONE;
    s->outcome = ev->outcome;
    s->ended_us = ev->time_us;
    s->duration_us = ev->duration_us;
    s->layer_bytes = ev->layer_bytes;
    s->cpu_us = ev->cpu_us;
    s->memory_peak = ev->memory_peak;
    g_free(s->why);
    s->why = g_strdup(ev->text);
    p->done++;
}

static void note_event(struct progress *p, const struct event *ev, struct step **step)
{
    struct step *s = ev->type == EVENT_VERTEX ? new_step(p, ev) : progress_step(p, ev->vertex);
    *step = s;
    if (ev->type == EVENT_PLAN)
        p->total = ev->total;
    if (ev->type == EVENT_TRANSFER)
        note_transfer(p, ev);
    if (!s)
        return;
    if (ev->type == EVENT_START) {
        s->state = STEP_RUNNING;
        s->started_us = ev->time_us;
        g_free(s->why);
        s->why = g_strdup(ev->text);
    }
    if (ev->type == EVENT_LOG)
        keep_tail(s, ev);
    if (ev->type == EVENT_DONE)
        note_done(p, s, ev);
}

static void progress_emit(struct event_sink *self, const struct event *ev)
{
    struct progress *p = (struct progress *)self;
    struct event shown = *ev;
    /* Warnings may speak of what images and Dockerfiles made up. */
    gboolean message = ev->type == EVENT_WARNING || ev->type == EVENT_NOTE;
    g_autofree char *plain = message && ev->text ? text_without_escapes(ev->text) : NULL;
    g_autofree char *text = plain ? text_fit(plain, WARNING_COLUMNS) : NULL;
    shown.text = text ? text : ev->text;
    g_mutex_lock(&p->lock);
    if (!p->ended) {
        struct step *s;
        note_event(p, &shown, &s);
        p->view->event(p, &shown, s);
    }
    g_mutex_unlock(&p->lock);
}

static gpointer tick(gpointer data)
{
    struct progress *p = data;
    g_mutex_lock(&p->lock);
    while (!p->ended) {
        g_cond_wait_until(&p->wake, &p->lock, g_get_monotonic_time() + TICK_US);
        if (!p->ended)
            tty_draw(p);
    }
    g_mutex_unlock(&p->lock);
    return NULL;
}

static enum progress_mode choose_mode(FILE *out, enum progress_mode mode)
{
    const char *term = g_getenv("TERM");
    if (mode != PROGRESS_AUTO)
        return mode;
    return isatty(fileno(out)) && term && !g_str_equal(term, "dumb") ? PROGRESS_TTY
                                                                     : PROGRESS_PLAIN;
}

struct progress *progress_new(FILE *out, enum progress_mode mode, const char *title)
{
    static const struct view *const views[] = {[PROGRESS_TTY] = &view_tty,
                                               [PROGRESS_PLAIN] = &view_plain,
                                               [PROGRESS_QUIET] = &view_quiet,
                                               [PROGRESS_RAWJSON] = &view_rawjson};
    struct progress *p = g_new0(struct progress, 1);
    p->sink.emit = progress_emit;
    p->out = out;
    p->mode = choose_mode(out, mode);
    p->view = views[p->mode];
    p->title = g_strdup(title);
    p->colours = text_colours(out);
    p->started_us = g_get_real_time();
    g_mutex_init(&p->lock);
    g_cond_init(&p->wake);
    p->steps = g_ptr_array_new_with_free_func(step_free);
    p->warnings = g_string_new(NULL);
    p->transfers = g_ptr_array_new_with_free_func(transfer_free);
    p->drawn = g_array_new(FALSE, FALSE, sizeof(int));
    return p;
}

void progress_put_message(struct progress *p, const struct event *ev)
{
    gboolean note = ev->type == EVENT_NOTE;
    const char *tag = note ? "note:" : "warning:";
    g_autofree char *shown = text_styled(tag, note ? STYLE_DIM : STYLE_YELLOW, p->colours);
    g_autofree char *text = text_without_escapes(ev->text);
    g_autofree char *line = g_strdup_printf("%s %s", tag, text);
    g_autofree char *fit = text_wrap_message(line, text_columns(p->out));
    fprintf(p->out, "%s%s\n", shown, fit + strlen(tag));
    fflush(p->out);
}

struct event_sink *progress_sink(struct progress *p)
{
    return &p->sink;
}

/* The ticker starts with the first step that runs: a build without any shows no live view. */
void progress_start_ticker(struct progress *p)
{
    if (!p->ticker && p->view->ticks)
        p->ticker = g_thread_new("progress", tick, p);
}

void progress_findings(struct progress *p, const struct lint_report *r, const struct diags *d)
{
    g_mutex_lock(&p->lock);
    if (p->view->findings && r->findings->len > 0)
        p->view->findings(p, r, d);
    g_mutex_unlock(&p->lock);
}

void progress_finish(struct progress *p)
{
    g_mutex_lock(&p->lock);
    gboolean first = !p->ended;
    p->ended = TRUE;
    g_cond_broadcast(&p->wake);
    g_mutex_unlock(&p->lock);
    if (p->ticker)
        g_thread_join(g_steal_pointer(&p->ticker));
    if (first && p->view->finish)
        p->view->finish(p);
    fputs(p->warnings->str, p->out);
    g_string_truncate(p->warnings, 0);
    fflush(p->out);
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    progress_finish(p);
    g_ptr_array_unref(p->steps);
    g_ptr_array_unref(p->transfers);
    g_array_unref(p->drawn);
    g_string_free(p->warnings, TRUE);
    g_mutex_clear(&p->lock);
    g_cond_clear(&p->wake);
    g_free(p->title);
    g_free(p);
}
