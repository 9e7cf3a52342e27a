/* The checks of a build's Dockerfile. */
#include "build/building.h"

#include "base/error.h"

static struct lint_options lint_options_for(const struct build *b, guint leg)
{
    const struct build_leg *of = g_ptr_array_index(b->result.legs, leg);
    struct lint_options l = {.build_args = b->r->build_args,
                             .ignore = b->input.ignore,
                             .platform = of->platform,
                             .target = b->r->target,
                             .contexts = b->r->contexts,
                             .all_stages = b->r->call == CALL_CHECK && !b->r->target,
                             .bases = of->lowered ? of->lowered->bases : NULL};
    platform_host(&l.build_platform);
    return l;
}

/* What is found for any platform, each finding once. */
static struct lint_report *lint_build(const struct build *b, GError **err)
{
    g_autoptr(lint_report) all = NULL;
    for (guint i = 0; i < b->result.legs->len; i++) {
        struct lint_options l = lint_options_for(b, i);
        g_autoptr(lint_report) one = lint_run(b->result.df, &l, err);
        if (!one)
            return NULL;
        if (all)
            lint_report_merge(all, one);
        else
            all = g_steal_pointer(&one);
    }
    return g_steal_pointer(&all);
}

/* The line on which the first instruction with an error begins. */
static guint first_wrong_line(const struct build *b)
{
    guint wrong = G_MAXUINT, begin = 1;
    for (guint i = 0; i < b->result.diags->items->len; i++) {
        const struct diag *d = g_ptr_array_index(b->result.diags->items, i);
        if (d->severity == DIAG_ERROR)
            wrong = MIN(wrong, d->span.line);
    }
    for (guint i = 0; i < b->result.df->n_instructions; i++)
        if (b->result.df->instructions[i]->first_line <= wrong)
            begin = b->result.df->instructions[i]->first_line;
    return MIN(begin, wrong);
}

/* The file up to the first instruction with an error, or NULL when that is no file. */
static struct dockerfile *sound_part(const struct build *b)
{
    gsize len;
    const char *text = g_bytes_get_data(b->result.diags->source, &len), *end = text, *nl;
    for (guint line = first_wrong_line(b); line > 1 && (nl = memchr(end, '\n', text + len - end));
         line--)
        end = nl + 1;
    g_autoptr(diags) d = diags_new();
    g_autoptr(dockerfile) df = dockerfile_parse(text, end - text, b->result.df->name, d);
    return df && !diags_has_errors(d) ? g_steal_pointer(&df) : NULL;
}

/* Checks the readable part of a file that cannot be built. */
static void lint_wrong(struct build *b)
{
    g_autoptr(dockerfile) part = b->result.df && !b->input.parsed ? sound_part(b) : NULL;
    struct lint_options l = lint_options_for(b, 0);
    const struct dockerfile *df = b->input.parsed ? b->result.df : part;
    b->result.lint = df ? lint_run(df, &l, NULL) : NULL;
}

static void tell_of_findings(struct build *b)
{
    if (b->result.lint && b->ports.findings)
        b->ports.findings(b->ports.ctx, b->result.lint, b->result.diags);
}

void build_check_failed(struct build *b)
{
    if (b->result.lint || !b->input.parsed || b->r->call != CALL_BUILD)
        return;
    lint_wrong(b);
    tell_of_findings(b);
}

gboolean build_lint(struct build *b, GError **err)
{
    b->result.lint = lint_build(b, err);
    tell_of_findings(b);
    if (!b->result.lint || !b->result.lint->error)
        return b->result.lint != NULL;
    g_autofree char *text = build_violation_text(b->result.lint);
    error_set(err, VARVE_ERROR_INVALID, "%s; nothing was run", text);
    error_add_next(err,
                   "varve build --check shows them; the file asks for this with check=error=true");
    return FALSE;
}

/* Errors of the file come first, as in a build. If only a registry, the network or the disk failed,
 * what depends on the file alone is still checked. */
static gboolean prepare_check(struct build *b, GError **err)
{
    GError *why = NULL;
    if (build_prepare(b, &why))
        return TRUE;
    const struct diags *d = b->result.diags;
    if (!b->result.df || d->n_outside == 0 || d->n_outside < d->n_errors) {
        g_propagate_error(err, why);
        return FALSE;
    }
    g_error_free(why);
    event_warn(b->ports.events,
               "some base images could not be looked up; rules that need them were skipped");
    return TRUE;
}

gboolean build_check(struct build *b, GError **err)
{
    if (prepare_check(b, err))
        return (b->result.lint = lint_build(b, err)) != NULL;
    const struct diags *d = b->result.diags;
    if (d && d->source && d->items->len > 0)
        lint_wrong(b);
    return FALSE;
}

struct outline *build_outline(struct build *b, GError **err)
{
    if (!build_read(b, err))
        return NULL;
    struct lint_options l = lint_options_for(b, 0);
    return outline_new(b->result.df, &l, err);
}

char *build_violation_text(const struct lint_report *r)
{
    g_autofree char *rules = lint_report_rules(r);
    return g_strconcat("lint violation found for rules: ", rules, NULL);
}
