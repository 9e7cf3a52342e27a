/* What the target needs, with the configs of base images, which their triggers come from. */
#include "graph/lower_images.h"

/* What will be needed as far as the file tells: triggers may add to it. */
static void ask_early(struct lowering *lw, const GPtrArray *targets)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) starts = g_ptr_array_new(), stack = g_ptr_array_new();
    g_ptr_array_extend(stack, (GPtrArray *)targets, NULL, NULL);
    while (stack->len) {
        struct scope *s = g_ptr_array_steal_index(stack, stack->len - 1);
        if (!g_hash_table_add(seen, s))
            continue;
        if (s->base)
            g_ptr_array_add(stack, s->base);
        else
            g_ptr_array_add(starts, lower_stage_of(lw, s));
        reach_push_sources(s, stack);
    }
    lower_ask_images(lw, starts);
}

gboolean lower_conf_of(gpointer lowering, struct scope *scope, struct scope_conf *out)
{
    struct lowering *lw = lowering;
    struct build_stage *s = lower_stage_of(lw, scope);
    if (*lw->err || (!s->conf && !lower_base(lw, s)))
        return FALSE;
    *out = (struct scope_conf){s->conf->env, s->conf->onbuild};
    return TRUE;
}

gboolean lower_reach(struct lowering *lw, struct build_stage *target)
{
    struct scopes *x = &lw->scopes;
    g_autoptr(GPtrArray) targets = g_ptr_array_new(), order = g_ptr_array_new();
    if (!scopes_link(x))
        return FALSE;
    for (guint i = 0; lw->o->all_stages && i < x->n_stages; i++)
        g_ptr_array_add(targets, g_ptr_array_index(x->all, i));
    g_ptr_array_add(targets, target->scope);
    ask_early(lw, targets);
    return scopes_reach(x, targets, order);
}
