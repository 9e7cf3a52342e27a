#include "lint/outline.h"

#include "base/error.h"
#include "base/path.h"
#include "base/suggest.h"
#include "dockerfile/expand.h"
#include "dockerfile/mount.h"
#include "lint/linting.h"

#include <string.h>

#define MAX_DEPTH 100 /* stages that are looked through for an ARG */

/* The work of outline_new(). */
struct outlining {
    struct lint l; /* for its scopes */
    struct outline *x;
    GPtrArray *needed;   /* struct scope*: what the target needs */
    GHashTable *used;    /* char* set: global ARGs that these use */
    GPtrArray *args;     /* by needed stage: GHashTable*, char* → const struct pair*: its ARGs */
    GHashTable *defines; /* the same of them all: which one stands for a name */
};

static void item_free(gpointer p)
{
    struct outline_item *i = p;
    g_free(i->name);
    g_free(i->value);
    g_free(i->description);
    g_free(i);
}

void outline_free(struct outline *x)
{
    if (!x)
        return;
    g_free(x->name);
    g_free(x->description);
    g_ptr_array_unref(x->args);
    g_ptr_array_unref(x->secrets);
    g_ptr_array_unref(x->ssh);
    g_ptr_array_unref(x->caches);
    g_free(x);
}

char *outline_description(const struct instruction *ins, const char *name)
{
    gsize n = strlen(name);
    for (guint i = 0; i < ins->n_comments; i++)
        if (strncmp(ins->comments[i], name, n) == 0 && ins->comments[i][n] == ' ')
            return g_strdup(ins->comments[i] + n + 1);
    return NULL;
}

/* The item of that name, made when there is none. */
static struct outline_item *item(GPtrArray *list, const char *name, const struct instruction *ins)
{
    for (guint i = 0; i < list->len; i++) {
        struct outline_item *old = g_ptr_array_index(list, i);
        if (strcmp(old->name, name) == 0)
            return old;
    }
    struct outline_item *made = g_new0(struct outline_item, 1);
    made->name = g_strdup(name);
    made->line = ins->first_line;
    made->last_line = ins->last_line;
    if (list->len < LINT_MAX_FINDINGS)
        g_ptr_array_add(list, made);
    return made;
}

static struct scope *find_target(const struct outlining *w, const char *target, GError **err)
{
    struct scope *s = scopes_target(&w->l.scopes, target);
    if (s)
        return s;
    const char *near = scopes_near(&w->l.scopes, target);
    error_set(err, VARVE_ERROR_USAGE, "there is no stage \"%s\" to be the target", target);
    if (near)
        error_add_next(err, "did you mean \"%s\"?", near);
    return NULL;
}

static gboolean given(const struct outlining *w, const char *name)
{
    return w->l.o->build_args && g_hash_table_contains(w->l.o->build_args, name);
}

/* TRUE when a stage that this one starts from has an ARG of the name. */
static gboolean has_base_arg(const struct outlining *w, const struct scope *s, const char *name)
{
    s = s->base;
    for (guint depth = 0; s && depth < MAX_DEPTH; depth++, s = s->base)
        if (g_hash_table_contains(g_ptr_array_index(w->args, s->index), name))
            return TRUE;
    return FALSE;
}

/* The last ARG of each name in the stage counts, triggers included; one without a value may mean
 * the global one. */
static GHashTable *stage_args(struct outlining *w, const struct scope *s)
{
    GHashTable *own = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < s->commands->len; i++) {
        const struct instruction *ins = g_array_index(s->commands, struct stage_command, i).ins;
        for (guint k = 0; ins->kind == INSTRUCTION_ARG && k < ins->n_pairs; k++) {
            const struct pair *pair = &ins->pairs[k];
            if (pair->value || given(w, pair->key) || !vars_get(&w->l.scopes.globals, pair->key))
                g_hash_table_insert(own, (gpointer)pair->key, (gpointer)pair);
            else
                g_hash_table_add(w->used, g_strdup(pair->key));
        }
    }
    return own;
}

/* The stage nearest to the target counts, but for an ARG that has its value from a base. */
static void choose_args(struct outlining *w, const struct scope *s)
{
    GHashTableIter it;
    gpointer name, value;
    g_hash_table_iter_init(&it, g_ptr_array_index(w->args, s->index));
    while (g_hash_table_iter_next(&it, &name, &value)) {
        const struct pair *pair = value;
        if (!g_hash_table_contains(w->defines, name) &&
            (pair->value || given(w, name) || !has_base_arg(w, s, name)))
            g_hash_table_insert(w->defines, name, value);
    }
}

static void use_global(struct outlining *w, const char *word)
{
    if (word)
        g_free(lint_expand_global(&w->l.scopes, word, w->used, w->used));
}

/* What the needed stages take, and what the globals among it are made of: those before them. */
static void choose(struct outlining *w)
{
    g_ptr_array_set_size(w->args, (int)w->l.df->n_stages);
    for (guint i = 0; i < w->needed->len; i++) {
        const struct scope *s = g_ptr_array_index(w->needed, i);
        if (!s->stage)
            continue;
        use_global(w, s->replaced ? NULL : s->stage->base->text);
        use_global(w, s->stage->platform);
        w->args->pdata[s->index] = stage_args(w, s);
    }
    for (guint i = 0; i < w->needed->len; i++) {
        const struct scope *s = g_ptr_array_index(w->needed, i);
        if (s->stage)
            choose_args(w, s);
    }
    for (guint i = w->l.df->n_meta_args; i-- > 0;) {
        const struct instruction *ins = w->l.df->meta_args[i];
        for (guint k = ins->n_pairs; k-- > 0;)
            if (g_hash_table_contains(w->used, ins->pairs[k].key) && !given(w, ins->pairs[k].key))
                use_global(w, ins->pairs[k].value);
    }
}

static void add_arg(struct outlining *w, const struct instruction *ins, const char *name,
                    const char *value)
{
    struct outline_item *a = item(w->x->args, name, ins);
    a->value = g_strdup(value);
    a->description = outline_description(ins, name);
}

/* The last global ARG of a name counts, where no stage has one. */
static void add_globals(struct outlining *w)
{
    const struct dockerfile *df = w->l.df;
    g_autoptr(GHashTable) last = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < df->n_meta_args; i++)
        for (guint k = 0; k < df->meta_args[i]->n_pairs; k++)
            g_hash_table_insert(last, (gpointer)df->meta_args[i]->pairs[k].key,
                                (gpointer)&df->meta_args[i]->pairs[k]);
    for (guint i = 0; i < df->n_meta_args; i++) {
        const struct instruction *ins = df->meta_args[i];
        for (guint k = 0; k < ins->n_pairs; k++) {
            const char *name = ins->pairs[k].key;
            if (g_hash_table_contains(w->used, name) && !g_hash_table_contains(w->defines, name) &&
                g_hash_table_lookup(last, name) == &ins->pairs[k])
                add_arg(w, ins, name, vars_get(&w->l.scopes.globals, name));
        }
    }
}

/* Expands values of mounts. */
struct mount_ctx {
    const struct lint *l;
    struct lint_stage *s;
};

static char *expand_value(gpointer ctx, const char *value, GError **err)
{
    struct mount_ctx *m = ctx;
    char *out = lint_expand(m->l, m->s, value, NULL);
    return out ? out : g_strdup(value);
}

static void outline_mount(struct outlining *w, struct lint_stage *s, const struct instruction *ins,
                          const struct mount_flag *flag)
{
    struct mount_ctx ctx = {&w->l, s};
    struct mount_spec m = {0};
    if (!mount_spec_read(&m, flag, expand_value, &ctx, NULL))
        return;
    GPtrArray *list = m.type == MOUNT_SECRET  ? w->x->secrets
                      : m.type == MOUNT_SSH   ? w->x->ssh
                      : m.type == MOUNT_CACHE ? w->x->caches
                                              : NULL;
    const char *id = m.id ? m.id : m.type == MOUNT_SECRET && m.source ? m.source : m.target;
    if (!m.id && m.type == MOUNT_SSH)
        id = "default";
    g_autofree char *name = !id                               ? NULL
                            : m.type == MOUNT_SECRET && !m.id ? path_base(id)
                                                              : g_strdup(id);
    if (list && name)
        item(list, name, ins)->required |= m.required;
    mount_spec_clear(&m);
}

static void add_command(struct outlining *w, struct lint_stage *s, guint n)
{
    const struct instruction *ins = g_array_index(s->scope->commands, struct stage_command, n).ins;
    for (guint i = 0; i < ins->n_mounts; i++)
        outline_mount(w, s, ins, &ins->mounts[i]);
    g_autoptr(GPtrArray) said = lint_stage_apply(&w->l, s, n);
    for (guint i = 0; ins->kind == INSTRUCTION_ARG && i < ins->n_pairs; i++) {
        const struct pair *pair = &ins->pairs[i];
        if (g_hash_table_lookup(w->defines, pair->key) == pair)
            add_arg(w, ins, pair->key, said ? g_ptr_array_index(said, 2 * i + 1) : NULL);
    }
}

static void add_stage(struct outlining *w, const struct stage *st)
{
    struct lint_stage *s = lint_stage_begin(&w->l, st);
    for (guint i = 0; s->scope->needed && i < s->scope->commands->len; i++)
        add_command(w, s, i);
}

static gboolean walk_needed_stages(struct outlining *w, const char *target, GError **err)
{
    struct scope *s = find_target(w, target, err);
    if (!s)
        return FALSE;
    w->x->name = g_strdup(s->stage->name);
    w->x->description = s->stage->name ? outline_description(s->stage->from, s->stage->name) : NULL;
    w->needed = lint_needed(&w->l, s);
    choose(w);
    add_globals(w);
    for (guint i = 0; i < w->l.df->n_stages; i++)
        add_stage(w, &w->l.df->stages[i]);
    return TRUE;
}

static void table_free(gpointer table)
{
    if (table)
        g_hash_table_unref(table);
}

struct outline *outline_new(const struct dockerfile *df, const struct lint_options *o, GError **err)
{
    g_autoptr(outline) x = g_new0(struct outline, 1);
    x->args = g_ptr_array_new_with_free_func(item_free);
    x->secrets = g_ptr_array_new_with_free_func(item_free);
    x->ssh = g_ptr_array_new_with_free_func(item_free);
    x->caches = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GHashTable) used = expand_names_new();
    g_autoptr(GHashTable) defines = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(table_free);
    struct outlining w = {
        .l = {.df = df, .o = o}, .x = x, .used = used, .args = args, .defines = defines};
    lint_scopes_init(&w.l);
    gboolean ok = walk_needed_stages(&w, o->target, err);
    g_clear_pointer(&w.needed, g_ptr_array_unref);
    lint_scopes_clear(&w.l);
    return ok ? g_steal_pointer(&x) : NULL;
}
