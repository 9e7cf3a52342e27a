#include "lint/linting.h"

#include "base/error.h"

#include <string.h>

#define CHECK_ARG "BUILDKIT_DOCKERFILE_CHECK"

static gboolean listed(const char *const *names, gboolean all, const char *name)
{
    for (; names && *names; names++)
        if (strcmp(*names, name) == 0)
            return TRUE;
    return all;
}

static gboolean enabled(const struct lint *l, const struct lint_rule *r)
{
    const struct check_directive *c = l->check;
    if (r->experimental)
        return c && listed(c->experimental, c->experimental_all, r->name);
    return !c || !listed(c->skip, c->skip_all, r->name);
}

/* "check=skip=…" in the comment above ins; other comments, and malformed ones, are ignored. */
static gboolean silenced(const struct lint *l, const struct instruction *ins)
{
    for (guint i = 0; i < ins->n_comments; i++) {
        const char *comment = ins->comments[i];
        if (!g_str_has_prefix(comment, "check="))
            continue;
        const struct check_directive *c =
            check_directive_parse(l->arena, comment + strlen("check="), NULL);
        if (c && listed(c->skip, c->skip_all, l->rule->name))
            return TRUE;
    }
    return FALSE;
}

void lint_add(struct lint *l, const struct instruction *ins, struct span at, const char *fmt, ...)
{
    if (silenced(l, ins) || ++l->report->n_findings > LINT_MAX_FINDINGS)
        return;
    va_list ap;
    va_start(ap, fmt);
    struct lint_finding *f = g_new0(struct lint_finding, 1);
    *f = (struct lint_finding){.rule = l->rule,
                               .span = at,
                               .first_line = at.col ? ins->first_line : at.line,
                               .last_line = at.col ? ins->last_line : at.line,
                               .message = g_strdup_vprintf(fmt, ap)};
    va_end(ap);
    g_ptr_array_add(l->report->findings, f);
}

static void check_command(struct lint *l, struct lint_stage *s, guint i)
{
    const struct stage_command *cmd = &g_array_index(s->scope->commands, struct stage_command, i);
    gboolean own = i >= s->scope->n_triggers;
    for (const struct lint_rule *r = lint_rules; own && r->name; r++) {
        l->rule = r;
        if (r->instruction && !l->left_out[s->stage->index] && enabled(l, r))
            r->instruction(l, s, cmd->ins);
    }
    g_autoptr(GPtrArray) pairs = lint_stage_apply(l, s, i);
}

static void check_stage(struct lint *l, const struct stage *st)
{
    struct lint_stage *s = lint_stage_begin(l, st);
    for (const struct lint_rule *r = lint_rules; r->name; r++) {
        l->rule = r;
        if (r->stage && enabled(l, r))
            r->stage(l, s);
    }
    for (guint i = 0; i < s->scope->commands->len; i++)
        check_command(l, s, i);
}

static void check_file(struct lint *l)
{
    for (guint i = 0; i < l->df->n_stages; i++)
        check_stage(l, &l->df->stages[i]);
    for (const struct lint_rule *r = lint_rules; r->name; r++) {
        l->rule = r;
        if (r->file && enabled(l, r))
            r->file(l);
    }
}

/* As in BuildKit, a build reports nothing about stages that it does not need. */
static void leave_out(struct lint *l)
{
    struct scope *target = scopes_target(&l->scopes, l->o->target);
    g_autoptr(GPtrArray) needed = lint_needed(l, l->o->all_stages ? NULL : target);
    for (guint i = 0; target && i < l->df->n_stages; i++)
        l->left_out[i] = !((const struct scope *)g_ptr_array_index(l->scopes.all, i))->needed;
}

static gboolean find_check(struct lint *l, GError **err)
{
    const char *arg = l->o->build_args ? g_hash_table_lookup(l->o->build_args, CHECK_ARG) : NULL;
    l->check = arg ? check_directive_parse(l->arena, arg, err) : l->df->check;
    if (!arg || l->check)
        return TRUE;
    error_as_usage(err);
    g_prefix_error(err, "--build-arg " CHECK_ARG "=%s: ", arg);
    return FALSE;
}

static int by_place(gconstpointer a, gconstpointer b)
{
    const struct lint_finding *x = *(const struct lint_finding *const *)a,
                              *y = *(const struct lint_finding *const *)b;
    if (x->span.line != y->span.line)
        return x->span.line < y->span.line ? -1 : 1;
    if (x->span.col != y->span.col)
        return x->span.col < y->span.col ? -1 : 1;
    return strcmp(x->rule->name, y->rule->name);
}

static void finding_free(gpointer p)
{
    struct lint_finding *f = p;
    g_free(f->message);
    g_free(f);
}

void lint_report_free(struct lint_report *r)
{
    if (!r)
        return;
    g_ptr_array_unref(r->findings);
    g_free(r);
}

struct lint_report *lint_run(const struct dockerfile *df, const struct lint_options *o,
                             GError **err)
{
    g_autoptr(lint_report) report = g_new0(struct lint_report, 1);
    report->findings = g_ptr_array_new_with_free_func(finding_free);
    g_autoptr(arena) arena = arena_new();
    g_autofree gboolean *left_out = g_new0(gboolean, df->n_stages);
    struct lint l = {.df = df, .o = o, .arena = arena, .left_out = left_out, .report = report};
    GError *local = NULL;
    if (!find_check(&l, &local)) {
        g_propagate_error(err, local);
        return NULL;
    }
    lint_scopes_init(&l);
    leave_out(&l);
    check_file(&l);
    report->error = l.check && l.check->error && report->n_findings > 0;
    g_ptr_array_sort(report->findings, by_place);
    lint_scopes_clear(&l);
    return g_steal_pointer(&report);
}

static gboolean has_finding(const struct lint_report *r, const struct lint_finding *f)
{
    for (guint i = 0; i < r->findings->len; i++) {
        const struct lint_finding *known = g_ptr_array_index(r->findings, i);
        if (known->rule == f->rule && known->span.line == f->span.line &&
            known->span.col == f->span.col && g_str_equal(known->message, f->message))
            return TRUE;
    }
    return FALSE;
}

void lint_report_merge(struct lint_report *r, struct lint_report *other)
{
    for (guint i = 0; i < other->findings->len;) {
        if (r->findings->len >= LINT_MAX_FINDINGS ||
            has_finding(r, g_ptr_array_index(other->findings, i))) {
            i++;
            continue;
        }
        g_ptr_array_add(r->findings, g_ptr_array_steal_index(other->findings, i));
        r->n_findings++;
    }
    r->error |= other->error;
    g_ptr_array_sort(r->findings, by_place);
}

char *lint_report_rules(const struct lint_report *r)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    GString *out = g_string_new(NULL);
    for (guint i = 0; i < r->findings->len; i++) {
        const struct lint_finding *f = g_ptr_array_index(r->findings, i);
        if (g_hash_table_add(seen, (gpointer)f->rule))
            g_string_append_printf(out, "%s%s", out->len ? ", " : "", f->rule->name);
    }
    return g_string_free(out, FALSE);
}

const char *lint_rule_name(const struct lint_rule *r)
{
    return r->name;
}

const char *lint_rule_summary(const struct lint_rule *r)
{
    return r->summary;
}

char *lint_rule_url(const struct lint_rule *r)
{
    GString *out = g_string_new("https://docs.docker.com/go/dockerfile/rule/");
    for (const char *p = r->name; *p; p++) {
        gboolean begins =
            g_ascii_isupper(*p) && p > r->name && (g_ascii_islower(p[-1]) || g_ascii_islower(p[1]));
        g_string_append_printf(out, "%s%c", begins ? "-" : "", g_ascii_tolower(*p));
    }
    g_string_append_c(out, '/');
    return g_string_free(out, FALSE);
}

guint lint_rules_count(void)
{
    guint n = 0;
    while (lint_rules[n].name)
        n++;
    return n;
}
