/* Which stages a target needs. */
#include "lint/linting.h"

#include "dockerfile/mount.h"

#include <string.h>

static const struct stage *stage_called(const struct lint *l, const char *name)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    const struct scope *s = g_hash_table_lookup(l->by_name, lower);
    gint64 index;
    if (s)
        return s->stage;
    if (g_ascii_string_to_signed(name, 10, 0, (gint64)l->df->n_stages - 1, &index, NULL))
        return &l->df->stages[index];
    return NULL;
}

const struct stage *reach_target(const struct lint *l, const char *target)
{
    return target && *target ? stage_called(l, target) : &l->df->stages[l->df->n_stages - 1];
}

static void push(GPtrArray *stack, const struct lint *l, const char *name)
{
    const struct stage *st = name && *name ? stage_called(l, name) : NULL;
    if (st)
        g_ptr_array_add(stack, (gpointer)st);
}

static void push_sources(GPtrArray *stack, const struct lint *l, const struct instruction *ins)
{
    if (ins->kind == INSTRUCTION_COPY)
        push(stack, l, instruction_flag_value(ins, "from"));
    for (guint i = 0; ins->kind == INSTRUCTION_RUN && i < ins->n_flags; i++) {
        const struct flag *f = &ins->flags[i];
        g_autofree char *from =
            strcmp(f->name, "mount") == 0 && f->value ? run_mount_peek_from(f->value) : NULL;
        push(stack, l, from);
    }
}

GPtrArray *reach_stages(const struct lint *l, const struct stage *target)
{
    GPtrArray *order = g_ptr_array_new();
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_autofree gboolean *seen = g_new0(gboolean, l->df->n_stages);
    g_ptr_array_add(stack, (gpointer)target);
    while (stack->len) {
        const struct stage *st = g_ptr_array_steal_index(stack, stack->len - 1);
        const struct scope *s = g_ptr_array_index(l->scopes, st->index);
        if (seen[st->index])
            continue;
        seen[st->index] = TRUE;
        g_ptr_array_add(order, (gpointer)st);
        for (guint i = 0; i < st->n_instructions; i++)
            push_sources(stack, l, st->instructions[i]);
        if (s->base)
            g_ptr_array_add(stack, (gpointer)s->base->stage);
    }
    return order;
}
