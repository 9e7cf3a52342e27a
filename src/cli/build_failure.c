/* What the user sees of a build that failed. */
#include "cli/build.h"

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
static void print_source(struct build *b, const struct vertex *v)
{
    if (v->meta.line == 0)
        return;
    struct diag at = {DIAG_ERROR, {v->meta.line, 1, 1}, (char *)v->meta.name, NULL};
    const struct instruction *ins = NULL;
    for (guint i = 0; i < b->df->n_instructions; i++)
        if (b->df->instructions[i]->first_line == (guint)v->meta.line)
            ins = b->df->instructions[i];
    if (ins) {
        at.span = ins->span;
        at.last_line = ins->last_line;
        at.max_lines = affordable(SOURCE_LINES, 3);
    }
    g_autofree char *text = diag_render(
        b->diags, &at, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
    const char *rest = strchr(text, '\n');
    fprintf(stderr, "  %s:%d\n%s", b->df->name, v->meta.line, rest ? rest + 1 : "");
}

static void print_log_tail(struct build *b, const struct vertex *v)
{
    g_autofree char *tail = progress_log_tail(b->progress, v->number, affordable(TAIL_LINES, 2));
    if (!tail || !*tail)
        return;
    fprintf(stderr, "  the end of its log (all of it: varve logs %" G_GINT64_FORMAT " --step %d)\n",
            b->row.id, solver_result(b->solver, v)->step);
    int columns = text_columns(stderr);
    g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);
    for (char **l = lines; *l; l++) {
        g_autofree char *text = text_without_escapes(*l);
        g_autofree char *shown = text_fit(text, columns > 0 ? MAX(10, columns - 6) : 400);
        if (**l || l[1])
            fprintf(stderr, "   │ %s\n", shown);
    }
}

static void print_kept(struct build *b)
{
    int ran, cached;
    gint64 worth = 0;
    build_count_steps(b, &ran, &cached);
    for (guint i = 0; i < b->lowered->graph->vertices->len; i++) {
        const struct vertex_result *r = build_step_result(b, i);
        if (r && r->done && r->outcome == OUTCOME_RAN)
            worth += r->duration_us;
    }
    if (ran == 0)
        return;
    g_autofree char *time = text_duration(worth);
    fprintf(stderr, "kept: %d finished step%s (%s of work); the next build starts from there.\n",
            ran, ran == 1 ? "" : "s", time);
}

/* A step whose program failed. */
static void print_failed_program(struct build *b, const GError *err, const struct vertex *v)
{
    const struct vertex_result *r = solver_result(b->solver, v);
    g_autofree char *took = text_duration(r->duration_us);
    g_autofree char *command = text_command(v->meta.name);
    g_autofree char *name = text_fit(command, 100);
    gboolean full = g_error_matches(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
    const char *next = strstr(err->message, "\nnext: ");
    GError *shown = g_error_copy(err);
    g_free(shown->message);
    g_autofree char *label = build_stage_label(b, v);
    gboolean named = label && !g_ascii_isdigit(*v->meta.stage);
    g_autofree char *stage =
        label ? g_strdup_printf("%s%s, ", named ? "stage " : "", label) : g_strdup("");
    shown->message =
        g_strdup_printf("%s failed with exit code %d%s   (%safter %s)%s", name, r->exit_code,
                        full ? ": the store's disk is full" : "", stage, took, next ? next : "");
    report_error(shown);
    g_error_free(shown);
    print_source(b, v);
    print_log_tail(b, v);
    build_print_hint(b, v);
}

/* A step that could not be done: its place in the Dockerfile comes first, as with what is wrong
 * there. */
static void print_failed_step(struct build *b, const GError *err, const struct vertex *v)
{
    GError *shown = g_error_copy(err);
    struct span at = build_explain_missing(b, v, &shown);
    if (at.line == 0) {
        report_error(shown);
        g_error_free(shown);
        return;
    }
    char *next = strstr(shown->message, "\nnext: ");
    g_autofree char *what =
        next ? g_strndup(shown->message, next - shown->message) : g_strdup(shown->message);
    struct diag d = {DIAG_ERROR, at, what, NULL};
    g_autofree char *text = diag_render(
        b->diags, &d, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
    fputs(text, stderr);
    if (next)
        report_next(next + strlen("\nnext: "));
    print_log_tail(b, v);
    g_error_free(shown);
}

static int report_failed_step(struct build *b, const GError *err, const struct vertex *v)
{
    if (solver_result(b->solver, v)->exit_code != 0)
        print_failed_program(b, err, v);
    else
        print_failed_step(b, err, v);
    report_single_id();
    print_kept(b);
    return varve_error_exit_code(err);
}

int build_report_failure(struct build *b, const GError *err)
{
    if (b->progress)
        progress_finish(b->progress);
    build_lint_failed(b);
    if (b->lint && b->lint->error)
        build_print_findings(b, stderr);
    else if (!g_error_matches(err, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        build_print_warnings(b);
    if (b->diags && diags_has_errors(b->diags)) {
        g_autofree char *text = diags_render(
            b->diags, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
        fputs(text, stderr);
        fprintf(stderr, "%u error%s; nothing was run.\n", b->diags->n_errors,
                b->diags->n_errors == 1 ? "" : "s");
        return varve_error_exit_code(err);
    }
    if (g_error_matches(err, VARVE_ERROR, VARVE_ERROR_CANCELLED)) {
        fprintf(stderr, "interrupted; finished steps are kept\n");
        return 130;
    }
    struct vertex *failed = b->solver ? solver_failed(b->solver) : NULL;
    return failed ? report_failed_step(b, err, failed) : report_error(err);
}
