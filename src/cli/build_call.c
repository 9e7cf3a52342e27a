/* varve build --call and --check: what a Dockerfile says, instead of a build. */
#include "cli/build.h"

#include "base/error.h"
#include "cli/report.h"
#include "cli/shared.h"
#include "lint/dump.h"
#include "ui/text.h"

#define EXIT_GATE 3

gboolean build_parse_call(struct build_options *o, GError **err)
{
    static const struct {
        const char *name;
        enum build_call call;
    } calls[] = {{"build", CALL_BUILD},
                 {"check", CALL_CHECK},
                 {"lint", CALL_CHECK},
                 {"outline", CALL_OUTLINE},
                 {"targets", CALL_TARGETS}};
    g_auto(GStrv) parts = g_strsplit(o->raw_call ? o->raw_call
                                     : o->check  ? "check"
                                                 : "build",
                                     ",", 3);
    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        if (g_strcmp0(parts[0], calls[i].name) != 0)
            continue;
        o->call = calls[i].call;
        if (parts[0] && parts[1])
            o->call_json = g_str_equal(parts[1], "format=json");
        if (parts[1] && (parts[2] || (!o->call_json && !g_str_equal(parts[1], "format=text"))))
            break;
        return TRUE;
    }
    return error_set(
        err, VARVE_ERROR_USAGE,
        "--call=%s: not build, check, outline or targets, each with ,format=json where wanted",
        o->raw_call ? o->raw_call : "");
}

static struct lint_options lint_options_for(const struct build *b)
{
    struct lint_options l = {.build_args = b->o->build_args,
                             .ignore = b->ignore,
                             .platform = b->o->platform,
                             .target = b->o->target,
                             .all_stages = b->o->call == CALL_CHECK && !b->o->target,
                             .bases = b->lowered ? b->lowered->bases : NULL};
    platform_host(&l.build_platform);
    return l;
}

static struct lint_report *lint_build(const struct build *b, GError **err)
{
    struct lint_options l = lint_options_for(b);
    return lint_run(b->df, &l, err);
}

/* The line on which the first instruction with an error begins. */
static guint first_wrong_line(const struct build *b)
{
    guint wrong = G_MAXUINT, begin = 1;
    for (guint i = 0; i < b->diags->items->len; i++) {
        const struct diag *d = g_ptr_array_index(b->diags->items, i);
        if (d->severity == DIAG_ERROR)
            wrong = MIN(wrong, d->span.line);
    }
    for (guint i = 0; i < b->df->n_instructions; i++)
        if (b->df->instructions[i]->first_line <= wrong)
            begin = b->df->instructions[i]->first_line;
    return MIN(begin, wrong);
}

/* The file up to the first instruction with an error, or NULL when that is no file. */
static struct dockerfile *sound_part(const struct build *b)
{
    gsize len;
    const char *text = g_bytes_get_data(b->diags->source, &len), *end = text, *nl;
    for (guint line = first_wrong_line(b); line > 1 && (nl = memchr(end, '\n', text + len - end));
         line--)
        end = nl + 1;
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(text, end - text, b->df->name, d);
    return df && !diags_has_errors(d) ? g_steal_pointer(&df) : NULL;
}

/* Checks what can be checked of a file that cannot be built. */
static void lint_wrong(struct build *b)
{
    g_autoptr(dockerfile) part = b->df && !b->parsed ? sound_part(b) : NULL;
    struct lint_options l = lint_options_for(b);
    const struct dockerfile *df = b->parsed ? b->df : part;
    b->lint = df ? lint_run(df, &l, NULL) : NULL;
}

void build_lint_failed(struct build *b)
{
    if (b->lint || !b->parsed || b->o->call != CALL_BUILD)
        return;
    lint_wrong(b);
    if (b->lint && b->progress)
        progress_findings(b->progress, b->lint, b->diags);
}

/* "lint violation found for rules: …", newly allocated. */
static char *violation_text(const struct build *b)
{
    g_autofree char *rules = lint_report_rules(b->lint);
    return g_strconcat("lint violation found for rules: ", rules, NULL);
}

gboolean build_lint(struct build *b, GError **err)
{
    b->lint = lint_build(b, err);
    if (b->lint)
        progress_findings(b->progress, b->lint, b->diags);
    if (!b->lint || !b->lint->error)
        return b->lint != NULL;
    g_autofree char *text = violation_text(b);
    error_set(err, VARVE_ERROR_INVALID, "%s; nothing was run", text);
    error_add_next(err,
                   "varve build --check shows them; the file asks for this with check=error=true");
    return FALSE;
}

void build_print_findings(struct build *b, FILE *f)
{
    guint flags = text_colours(f) ? DIAG_RENDER_COLOR : 0;
    for (guint i = 0; i < b->lint->findings->len; i++) {
        const struct lint_finding *x = g_ptr_array_index(b->lint->findings, i);
        g_autofree char *message = g_strdup_printf("%s [%s]", x->message, lint_rule_name(x->rule));
        struct diag d = {b->lint->error ? DIAG_ERROR : DIAG_WARNING, x->span, message, NULL};
        g_autofree char *text = diag_render(b->diags, &d, flags);
        fputs(text, f);
    }
    guint hidden = b->lint->n_findings - b->lint->findings->len;
    if (hidden > 0)
        fprintf(f, "… and %u more\n", hidden);
}

static void print_verdict(struct build *b)
{
    guint n = b->lint->n_findings;
    g_autofree char *rules = lint_report_rules(b->lint);
    if (n == 0)
        printf("%s: nothing found (%u rules)\n", b->df->name, lint_rules_count());
    else
        printf("%u finding%s: %s\n", n, n == 1 ? "" : "s", rules);
    if (n > 0)
        print_next(
            "fix them, or silence a rule with \"# check=skip=RULE\" as the file's first line");
}

/* Errors of the file come first, as in a build. Where only the outside is in the way, what the file
 * alone tells is still checked. */
static gboolean prepare_check(struct build *b, GError **err)
{
    GError *why = NULL;
    if (build_prepare(b, &why))
        return TRUE;
    if (!b->df || b->diags->n_outside == 0 || b->diags->n_outside < b->diags->n_errors) {
        g_propagate_error(err, why);
        return FALSE;
    }
    g_error_free(why);
    report_warning(
        "base images could not be looked up; rules that need them were left out where they do");
    return TRUE;
}

static void print_findings_json(const struct build *b)
{
    const struct lint_finding *first =
        b->lint->error ? g_ptr_array_index(b->lint->findings, 0) : NULL;
    g_autofree char *text = first ? violation_text(b) : NULL;
    struct diag error = {DIAG_ERROR, first ? first->span : (struct span){0}, text, NULL};
    print_json(lint_report_json(b->lint, b->df, b->diags, first ? &error : NULL), TRUE);
}

/* A file that cannot be built: tools get its first error, people all of them on stderr. */
static void print_wrong(struct build *b)
{
    if (!b->diags || !b->diags->source || b->diags->items->len == 0)
        return;
    lint_wrong(b);
    if (b->o->call_json)
        print_json(
            lint_report_json(b->lint, b->df, b->diags, g_ptr_array_index(b->diags->items, 0)),
            TRUE);
    else if (b->lint)
        build_print_findings(b, stdout);
}

static int call_check(struct build *b, GError **err)
{
    gboolean ready = prepare_check(b, err);
    if (!ready)
        print_wrong(b);
    if (!ready || !(b->lint = lint_build(b, err)))
        return 0;
    if (b->o->call_json) {
        print_findings_json(b);
    } else {
        build_print_findings(b, stdout);
        print_verdict(b);
    }
    return b->lint->n_findings ? EXIT_GATE : 0;
}

static void print_args(const struct outline *x)
{
    static const char *const heads[] = {"ARG", "VALUE", "DESCRIPTION", NULL};
    g_autoptr(table) t = table_new(heads, "---");
    for (guint i = 0; i < x->args->len; i++) {
        const struct outline_item *a = g_ptr_array_index(x->args, i);
        const char *cells[] = {a->name, a->value ? a->value : "",
                               a->description ? a->description : "", NULL};
        table_row(t, cells);
    }
    if (x->args->len == 0)
        return;
    printf("\n");
    table_print(t, stdout);
}

static void print_mounts(const GPtrArray *list, const char *head, gboolean required)
{
    const char *heads[] = {head, required ? "REQUIRED" : NULL, NULL};
    g_autoptr(table) t = table_new(heads, "--");
    for (guint i = 0; i < list->len; i++) {
        const struct outline_item *x = g_ptr_array_index(list, i);
        const char *cells[] = {x->name, x->required ? "yes" : "no", NULL};
        table_row(t, cells);
    }
    if (list->len == 0)
        return;
    printf("\n");
    table_print(t, stdout);
}

static void print_outline(const struct outline *x)
{
    static const char *const heads[] = {"TARGET", "DESCRIPTION", NULL};
    const char *cells[] = {x->name ? x->name : "(default)", x->description ? x->description : "",
                           NULL};
    g_autoptr(table) t = table_new(heads, "--");
    table_row(t, cells);
    table_print(t, stdout);
    print_args(x);
    print_mounts(x->secrets, "SECRET", TRUE);
    print_mounts(x->ssh, "SSH", TRUE);
    print_mounts(x->caches, "CACHE", FALSE);
}

static int call_outline(struct build *b, GError **err)
{
    if (!build_read_inputs(b, err))
        return 0;
    struct lint_options l = lint_options_for(b);
    g_autoptr(outline) x = outline_new(b->df, &l, err);
    if (!x)
        return 0;
    if (b->o->call_json)
        print_json(outline_json(x, b->diags->source), TRUE);
    else
        print_outline(x);
    return 0;
}

static void print_targets(const struct dockerfile *df)
{
    static const char *const heads[] = {"TARGET", "BASE", "DESCRIPTION", NULL};
    g_autoptr(table) t = table_new(heads, "---");
    for (guint i = 0; i < df->n_stages; i++) {
        const struct stage *st = &df->stages[i];
        gboolean last = i + 1 == df->n_stages;
        g_autofree char *plain = st->name ? g_strdup(st->name) : g_strdup_printf("%u", i);
        g_autofree char *name = last ? g_strconcat(plain, " (default)", NULL) : g_strdup(plain);
        g_autofree char *description = st->name ? outline_description(st->from, st->name) : NULL;
        const char *cells[] = {name, st->base->text, description ? description : "", NULL};
        table_row(t, cells);
    }
    table_print(t, stdout);
}

static int call_targets(struct build *b, GError **err)
{
    if (!build_read_inputs(b, err))
        return 0;
    if (b->o->call_json)
        print_json(targets_json(b->df, b->diags->source), TRUE);
    else
        print_targets(b->df);
    return 0;
}

int build_call(struct build *b, GError **err)
{
    switch (b->o->call) {
    case CALL_CHECK:
        return call_check(b, err);
    case CALL_OUTLINE:
        return call_outline(b, err);
    default:
        return call_targets(b, err);
    }
}
