/* What the user sees of a build that failed. */
#include "cli/build_shown.h"

#include "base/error.h"
#include "cli/report.h"
#include "ui/text.h"

#include <stdio.h>
#include <string.h>

#define TAIL_LINES 12   /* of the log, at most */
#define SOURCE_LINES 10 /* of the instruction, likewise */
#define OTHER_ROWS 10   /* that the rest of the report takes, about */

/* How many of most lines a report may have so that it fits the window it is shown in. */
static int affordable(int most, int share)
{
    int rows = text_rows(stderr);
    return rows > 0 ? CLAMP((rows - OTHER_ROWS) / share, 3, most) : most;
}

/* The step's lines of the Dockerfile. */
static void print_source(const struct shown_build *b, const struct vertex *v)
{
    if (v->meta.line == 0)
        return;
    /* The message stands above already; here it could take several lines of a narrow window. */
    struct diag at = {DIAG_ERROR, {v->meta.line, 1, 1}, (char *)"", NULL};
    const struct instruction *ins = NULL;
    for (guint i = 0; i < b->res->df->n_instructions; i++)
        if (b->res->df->instructions[i]->first_line == (guint)v->meta.line)
            ins = b->res->df->instructions[i];
    if (ins) {
        at.span = ins->span;
        at.last_line = ins->last_line;
        at.max_lines = affordable(SOURCE_LINES, 3);
    }
    g_autofree char *text = diag_render(
        b->res->diags, &at, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
    const char *rest = strchr(text, '\n');
    fprintf(stderr, "  %s:%d\n%s", b->res->df->name, v->meta.line, rest ? rest + 1 : "");
}

static void print_log_tail(struct shown_build *b, const struct build_step *s)
{
    g_autofree char *tail = build_log_tail(b->build, s, affordable(TAIL_LINES, 2));
    if (!*tail)
        return;
    fprintf(stderr, "  the end of its log (all of it: varve logs %" G_GINT64_FORMAT " --step %d)\n",
            b->res->id, s->result->step);
    int columns = text_columns(stderr);
    g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);
    for (char **l = lines; *l; l++) {
        g_autofree char *text = text_without_escapes(*l);
        g_autofree char *shown = text_fit(text, columns > 0 ? MAX(10, columns - 6) : 400);
        if (**l || l[1])
            fprintf(stderr, "   │ %s\n", shown);
    }
}

static void print_kept(const struct build_result *r)
{
    gint64 worth = 0;
    for (guint i = 0; i < r->steps->len; i++) {
        const struct build_step *s = g_ptr_array_index(r->steps, i);
        if (s->result->done && s->result->outcome == OUTCOME_RAN)
            worth += s->result->duration_us;
    }
    if (r->ran == 0)
        return;
    g_autofree char *time = text_duration(worth);
    fprintf(stderr, "kept: %d finished step%s (%s of work); the next build starts from there.\n",
            r->ran, r->ran == 1 ? "" : "s", time);
}

/* A step whose program failed. */
static void print_failed_program(struct shown_build *b, const GError *err)
{
    const struct build_step *s = b->res->failure->step;
    const struct vertex *v = s->vertex;
    const struct vertex_result *r = s->result;
    g_autofree char *took = text_duration(r->duration_us);
    g_autofree char *command = text_command(v->meta.name);
    g_autofree char *name = text_fit(command, 100);
    gboolean full = g_error_matches(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    const char *label = s->stage;
    gboolean named = label && !g_ascii_isdigit(*v->meta.stage);
    g_autofree char *stage =
        label ? g_strdup_printf("%s%s, ", named ? "stage " : "", label) : g_strdup("");
    g_autoptr(GError) shown = NULL;
    error_set(&shown, VARVE_ERROR_FAILED, "%s failed with exit code %d%s   (%safter %s)", name,
              r->exit_code, full ? ": the store's disk is full" : "", stage, took);
    error_copy_next(&shown, err);
    report_error(shown);
    print_source(b, v);
    print_log_tail(b, s);
    if (b->res->failure->hint)
        fprintf(stderr, "hint: %s\n", b->res->failure->hint);
}

/* A step that could not be done: its place in the Dockerfile comes first, as with what is wrong
 * there. */
static void print_failed_step(struct shown_build *b)
{
    const struct build_failure *f = b->res->failure;
    const GError *shown = f->error;
    if (f->place.line == 0) {
        report_error(shown);
        return;
    }
    g_autofree char *platform =
        graph_has_platforms(b->res->graph) ? vertex_platform_text(f->step->vertex) : NULL;
    g_autofree char *message = platform ? g_strdup_printf("%s   (%s)", shown->message, platform)
                                        : g_strdup(shown->message);
    g_autofree char *what = report_safe(message);
    struct diag d = {DIAG_ERROR, f->place, what, NULL};
    g_autofree char *text = diag_render(
        b->res->diags, &d, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
    fputs(text, stderr);
    report_next(shown);
    print_log_tail(b, f->step);
}

static int report_failed_step(struct shown_build *b, const GError *err)
{
    if (b->res->failure->step->result->exit_code != 0)
        print_failed_program(b, err);
    else
        print_failed_step(b);
    report_single_id();
    print_kept(b->res);
    return varve_error_exit_code(err);
}

int build_report_failure(struct shown_build *b, const GError *err)
{
    progress_finish(b->progress);
    build_check_failed(b->build);
    if (b->res->diags)
        b->res->diags->columns = (guint)text_columns(stderr);
    if (b->res->lint && b->res->lint->error)
        build_print_findings(b, stderr);
    else if (!g_error_matches(err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        build_print_warnings(b);
    if (b->res->diags && diags_has_errors(b->res->diags)) {
        g_autofree char *text = diags_render(
            b->res->diags, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
        fputs(text, stderr);
        g_autofree char *platform = b->res->wrong ? platform_text(&b->res->wrong->platform) : NULL;
        fprintf(stderr, "%u error%s%s%s; nothing was run.\n", b->res->diags->n_errors,
                b->res->diags->n_errors == 1 ? "" : "s", platform ? " for " : "",
                platform ? platform : "");
        return varve_error_exit_code(err);
    }
    if (g_error_matches(err, VARVE_ERROR, VARVE_ERROR_CANCELLED)) {
        fprintf(stderr, "interrupted; finished steps are kept\n");
        return 130;
    }
    return b->res->failure ? report_failed_step(b, err) : report_error(err);
}
