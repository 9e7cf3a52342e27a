#include "cli/build.h"

#include "base/error.h"
#include "base/fs.h"
#include "cli/report.h"
#include "ui/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define TAIL_LINES 12

static const struct vertex *vertex_at(const struct build *b, guint i)
{
    return g_ptr_array_index(b->lowered->graph->vertices, i);
}

/* A step that the user wrote and this build needed; NULL otherwise. */
static const struct vertex_result *step_result(const struct build *b, guint i)
{
    const struct vertex *v = vertex_at(b, i);
    const struct vertex_result *r = solver_result(b->solver, v);
    return r->needed && !v->meta.internal ? r : NULL;
}

void build_count_steps(const struct build *b, int *ran, int *cached)
{
    *ran = *cached = 0;
    for (guint i = 0; b->solver && i < b->lowered->graph->vertices->len; i++) {
        const struct vertex_result *r = step_result(b, i);
        if (!r || !r->done)
            continue;
        if (r->outcome == OUTCOME_RAN)
            (*ran)++;
        else if (r->outcome == OUTCOME_CACHED || r->outcome == OUTCOME_CUT)
            (*cached)++;
    }
}

static const char *display_name(const struct build *b)
{
    return b->o->raw_tags ? b->o->raw_tags[0] : b->row.name;
}

static char *short_digest(const struct build *b)
{
    char hex[DIGEST_HEX_LEN + 1];
    if (!b->image->has_config)
        return g_strdup("");
    digest_hex(&b->image->config, hex);
    return g_strdup_printf("   sha256:%.12s", hex);
}

static void print_up_to_date(struct build *b, int cached)
{
    g_autofree char *took = text_duration(g_get_monotonic_time() - b->started_us);
    g_autofree char *digest = short_digest(b);
    fprintf(stderr, "%s is up to date (%d step%s cached, %s)%s\n", display_name(b), cached,
            cached == 1 ? "" : "s", took, digest);
}

static guint64 new_bytes(const struct build *b)
{
    guint64 sum = 0;
    for (guint i = 0; i < b->lowered->graph->vertices->len; i++) {
        const struct vertex_result *r = step_result(b, i);
        if (r && r->done && r->outcome == OUTCOME_RAN && vertex_at(b, i)->op.type != OP_SOURCE)
            sum += r->layer_bytes;
    }
    return sum;
}

/* One line where it fits, else two. */
static void print_ready(struct build *b, int ran, int cached)
{
    g_autofree char *took = text_duration(g_get_monotonic_time() - b->started_us);
    g_autofree char *size = text_size(b->image->tree_bytes);
    g_autofree char *fresh = text_size(new_bytes(b));
    g_autofree char *digest = short_digest(b);
    g_autofree char *head =
        g_strdup_printf("%s ready in %s   %d step%s ran, %d cached", display_name(b), took, ran,
                        ran == 1 ? "" : "s", cached);
    g_autofree char *rest = g_strdup_printf("%s in %u layer%s, %s new%s", size, b->chain->n,
                                            b->chain->n == 1 ? "" : "s", fresh, digest);
    int columns = text_columns(stderr);
    gboolean fits = columns == 0 || text_width(head) + 3 + text_width(rest) < columns;
    fprintf(stderr, "%s%s%s\n", head, fits ? "   " : "\n", rest);
}

/* The slowest step and what hits saved. */
static void print_times(struct build *b)
{
    const struct vertex *slowest = NULL;
    gint64 longest = 0, saved = 0;
    for (guint i = 0; i < b->lowered->graph->vertices->len; i++) {
        const struct vertex_result *r = step_result(b, i);
        if (!r || !r->done)
            continue;
        saved += r->outcome == OUTCOME_RAN ? 0 : r->saved_us;
        if (r->outcome == OUTCOME_RAN && r->duration_us > longest) {
            longest = r->duration_us;
            slowest = vertex_at(b, i);
        }
    }
    if (!slowest || longest < G_USEC_PER_SEC / 10)
        return;
    g_autofree char *time = text_duration(longest);
    g_autofree char *name = text_fit(slowest->meta.name, 60);
    g_autofree char *gain = text_duration(saved);
    if (saved >= G_USEC_PER_SEC)
        fprintf(stderr, "slowest: %s %s · saved by the cache about %s\n", name, time, gain);
    else
        fprintf(stderr, "slowest: %s %s\n", name, time);
}

static void print_pushes(struct build *b)
{
    for (guint i = 0; i < b->results->len; i++) {
        const struct output *o = g_ptr_array_index(b->o->outputs, i);
        const struct output_result *r = &g_array_index(b->results, struct output_result, i);
        if (!o->push)
            continue;
        g_autofree char *sent = text_size(r->push.bytes_sent);
        g_autofree char *digest = digest_text(&r->digest);
        fprintf(stderr, "pushed %s: %s sent, %u layers were there   %s\n", display_name(b), sent,
                r->push.blobs_there + r->push.blobs_mounted, digest);
    }
}

/* What the checks found, on one line. */
static void print_warnings(struct build *b)
{
    guint n = b->lint ? b->lint->n_findings : 0;
    if (n == 0)
        return;
    g_autofree char *rules = lint_report_rules(b->lint);
    fprintf(stderr, "%u warning%s: %s   (varve build --check shows them)\n", n, n == 1 ? "" : "s",
            rules);
}

static void print_next(struct build *b)
{
    const char *name = display_name(b);
    if (b->o->raw_tags)
        fprintf(stderr, "next: varve run %s · varve push %s · varve layers %s\n", name, name, name);
    else if (b->image->has_config)
        fprintf(stderr, "next: name it with -t NAME to run, push or inspect it\n");
}

/* One line for each step that did not hit: cut, run and why; the hits are counted. */
static void print_explanations(struct build *b)
{
    static const char *const words[] = {[OUTCOME_RAN] = "run",
                                        [OUTCOME_CACHED] = "hit",
                                        [OUTCOME_CUT] = "cut",
                                        [OUTCOME_FAILED] = "fail",
                                        [OUTCOME_CANCELLED] = "stop"};
    int hits = 0;
    for (guint i = 0; b->solver && i < b->lowered->graph->vertices->len; i++) {
        const struct vertex_result *r = step_result(b, i);
        if (!r || !r->done)
            continue;
        if (r->outcome == OUTCOME_CACHED) {
            hits++;
            continue;
        }
        g_autofree char *name = text_fit(vertex_at(b, i)->meta.name, 38);
        g_autofree char *why = text_fit(r->why ? r->why : "", 200);
        fprintf(stderr, "%-4s %s%*s %s\n", words[r->outcome], name, 38 - text_width(name), "", why);
    }
    if (hits > 0)
        fprintf(stderr, "hit  %d other step%s\n", hits, hits == 1 ? "" : "s");
}

void build_report_success(struct build *b)
{
    int ran, cached;
    progress_finish(b->progress);
    if (b->o->explain)
        print_explanations(b);
    if (b->o->progress == PROGRESS_QUIET) {
        g_autofree char *id = digest_text(&b->image->config);
        if (b->o->quiet && b->image->has_config)
            printf("%s\n", id);
        return;
    }
    if (b->o->progress == PROGRESS_RAWJSON)
        return;
    build_count_steps(b, &ran, &cached);
    if (ran == 0) {
        print_up_to_date(b, cached);
        print_pushes(b);
        return;
    }
    print_ready(b, ran, cached);
    print_times(b);
    print_pushes(b);
    print_warnings(b);
    report_single_id();
    print_next(b);
}

/* The step's lines of the Dockerfile: the first with a caret. */
static void print_source(struct build *b, const struct vertex *v)
{
    if (v->meta.line == 0)
        return;
    struct diag at = {DIAG_ERROR, {v->meta.line, 1, 1}, (char *)v->meta.name, NULL};
    const struct instruction *ins = NULL;
    for (guint i = 0; i < b->df->n_instructions; i++)
        if (b->df->instructions[i]->first_line == (guint)v->meta.line)
            ins = b->df->instructions[i];
    if (ins)
        at.span = ins->span;
    g_autofree char *text = diag_render(
        b->diags, &at, DIAG_RENDER_CONTEXT | (text_colours(stderr) ? DIAG_RENDER_COLOR : 0));
    const char *rest = strchr(text, '\n');
    fprintf(stderr, "  %s:%d\n%s", b->df->name, v->meta.line, rest ? rest + 1 : "");
}

static void print_log_tail(struct build *b, const struct vertex *v)
{
    g_autofree char *tail = progress_log_tail(b->progress, v->number, TAIL_LINES);
    if (!tail || !*tail)
        return;
    fprintf(stderr, "  the end of its log (all of it: varve logs %" G_GINT64_FORMAT " --step %d)\n",
            b->row.id, v->number);
    g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);
    for (char **l = lines; *l; l++) {
        g_autofree char *text = text_without_escapes(*l);
        g_autofree char *shown = text_fit(text, 400);
        if (**l || l[1])
            fprintf(stderr, "   │ %s\n", shown);
    }
}

/* A known cause of failure: how its log reads or how its program ended, and what to do. */
struct cause {
    const char *log; /* a part of the log; NULL: the exit code decides alone */
    int exit_code;   /* 0: any */
    const char *hint;
};
#define TLS_HINT                                                                                   \
    "this network intercepts TLS. --host-ca makes this host's certificates usable inside RUN."
#define FORMAT_HINT                                                                                \
    "the program is not made for this platform, or a script lacks its #! line. --platform, or "    \
    "the "                                                                                         \
    "right file, helps."

/* The first that fits is shown. */
static const struct cause causes[] = {
    {"SELF_SIGNED_CERT_IN_CHAIN", 0, TLS_HINT},
    {"UNABLE_TO_GET_ISSUER_CERT", 0, TLS_HINT},
    {"self-signed certificate in certificate chain", 0, TLS_HINT},
    {"unable to get local issuer certificate", 0, TLS_HINT},
    {"CERTIFICATE_VERIFY_FAILED", 0, TLS_HINT},
    {"No space left on device", 0,
     "a disk or a tmpfs is full. varve du shows what the store holds; varve prune makes room."},
    {"xec format error", 0, FORMAT_HINT},
    {NULL, 137,
     "it was killed, most often because memory ran out. A higher --memory, or a host with more, "
     "helps."},
    {NULL, 127,
     "the program is not in this image. Install it in an earlier step, or mend its name or PATH."},
    {"ermission denied", 126,
     "the file may not be executed. COPY --chmod=755 or RUN chmod +x makes it a program."},
};

static gboolean cause_fits(const struct cause *c, const char *log, int exit_code)
{
    return (c->exit_code == 0 || c->exit_code == exit_code) && (!c->log || strstr(log, c->log));
}

/* What a failing log and the exit code say about the cause, as far as it is known. */
static void print_hint(struct build *b, const struct vertex *v)
{
    g_autofree char *tail = progress_log_tail(b->progress, v->number, 200);
    int exit_code = solver_result(b->solver, v)->exit_code;
    for (guint i = 0; i < G_N_ELEMENTS(causes); i++) {
        const struct cause *c = &causes[i];
        if (!cause_fits(c, tail ? tail : "", exit_code))
            continue;
        if (!b->o->host_ca || !g_str_equal(c->hint, TLS_HINT))
            fprintf(stderr, "hint: %s\n", c->hint);
        return;
    }
}

static void print_kept(struct build *b)
{
    int ran, cached;
    gint64 worth = 0;
    build_count_steps(b, &ran, &cached);
    for (guint i = 0; i < b->lowered->graph->vertices->len; i++) {
        const struct vertex_result *r = step_result(b, i);
        if (r && r->done && r->outcome == OUTCOME_RAN)
            worth += r->duration_us;
    }
    if (ran == 0)
        return;
    g_autofree char *time = text_duration(worth);
    fprintf(stderr, "kept: %d finished step%s (%s of work); the next build starts from there.\n",
            ran, ran == 1 ? "" : "s", time);
}

static int report_failed_step(struct build *b, const GError *err, const struct vertex *v)
{
    const struct vertex_result *r = solver_result(b->solver, v);
    g_autofree char *took = text_duration(r->duration_us);
    GError *shown = g_error_copy(err);
    if (r->exit_code != 0) {
        g_autofree char *name = text_fit(v->meta.name, 100);
        g_free(shown->message);
        gboolean full = g_error_matches(err, VARVE_ERROR, VARVE_ERROR_OUTSIDE);
        const char *next = strstr(err->message, "\nnext: ");
        shown->message =
            g_strdup_printf("%s failed with exit code %d%s   (stage %s, after %s)%s", name,
                            r->exit_code, full ? ": the store's disk is full" : "",
                            v->meta.stage ? v->meta.stage : "-", took, next ? next : "");
    }
    int code = report_error(shown);
    g_error_free(shown);
    print_source(b, v);
    print_log_tail(b, v);
    print_hint(b, v);
    report_single_id();
    print_kept(b);
    return code;
}

int build_report_failure(struct build *b, const GError *err)
{
    if (b->progress)
        progress_finish(b->progress);
    if (b->lint && b->lint->error)
        build_print_findings(b, stderr);
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
