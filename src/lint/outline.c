#include "lint/outline.h"

#include "base/error.h"
#include "base/path.h"
#include "base/suggest.h"
#include "dockerfile/expand.h"
#include "dockerfile/mount.h"
#include "lint/linting.h"

#include <string.h>

/* The work of outline_new(). */
struct outlining {
    struct lint l; /* for its scopes */
    struct outline *x;
    gboolean *needed; /* by stage: the target needs it */
    GHashTable *used; /* char* set: global ARGs that FROM of needed stages use */
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

static const struct stage *stage_called(const struct outlining *w, const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    const struct scope *s = g_hash_table_lookup(w->l.by_name, lower);
    gint64 index;
    if (s)
        return s->stage;
    if (g_ascii_string_to_signed(name, 10, 0, (gint64)w->l.df->n_stages - 1, &index, NULL))
        return &w->l.df->stages[index];
    return NULL;
}

static const struct stage *find_target(const struct outlining *w, const char *target, GError **err)
{
    const struct dockerfile *df = w->l.df;
    if (!target || !*target)
        return &df->stages[df->n_stages - 1];
    const struct stage *st = stage_called(w, target);
    if (st)
        return st;
    g_autofree const char **names =
        (const char **)g_hash_table_get_keys_as_array(w->l.by_name, NULL);
    const char *near = suggest_nearest(target, names, g_hash_table_size(w->l.by_name));
    error_set(err, VARVE_ERROR_USAGE, "there is no stage \"%s\" to be the target", target);
    if (near)
        error_add_next(err, "did you mean \"%s\"?", near);
    return NULL;
}

static void push(GPtrArray *stack, const struct outlining *w, const char *name)
{
    const struct stage *st = name && *name ? stage_called(w, name) : NULL;
    if (st && !w->needed[st->index])
        g_ptr_array_add(stack, (gpointer)st);
}

static void push_sources(GPtrArray *stack, const struct outlining *w, const struct instruction *ins)
{
    if (ins->kind == INSTRUCTION_COPY)
        push(stack, w, instruction_flag_value(ins, "from"));
    for (guint i = 0; ins->kind == INSTRUCTION_RUN && i < ins->n_flags; i++) {
        const struct flag *f = &ins->flags[i];
        g_autofree char *from =
            strcmp(f->name, "mount") == 0 && f->value ? run_mount_peek_from(f->value) : NULL;
        push(stack, w, from);
    }
}

/* Marks what the target needs, and the global arguments of their FROMs. */
static void reach(struct outlining *w, const struct stage *target)
{
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_ptr_array_add(stack, (gpointer)target);
    while (stack->len) {
        const struct stage *st = g_ptr_array_steal_index(stack, stack->len - 1);
        const struct scope *s = g_ptr_array_index(w->l.scopes, st->index);
        if (w->needed[st->index])
            continue;
        w->needed[st->index] = TRUE;
        g_free(scope_expand_global(&w->l, w->l.globals, st->base->text, w->used, w->used));
        g_free(st->platform
                   ? scope_expand_global(&w->l, w->l.globals, st->platform, w->used, w->used)
                   : NULL);
        if (s->base)
            push(stack, w, s->base->stage->name);
        for (guint i = 0; i < st->n_instructions; i++)
            push_sources(stack, w, st->instructions[i]);
    }
}

static void add_arg(struct outlining *w, const struct instruction *ins, const char *name,
                    char *value)
{
    struct outline_item *a = item(w->x->args, name, ins);
    if (!a->value)
        a->value = g_steal_pointer(&value);
    if (!a->description)
        a->description = outline_description(ins, name);
    g_free(value);
}

static void add_globals(struct outlining *w)
{
    for (guint i = 0; i < w->l.df->n_meta_args; i++) {
        const struct instruction *ins = w->l.df->meta_args[i];
        for (guint k = 0; k < ins->n_pairs; k++)
            if (g_hash_table_contains(w->used, ins->pairs[k].key))
                add_arg(w, ins, ins->pairs[k].key,
                        g_strdup(g_hash_table_lookup(w->l.globals, ins->pairs[k].key)));
    }
}

/* Expands values of mounts. */
struct mount_ctx {
    const struct lint *l;
    struct scope *s;
};

static char *expand_value(gpointer ctx, const char *value, GError **err)
{
    struct mount_ctx *m = ctx;
    char *out = scope_expand(m->l, m->s, value, NULL);
    return out ? out : g_strdup(value);
}

static void add_mount(struct outlining *w, struct scope *s, const struct instruction *ins,
                      const char *text)
{
    struct mount_ctx ctx = {&w->l, s};
    struct run_mount m = {0};
    if (!run_mount_parse(&m, text, expand_value, &ctx, NULL))
        return;
    GPtrArray *list = m.type == RUN_MOUNT_SECRET  ? w->x->secrets
                      : m.type == RUN_MOUNT_SSH   ? w->x->ssh
                      : m.type == RUN_MOUNT_CACHE ? w->x->caches
                                                  : NULL;
    const char *id = m.id ? m.id : m.type == RUN_MOUNT_SECRET && m.source ? m.source : m.target;
    if (!m.id && m.type == RUN_MOUNT_SSH)
        id = "default";
    g_autofree char *name = !id                                   ? NULL
                            : m.type == RUN_MOUNT_SECRET && !m.id ? path_base(id)
                                                                  : g_strdup(id);
    if (list && name)
        item(list, name, ins)->required |= m.required;
    run_mount_clear(&m);
}

static void add_instruction(struct outlining *w, struct scope *s, const struct instruction *ins)
{
    for (guint i = 0; ins->kind == INSTRUCTION_RUN && i < ins->n_flags; i++)
        if (strcmp(ins->flags[i].name, "mount") == 0 && ins->flags[i].value)
            add_mount(w, s, ins, ins->flags[i].value);
    scope_apply(&w->l, s, ins);
    for (guint i = 0; ins->kind == INSTRUCTION_ARG && i < ins->n_pairs; i++)
        add_arg(w, ins, ins->pairs[i].key,
                g_strdup(g_hash_table_lookup(s->vars, ins->pairs[i].key)));
}

/* Scopes are made for all stages first: names have to be known. Then those needed are walked. */
static gboolean describe(struct outlining *w, const char *target, GError **err)
{
    for (guint i = 0; i < w->l.df->n_stages; i++)
        scope_begin(&w->l, &w->l.df->stages[i]);
    const struct stage *st = find_target(w, target, err);
    if (!st)
        return FALSE;
    w->x->name = g_strdup(st->name);
    w->x->description = st->name ? outline_description(st->from, st->name) : NULL;
    reach(w, st);
    add_globals(w);
    for (guint i = 0; i < w->l.df->n_stages; i++) {
        const struct stage *s = &w->l.df->stages[i];
        for (guint k = 0; w->needed[i] && k < s->n_instructions; k++)
            add_instruction(w, g_ptr_array_index(w->l.scopes, i), s->instructions[k]);
    }
    return TRUE;
}

struct outline *outline_new(const struct dockerfile *df, const struct lint_options *o, GError **err)
{
    g_autofree gboolean *needed = g_new0(gboolean, df->n_stages);
    g_autoptr(outline) x = g_new0(struct outline, 1);
    x->args = g_ptr_array_new_with_free_func(item_free);
    x->secrets = g_ptr_array_new_with_free_func(item_free);
    x->ssh = g_ptr_array_new_with_free_func(item_free);
    x->caches = g_ptr_array_new_with_free_func(item_free);
    g_autoptr(GHashTable) used = expand_names_new();
    struct outlining w = {.l = {.df = df, .o = o}, .x = x, .needed = needed, .used = used};
    scope_init(&w.l);
    gboolean ok = describe(&w, o->target, err);
    scope_clear(&w.l);
    return ok ? g_steal_pointer(&x) : NULL;
}
