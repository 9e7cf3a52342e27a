/* Stages as they are walked, with what holds where. */
#include "lint/linting.h"

#include "dockerfile/autoargs.h"
#include "graph/lower.h"

#include <string.h>

static const struct image_conf *known_conf(const struct lint *l, const struct scope *s)
{
    const GPtrArray *bases = l->o->bases;
    return bases && s->stage && s->stage->index < bases->len
               ? g_ptr_array_index(bases, s->stage->index)
               : NULL;
}

/* scopes.conf_of */
static gboolean lint_conf_of(gpointer lint, struct scope *s, struct scope_conf *out)
{
    const struct image_conf *c = known_conf(lint, s);
    *out = (struct scope_conf){c ? c->env : NULL, c ? c->onbuild : NULL};
    return TRUE;
}

/* autoargs_fn */
static void declare_automatic(gpointer lint, const char *name, const char *value)
{
    g_hash_table_add(((struct lint *)lint)->declared, g_strdup(name));
}

static void declare_globals(struct lint *l)
{
    const struct dockerfile *df = l->df;
    l->declared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    autoargs_each(df, &l->o->build_platform, &l->o->platform, l->o->target, declare_automatic, l);
    for (guint i = 0; i < df->n_meta_args; i++)
        for (guint k = 0; k < df->meta_args[i]->n_pairs; k++)
            g_hash_table_add(l->declared, g_strdup(df->meta_args[i]->pairs[k].key));
}

/* Whether a named context takes the place of s: what its instructions say then means nothing. */
static gboolean is_replaced(const struct lint *l, const struct scope *s)
{
    struct platform p = l->o->platform, own;
    if (s->platform && platform_parse(&own, s->platform, NULL))
        p = own;
    return s->stage->name && named_context_find(l->o->contexts, s->stage->name, &p);
}

static void enter_stage(struct lint *l, const struct stage *st)
{
    scopes_add(&l->scopes, st);
    struct scope *s = g_ptr_array_index(l->scopes.all, st->index);
    scope_enter(&l->scopes, s, is_replaced(l, s));
}

void lint_scopes_init(struct lint *l)
{
    const struct lint_options *o = l->o;
    l->stages = g_ptr_array_new_with_free_func(g_free);
    l->defaults = (struct scopes){.df = l->df, .max_value = LINT_MAX_VALUE};
    l->scopes = l->defaults;
    l->scopes.build_args = o->build_args;
    l->scopes.conf_of = lint_conf_of;
    l->scopes.ctx = l;
    declare_globals(l);
    scopes_init(&l->defaults, &o->build_platform, &o->platform, o->target);
    scopes_init(&l->scopes, &o->build_platform, &o->platform, o->target);
    for (guint i = 0; i < l->df->n_stages; i++)
        enter_stage(l, &l->df->stages[i]);
    scopes_link(&l->scopes);
}

void lint_scopes_clear(struct lint *l)
{
    g_ptr_array_unref(l->stages);
    g_hash_table_unref(l->declared);
    scopes_clear(&l->defaults);
    scopes_clear(&l->scopes);
}

GPtrArray *lint_needed(struct lint *l, struct scope *target)
{
    GPtrArray *order = g_ptr_array_new();
    g_autoptr(GPtrArray) targets = g_ptr_array_new();
    for (guint i = 0; !target && i < l->scopes.n_stages; i++)
        g_ptr_array_add(targets, g_ptr_array_index(l->scopes.all, i));
    if (target)
        g_ptr_array_add(targets, target);
    scopes_reach(&l->scopes, targets, order);
    return order;
}

/* What cmd changes, of its own or of a base. */
static GPtrArray *take_command(struct lint *l, struct lint_stage *s,
                               const struct stage_command *cmd)
{
    enum instruction_kind kind = cmd->ins->kind;
    s->has_shell |= kind == INSTRUCTION_SHELL;
    s->has_workdir |= kind == INSTRUCTION_WORKDIR;
    if (kind != INSTRUCTION_ARG && kind != INSTRUCTION_ENV && kind != INSTRUCTION_LABEL)
        return NULL;
    GPtrArray *pairs = scope_take_pairs(&l->scopes, s->scope, cmd);
    s->open |= pairs == NULL;
    return pairs;
}

struct lint_stage *lint_stage_begin(struct lint *l, const struct stage *st)
{
    struct lint_stage *s = g_new0(struct lint_stage, 1);
    struct scope *scope = g_ptr_array_index(l->scopes.all, st->index);
    const struct lint_stage *base =
        scope->base ? g_ptr_array_index(l->stages, scope->base->index) : NULL;
    s->scope = scope;
    s->stage = st;
    s->conf = known_conf(l, scope);
    gboolean empty = !scope->replaced && strcmp(scope->base_name, "scratch") == 0;
    s->open = base ? base->open : !s->conf && !empty;
    s->has_shell = base ? base->has_shell : s->conf && s->conf->shell;
    s->has_workdir = base && base->has_workdir;
    s->open |= !scope_start(&l->scopes, scope);
    g_ptr_array_add(l->stages, s);
    return s;
}

GPtrArray *lint_stage_apply(struct lint *l, struct lint_stage *s, guint i)
{
    const struct stage_command *cmd = &g_array_index(s->scope->commands, struct stage_command, i);
    if (i >= s->scope->n_triggers && cmd->ins->kind < INSTRUCTION_UNKNOWN)
        s->last[cmd->ins->kind] = cmd->ins;
    return take_command(l, s, cmd);
}

static char *expand_for_rule(const struct scopes *x, const struct vars *v, const char *word,
                             GHashTable *used, GHashTable *unset)
{
    struct expand e = scopes_expander(x, v, FALSE);
    e.used = used;
    e.unset = unset;
    return expand_word(&e, word, NULL);
}

char *lint_expand(const struct lint *l, const struct lint_stage *s, const char *word,
                  GHashTable *unset)
{
    return expand_for_rule(&l->scopes, &s->scope->env, word, NULL, unset);
}

char *lint_expand_global(const struct scopes *x, const char *word, GHashTable *used,
                         GHashTable *unset)
{
    return expand_for_rule(x, &x->globals, word, used, unset);
}
