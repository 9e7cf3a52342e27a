#include "dockerfile/scope.h"

#include "base/envlist.h"
#include "base/suggest.h"
#include "dockerfile/autoargs.h"

#include <string.h>

const char *scopes_given(const struct scopes *x, const char *name)
{
    const char *given = x->build_args ? g_hash_table_lookup(x->build_args, name) : NULL;
    return given && x->epoch && strcmp(name, "SOURCE_DATE_EPOCH") == 0 ? x->epoch : given;
}

struct span scope_place(const struct scope *s, const struct stage_command *cmd, struct span at)
{
    return cmd && cmd->foreign ? s->place : at;
}

gboolean scope_spend(struct scopes *x, const struct scope *s, gsize n)
{
    gboolean reported = x->spent > SCOPES_MAX_BYTES;
    x->spent += n;
    if (x->spent <= SCOPES_MAX_BYTES)
        return TRUE;
    if (!reported && x->diags)
        diags_error(x->diags, s->place,
                    "the build is too large: its variables, commands and history take more than "
                    "%d MiB",
                    SCOPES_MAX_BYTES >> 20);
    return FALSE;
}

struct expand scopes_expander(const struct scopes *x, const struct vars *v, gboolean foreign)
{
    return (struct expand){.lookup = vars_get,
                           .ctx = (gpointer)v,
                           .escape = foreign ? '\\' : x->df->escape,
                           .max = x->max_value};
}

static char *expand_in(const struct scopes *x, const struct vars *v, gboolean foreign,
                       const char *word, struct span at)
{
    struct expand e = scopes_expander(x, v, foreign);
    g_autoptr(GError) err = NULL;
    char *out = expand_word(&e, word, &err);
    if (!out && !x->diags)
        return g_strdup("");
    if (!out)
        diags_gerror(x->diags, at, err);
    return out;
}

char *scopes_expand(const struct scopes *x, const struct vars *v, const char *word, struct span at)
{
    return expand_in(x, v, FALSE, word, at);
}

char *scope_expand(struct scopes *x, const struct scope *s, const struct stage_command *cmd,
                   const char *word, struct span at)
{
    g_autofree char *out = expand_in(x, &s->env, cmd->foreign, word, scope_place(s, cmd, at));
    return out && scope_spend(x, s, strlen(out)) ? g_steal_pointer(&out) : NULL;
}

gboolean scopes_take_arg(struct scopes *x, struct vars *v, gboolean foreign,
                         const struct pair *pair, struct span at, char **value)
{
    const char *given = scopes_given(x, pair->key);
    gboolean expands = !given && pair->value;
    if (!given && !pair->value)
        given = vars_get(&x->globals, pair->key);
    *value = expands ? expand_in(x, v, foreign, pair->value, at) : g_strdup(given);
    if (*value)
        vars_set(v, pair->key, *value);
    return *value || !expands;
}

static gboolean read_globals(struct scopes *x)
{
    for (guint i = 0; i < x->df->n_meta_args; i++) {
        const struct instruction *ins = x->df->meta_args[i];
        for (guint k = 0; k < ins->n_pairs; k++) {
            g_autofree char *value = NULL;
            if (!scopes_take_arg(x, &x->globals, FALSE, &ins->pairs[k], ins->pairs[k].span, &value))
                return FALSE;
            if (vars_count(&x->globals) <= SCOPE_MAX_VARIABLES)
                continue;
            if (x->diags)
                diags_error(x->diags, ins->span, "more than %d variables", SCOPE_MAX_VARIABLES);
            return FALSE;
        }
    }
    return TRUE;
}

/* autoargs_fn; build arguments may replace it. */
static void set_automatic(gpointer scopes, const char *name, const char *value)
{
    struct scopes *x = scopes;
    const char *given = scopes_given(x, name);
    vars_set(&x->globals, name, given ? given : value);
}

static void scope_free(gpointer scope)
{
    struct scope *s = scope;
    for (guint i = 0; i < s->commands->len; i++)
        g_free(g_array_index(s->commands, struct stage_command, i).sources);
    g_array_unref(s->commands);
    vars_clear(&s->env);
    g_ptr_array_unref(s->config);
    g_hash_table_unref(s->declared);
    g_ptr_array_unref(s->args);
    g_free(s->label);
    g_free(s->base_name);
    g_free(s->platform);
    g_free(s);
}

gboolean scopes_init(struct scopes *x, const struct platform *build, const struct platform *wanted,
                     const char *target)
{
    vars_init(&x->globals);
    x->all = g_ptr_array_new_with_free_func(scope_free);
    x->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    x->made = g_hash_table_new(g_str_hash, g_str_equal);
    x->triggers = g_ptr_array_new_with_free_func((GDestroyNotify)dockerfile_free);
    autoargs_each(x->df, build, wanted, target, set_automatic, x);
    return read_globals(x);
}

void scopes_clear(struct scopes *x)
{
    vars_clear(&x->globals);
    g_clear_pointer(&x->by_name, g_hash_table_unref);
    g_clear_pointer(&x->made, g_hash_table_unref);
    g_clear_pointer(&x->all, g_ptr_array_unref);
    g_clear_pointer(&x->triggers, g_ptr_array_unref);
}

static struct scope *scope_new(struct scopes *x, struct span place)
{
    struct scope *s = g_new0(struct scope, 1);
    s->number = x->all->len;
    s->index = -1;
    s->place = place;
    s->commands = g_array_new(FALSE, FALSE, sizeof(struct stage_command));
    vars_init(&s->env);
    s->config = g_ptr_array_new_with_free_func(g_free);
    s->args = g_ptr_array_new();
    s->declared = g_hash_table_new(g_str_hash, g_str_equal);
    g_ptr_array_add(x->all, s);
    return s;
}

struct scope *scopes_add(struct scopes *x, const struct stage *st)
{
    struct scope *s = scope_new(x, st->base->span);
    s->stage = st;
    s->index = (int)st->index;
    s->label = st->name ? g_strdup(st->name) : g_strdup_printf("%u", st->index);
    s->base_name = scopes_expand(x, &x->globals, st->base->text, s->place);
    x->n_stages = x->all->len;
    if (!s->base_name)
        return NULL;
    if (!st->platform || !*st->platform) /* an empty one counts as none, as in BuildKit */
        return s;
    s->platform =
        scopes_expand(x, &x->globals, st->platform, instruction_flag(st->from, "platform")->span);
    return s->platform ? s : NULL;
}

struct scope *scopes_made(struct scopes *x, const char *name, struct span place)
{
    struct scope *s = g_hash_table_lookup(x->made, name);
    if (s)
        return s;
    s = scope_new(x, place);
    s->label = g_strdup(name);
    s->base_name = g_strdup(name);
    g_hash_table_insert(x->made, s->base_name, s);
    return s;
}

void scope_enter(struct scopes *x, struct scope *s, gboolean replaced)
{
    const struct stage *st = s->stage;
    s->replaced = replaced;
    s->base = replaced ? NULL : g_hash_table_lookup(x->by_name, s->base_name);
    for (guint i = 0; i < st->n_instructions && !replaced; i++) {
        struct stage_command cmd = {.ins = st->instructions[i]};
        g_array_append_val(s->commands, cmd);
    }
    if (!st->name)
        return;
    s->namesake = g_hash_table_lookup(x->by_name, st->name);
    g_hash_table_insert(x->by_name, (gpointer)st->name, s);
}

struct scope *scopes_target(const struct scopes *x, const char *name)
{
    if (!name || !*name)
        return g_ptr_array_index(x->all, x->n_stages - 1);
    g_autofree char *lower = g_ascii_strdown(name, -1);
    return g_hash_table_lookup(x->by_name, lower);
}

const char *scopes_near(const struct scopes *x, const char *name)
{
    g_autofree const char **names = (const char **)g_hash_table_get_keys_as_array(x->by_name, NULL);
    return suggest_nearest(name, names, g_hash_table_size(x->by_name));
}

/* name is the tree's, or a trigger's. */
static void declare(struct scope *s, const char *name)
{
    if (g_hash_table_contains(s->declared, name))
        return;
    g_ptr_array_add(s->args, (gpointer)name);
    g_hash_table_add(s->declared, (gpointer)name);
}

static gboolean inherit_vars(struct scopes *x, struct scope *s)
{
    const struct scope *base = s->base;
    if (!scope_spend(x, s, vars_count(&base->env) * 64))
        return FALSE;
    vars_inherit(&s->env, &base->env);
    for (guint i = 0; i < base->args->len; i++)
        declare(s, g_ptr_array_index(base->args, i));
    return TRUE;
}

gboolean scope_base_conf(const struct scopes *x, struct scope *s, struct scope_conf *out)
{
    struct scope *first = s->base ? s->base : s;
    gboolean outside = first->replaced || !s->base;
    return !outside || !x->conf_of || x->conf_of(x->ctx, first, out);
}

gboolean scope_start(struct scopes *x, struct scope *s)
{
    struct scope_conf conf = {.env = s->base ? s->base->config : s->config};
    if (!scope_base_conf(x, s, &conf))
        return FALSE;
    if ((s->base && !inherit_vars(x, s)) || (conf.env && !scope_spend(x, s, conf.env->len * 64)))
        return FALSE;
    for (guint i = 0; conf.env && conf.env != s->config && i < conf.env->len; i++)
        g_ptr_array_add(s->config, g_strdup(g_ptr_array_index(conf.env, i)));
    if (!envlist_get(s->config, "PATH"))
        envlist_set(s->config, "PATH", IMAGE_DEFAULT_PATH);
    for (guint i = 0; i < s->config->len; i++) {
        const char *pair = g_ptr_array_index(s->config, i), *eq = strchr(pair, '=');
        g_autofree char *name = eq ? g_strndup(pair, eq - pair) : g_strdup(pair);
        vars_set(&s->env, name, eq ? eq + 1 : "");
    }
    return TRUE;
}

/* FALSE with a diagnostic when s has too many variables; later ones are no news. */
static gboolean check_count(struct scopes *x, struct scope *s, const struct stage_command *cmd)
{
    if (MAX(vars_count(&s->env), s->args->len) <= SCOPE_MAX_VARIABLES)
        return TRUE;
    if (!s->overfull && x->diags)
        diags_error(x->diags, scope_place(s, cmd, cmd->ins->span), "more than %d variables",
                    SCOPE_MAX_VARIABLES);
    s->overfull = TRUE;
    return FALSE;
}

static gboolean take_args(struct scopes *x, struct scope *s, const struct stage_command *cmd,
                          GPtrArray *flat)
{
    for (guint i = 0; i < cmd->ins->n_pairs; i++) {
        const struct pair *pair = &cmd->ins->pairs[i];
        char *value;
        if (!scopes_take_arg(x, &s->env, cmd->foreign, pair, scope_place(s, cmd, pair->span),
                             &value))
            return FALSE;
        g_ptr_array_add(flat, g_strdup(pair->key));
        g_ptr_array_add(flat, value);
        declare(s, pair->key);
        if (!scope_spend(x, s, value ? strlen(value) : 0) || !check_count(x, s, cmd))
            return FALSE;
    }
    return TRUE;
}

/* All values see the variables from before the instruction. */
static gboolean expand_pairs(struct scopes *x, const struct scope *s,
                             const struct stage_command *cmd, GPtrArray *flat)
{
    for (guint i = 0; i < cmd->ins->n_pairs; i++) {
        const struct pair *pair = &cmd->ins->pairs[i];
        char *key = scope_expand(x, s, cmd, pair->key, pair->span);
        g_ptr_array_add(flat, key);
        char *value = key ? scope_expand(x, s, cmd, pair->value, pair->span) : NULL;
        g_ptr_array_add(flat, value);
        if (!value)
            return FALSE;
    }
    return TRUE;
}

static gboolean set_env(struct scopes *x, struct scope *s, const struct stage_command *cmd,
                        const GPtrArray *flat)
{
    for (guint i = 0; i < flat->len; i += 2) {
        const char *key = flat->pdata[i], *value = flat->pdata[i + 1];
        vars_set(&s->env, key, value);
        envlist_set(s->config, key, value);
        if (!check_count(x, s, cmd))
            return FALSE;
    }
    return TRUE;
}

GPtrArray *scope_take_pairs(struct scopes *x, struct scope *s, const struct stage_command *cmd)
{
    g_autoptr(GPtrArray) flat = g_ptr_array_new_with_free_func(g_free);
    enum instruction_kind kind = cmd->ins->kind;
    gboolean ok =
        kind == INSTRUCTION_ARG ? take_args(x, s, cmd, flat) : expand_pairs(x, s, cmd, flat);
    ok = ok && (kind != INSTRUCTION_ENV || set_env(x, s, cmd, flat));
    return ok ? g_steal_pointer(&flat) : NULL;
}
