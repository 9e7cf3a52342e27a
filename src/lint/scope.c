/* What variables hold where, as far as the file and the base images' configs tell. */
#include "lint/linting.h"

#include "dockerfile/autoargs.h"
#include "dockerfile/expand.h"

#include <string.h>

static GHashTable *table_new_owned(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

static const char *table_lookup(gpointer table, const char *name)
{
    return g_hash_table_lookup(table, name);
}

static const char *build_arg(const struct lint *l, const char *name)
{
    return l->o->build_args ? g_hash_table_lookup(l->o->build_args, name) : NULL;
}

static char *expand(const struct lint *l, expand_lookup_fn lookup, gpointer ctx, const char *word,
                    GHashTable *used, GHashTable *unset)
{
    struct expand x = {.lookup = lookup,
                       .ctx = ctx,
                       .escape = l->df->escape,
                       .max = SCOPE_MAX_VALUE,
                       .used = used,
                       .unset = unset};
    return expand_word(&x, word, NULL);
}

char *scope_expand(const struct lint *l, struct scope *s, const char *word, GHashTable *unset)
{
    return expand(l, scope_lookup, s, word, NULL, unset);
}

char *scope_expand_global(const struct lint *l, GHashTable *vars, const char *word,
                          GHashTable *used, GHashTable *unset)
{
    return expand(l, table_lookup, vars, word, used, unset);
}

/* autoargs_fn; build arguments may replace it. */
static void set_automatic(gpointer lint, const char *name, const char *value)
{
    struct lint *l = lint;
    const char *given = build_arg(l, name);
    g_hash_table_add(l->declared, g_strdup(name));
    g_hash_table_replace(l->globals, g_strdup(name), g_strdup(given ? given : value));
    g_hash_table_replace(l->defaults, g_strdup(name), g_strdup(value));
}

static void set_global(struct lint *l, const struct pair *pair)
{
    const char *given = build_arg(l, pair->key);
    g_autofree char *value =
        pair->value ? scope_expand_global(l, l->globals, pair->value, NULL, NULL) : NULL;
    g_autofree char *plain =
        pair->value ? scope_expand_global(l, l->defaults, pair->value, NULL, NULL) : NULL;
    g_hash_table_add(l->declared, g_strdup(pair->key));
    if (given || value)
        g_hash_table_replace(l->globals, g_strdup(pair->key), g_strdup(given ? given : value));
    if (plain)
        g_hash_table_replace(l->defaults, g_strdup(pair->key), g_steal_pointer(&plain));
}

static void scope_free(gpointer scope)
{
    struct scope *s = scope;
    g_hash_table_unref(s->vars);
    g_hash_table_unref(s->args);
    g_free(s);
}

void scope_init(struct lint *l)
{
    l->scopes = g_ptr_array_new_with_free_func(scope_free);
    l->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    l->globals = table_new_owned();
    l->defaults = table_new_owned();
    l->declared = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    autoargs_each(l->df, &l->o->build_platform, &l->o->platform, l->o->target, set_automatic, l);
    for (guint i = 0; i < l->df->n_meta_args; i++)
        for (guint k = 0; k < l->df->meta_args[i]->n_pairs; k++)
            set_global(l, &l->df->meta_args[i]->pairs[k]);
}

void scope_clear(struct lint *l)
{
    g_ptr_array_unref(l->scopes);
    g_hash_table_unref(l->by_name);
    g_hash_table_unref(l->globals);
    g_hash_table_unref(l->defaults);
    g_hash_table_unref(l->declared);
}

struct scope *scope_begin(struct lint *l, const struct stage *st)
{
    struct scope *s = g_new0(struct scope, 1);
    g_autofree char *name = scope_expand_global(l, l->globals, st->base->text, NULL, NULL);
    s->stage = st;
    s->vars = table_new_owned();
    s->args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->base = name ? g_hash_table_lookup(l->by_name, name) : NULL;
    if (l->o->bases && st->index < l->o->bases->len)
        s->conf = g_ptr_array_index(l->o->bases, st->index);
    s->open = s->base ? s->base->open : !s->conf && g_strcmp0(name, "scratch") != 0;
    s->has_shell = s->base ? s->base->has_shell : s->conf && s->conf->shell;
    s->has_workdir = s->base && s->base->has_workdir;
    g_ptr_array_add(l->scopes, s);
    if (!st->name)
        return s;
    s->namesake = g_hash_table_lookup(l->by_name, st->name);
    g_hash_table_insert(l->by_name, (gpointer)st->name, s);
    return s;
}

const char *scope_lookup(gpointer scope, const char *name)
{
    const struct scope *s = scope;
    for (guint depth = 0; s && depth < SCOPE_MAX_DEPTH; depth++, s = s->base) {
        const char *value = g_hash_table_lookup(s->vars, name);
        if (!value && s->conf)
            value = image_conf_getenv(s->conf, name);
        if (value)
            return value;
    }
    return strcmp(name, "PATH") == 0 ? IMAGE_DEFAULT_PATH : NULL; /* every stage has one */
}

gboolean scope_declares(const struct scope *s, const char *name)
{
    for (guint depth = 0; s && depth < SCOPE_MAX_DEPTH; depth++, s = s->base)
        if (g_hash_table_contains(s->args, name))
            return TRUE;
    return FALSE;
}

static void set_var(struct scope *s, const char *name, char *value)
{
    if (g_hash_table_size(s->vars) < SCOPE_MAX_VARIABLES)
        g_hash_table_replace(s->vars, g_strdup(name), value);
    else
        g_free(value);
}

/* All values see what was before the instruction. */
static void apply_env(struct lint *l, struct scope *s, const struct instruction *ins)
{
    g_autoptr(GPtrArray) values = g_ptr_array_new();
    for (guint i = 0; i < ins->n_pairs; i++) {
        char *value = scope_expand(l, s, ins->pairs[i].value, NULL);
        g_ptr_array_add(values, value ? value : g_strdup(""));
    }
    for (guint i = 0; i < ins->n_pairs; i++)
        set_var(s, ins->pairs[i].key, g_ptr_array_index(values, i));
}

static void apply_arg(struct lint *l, struct scope *s, const struct pair *pair)
{
    const char *given = build_arg(l, pair->key);
    if (!given && !pair->value)
        given = g_hash_table_lookup(l->globals, pair->key);
    char *value = given         ? g_strdup(given)
                  : pair->value ? scope_expand(l, s, pair->value, NULL)
                                : NULL;
    if (value)
        set_var(s, pair->key, value);
    if (g_hash_table_size(s->args) < SCOPE_MAX_VARIABLES)
        g_hash_table_add(s->args, g_strdup(pair->key));
}

void scope_apply(struct lint *l, struct scope *s, const struct instruction *ins)
{
    if (ins->kind == INSTRUCTION_ENV)
        apply_env(l, s, ins);
    for (guint i = 0; ins->kind == INSTRUCTION_ARG && i < ins->n_pairs; i++)
        apply_arg(l, s, &ins->pairs[i]);
    s->has_shell |= ins->kind == INSTRUCTION_SHELL;
    s->has_workdir |= ins->kind == INSTRUCTION_WORKDIR;
    if (ins->kind < INSTRUCTION_UNKNOWN)
        s->last[ins->kind] = ins;
}
