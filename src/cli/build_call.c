/* varve build --call and --check: what a Dockerfile says, instead of a build. */
#include "cli/build_shown.h"

#include "base/error.h"
#include "cli/report.h"
#include "cli/show.h"
#include "lint/dump.h"
#include "ui/text.h"

#define EXIT_GATE 3

void build_print_findings(const struct shown_build *b, FILE *f)
{
    guint flags = text_colours(f) ? DIAG_RENDER_COLOR : 0;
    for (guint i = 0; i < b->res->lint->findings->len; i++) {
        const struct lint_finding *x = g_ptr_array_index(b->res->lint->findings, i);
        g_autofree char *message = g_strdup_printf("%s [%s]", x->message, lint_rule_name(x->rule));
        struct diag d = {b->res->lint->error ? DIAG_ERROR : DIAG_WARNING, x->span, message, NULL};
        g_autofree char *text = diag_render(b->res->diags, &d, flags);
        fputs(text, f);
    }
    guint hidden = b->res->lint->n_findings - b->res->lint->findings->len;
    if (hidden > 0)
        fprintf(f, "… and %u more\n", hidden);
}

static void print_verdict(const struct shown_build *b)
{
    guint n = b->res->lint->n_findings;
    g_autofree char *rules = lint_report_rules(b->res->lint);
    if (n == 0)
        printf("%s: nothing found (%u rules)\n", b->res->df->name, lint_rules_count());
    else
        printf("%u finding%s: %s\n", n, n == 1 ? "" : "s", rules);
    if (n > 0)
        print_next(
            "fix them, or silence a rule with \"# check=skip=RULE\" as the file's first line");
}

static void print_findings_json(const struct shown_build *b)
{
    const struct lint_finding *first =
        b->res->lint->error ? g_ptr_array_index(b->res->lint->findings, 0) : NULL;
    g_autofree char *text = first ? build_violation_text(b->res->lint) : NULL;
    struct diag error = {DIAG_ERROR, first ? first->span : (struct span){0}, text, NULL};
    print_json(lint_report_json(b->res->lint, b->res->df, b->res->diags, first ? &error : NULL),
               TRUE);
}

/* A file that cannot be built: tools get its first error, people all of them on stderr. */
static void print_wrong(const struct shown_build *b)
{
    if (!b->res->diags || !b->res->diags->source || b->res->diags->items->len == 0)
        return;
    if (b->r->call_json)
        print_json(lint_report_json(b->res->lint, b->res->df, b->res->diags,
                                    g_ptr_array_index(b->res->diags->items, 0)),
                   TRUE);
    else if (b->res->lint)
        build_print_findings(b, stdout);
}

static int call_check(struct shown_build *b, GError **err)
{
    if (!build_check(b->build, err)) {
        print_wrong(b);
        return 0;
    }
    if (b->r->call_json) {
        print_findings_json(b);
    } else {
        build_print_findings(b, stdout);
        print_verdict(b);
    }
    return b->res->lint->n_findings ? EXIT_GATE : 0;
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

static int call_outline(struct shown_build *b, GError **err)
{
    g_autoptr(outline) x = build_outline(b->build, err);
    if (!x)
        return 0;
    if (b->r->call_json)
        print_json(outline_json(x, b->res->diags->source), TRUE);
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

static int call_targets(struct shown_build *b, GError **err)
{
    if (!build_read(b->build, err))
        return 0;
    if (b->r->call_json)
        print_json(targets_json(b->res->df, b->res->diags->source), TRUE);
    else
        print_targets(b->res->df);
    return 0;
}

int build_call(struct shown_build *b, GError **err)
{
    switch (b->r->call) {
    case CALL_CHECK:
        return call_check(b, err);
    case CALL_OUTLINE:
        return call_outline(b, err);
    default:
        return call_targets(b, err);
    }
}
