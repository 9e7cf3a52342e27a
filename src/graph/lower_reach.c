/* What the target needs: stages named by FROM, COPY --from and RUN --mount, images, triggers. */
#include "graph/lower_images.h"

#include "dockerfile/mount.h"

#include <string.h>

/* Forward references whose cycle is looked for; beyond, they are just forward references. */
#define MAX_CYCLE_SEARCHES 100

/* The stage made for an image (or named context) that no FROM brings in. */
static struct build_stage *made_stage(struct lowering *lw, const char *name, struct span place)
{
    struct build_stage *s = g_hash_table_lookup(lw->made, name);
    if (s)
        return s;
    s = lower_new_stage(lw);
    s->label = g_strdup(name);
    s->base_name = g_strdup(name);
    s->place = place;
    s->platform = lw->o->platform;
    g_hash_table_insert(lw->made, s->base_name, s);
    return s;
}

/* Reports variables where a stage must be known before any is. */
static gboolean refuse_variable(struct lowering *lw, const char *what, const char *name,
                                struct span at)
{
    const char *dollar = strchr(name, '$');
    if (!dollar || !dollar[1])
        return FALSE;
    diags_error(lw->diags, at, "%s does not support variables", what);
    diags_hint(lw->diags,
               "name the image in a stage of its own and copy from that: FROM %s AS name", name);
    return TRUE;
}

static struct build_stage *find_by_name(struct lowering *lw, const char *name, struct span at)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    struct build_stage *s = g_hash_table_lookup(lw->by_name, lower);
    return s ? s : made_stage(lw, name, at);
}

static gboolean find_copy_source(struct lowering *lw, struct build_stage *s, struct command *cmd)
{
    const char *from = instruction_flag_value(cmd->ins, "from");
    if (!*from)
        return TRUE;
    struct span at = lower_place(s, cmd, instruction_flag(cmd->ins, "from")->span);
    if (refuse_variable(lw, "COPY --from", from, at))
        return FALSE;
    gint64 index;
    cmd->sources = g_new0(struct build_stage *, 1);
    cmd->n_sources = 1;
    if (!g_ascii_string_to_signed(from, 10, G_MININT, G_MAXINT, &index, NULL)) {
        cmd->sources[0] = find_by_name(lw, from, at);
        return TRUE;
    }
    if (index < 0 || index >= lw->n_file_stages) {
        diags_error(lw->diags, at, "invalid stage index %" G_GINT64_FORMAT ": there %s %u stage%s",
                    index, lw->n_file_stages == 1 ? "is" : "are", lw->n_file_stages,
                    lw->n_file_stages == 1 ? "" : "s");
        diags_hint(lw->diags, "stages count from 0; names last longer: FROM … AS NAME");
        return FALSE;
    }
    cmd->sources[0] = g_ptr_array_index(lw->stages, index);
    return TRUE;
}

static gboolean find_mount_sources(struct lowering *lw, struct build_stage *s, struct command *cmd)
{
    cmd->n_sources = cmd->ins->n_flags;
    if (cmd->n_sources == 0)
        return TRUE;
    cmd->sources = g_new0(struct build_stage *, cmd->n_sources);
    for (guint i = 0; i < cmd->n_sources; i++) {
        const struct flag *f = &cmd->ins->flags[i];
        g_autofree char *from =
            strcmp(f->name, "mount") == 0 && f->value ? run_mount_peek_from(f->value) : NULL;
        struct span at = lower_place(s, cmd, f->span);
        if (!from)
            continue;
        if (refuse_variable(lw, "from= of RUN --mount", from, at))
            return FALSE;
        cmd->sources[i] = find_by_name(lw, from, at);
    }
    return TRUE;
}

static gboolean find_sources(struct lowering *lw, struct build_stage *s, struct command *cmd)
{
    if (cmd->ins->kind == INSTRUCTION_COPY)
        return find_copy_source(lw, s, cmd);
    if (cmd->ins->kind == INSTRUCTION_RUN)
        return find_mount_sources(lw, s, cmd);
    return TRUE;
}

/* TRUE when from needs to, over COPY and RUN alone. Iterative: stages may be many. */
static gboolean leads_to(struct lowering *lw, struct build_stage *from,
                         const struct build_stage *to)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_ptr_array_add(stack, from);
    while (stack->len) {
        struct build_stage *s = g_ptr_array_steal_index(stack, stack->len - 1);
        if (s == to)
            return TRUE;
        if (!g_hash_table_add(seen, s))
            continue;
        for (guint i = 0; i < s->commands->len; i++) {
            const struct command *cmd = &g_array_index(s->commands, struct command, i);
            for (guint k = 0; k < cmd->n_sources; k++)
                if (cmd->sources[k])
                    g_ptr_array_add(stack, cmd->sources[k]);
        }
    }
    return FALSE;
}

static struct span source_place(const struct build_stage *s, const struct command *cmd, guint k)
{
    const struct flag *f = cmd->ins->kind == INSTRUCTION_RUN ? &cmd->ins->flags[k]
                                                             : instruction_flag(cmd->ins, "from");
    return lower_place(s, cmd, f->span);
}

/* Stages can only be copied from when they come earlier. */
static gboolean check_order(struct lowering *lw, struct build_stage *s, guint *searches)
{
    gboolean ok = TRUE;
    for (guint i = 0; i < s->commands->len; i++) {
        const struct command *cmd = &g_array_index(s->commands, struct command, i);
        for (guint k = 0; k < cmd->n_sources && !diags_full(lw->diags); k++) {
            struct build_stage *source = cmd->sources[k];
            if (!source || source->index < s->index)
                continue;
            gboolean cycle = ++*searches <= MAX_CYCLE_SEARCHES && leads_to(lw, source, s);
            struct span at = source_place(s, cmd, k);
            if (cycle)
                diags_error(lw->diags, at, "circular dependency detected on stage: %s", s->label);
            else if (s->needed)
                diags_error(lw->diags, at,
                            "cannot copy from stage \"%s\", it needs to be defined before current "
                            "stage \"%s\"",
                            source->label, s->label);
            ok = ok && !cycle && !s->needed;
        }
    }
    return ok;
}

static gboolean check_orders(struct lowering *lw)
{
    guint searches = 0;
    gboolean ok = TRUE;
    for (guint i = 0; i < lw->n_file_stages && !diags_full(lw->diags); i++)
        ok &= check_order(lw, g_ptr_array_index(lw->stages, i), &searches);
    return ok;
}

/* A trigger of a base image's config, as an instruction of its own. */
static const struct instruction *parse_trigger(struct lowering *lw, struct build_stage *s,
                                               const char *text)
{
    g_autoptr(diags) d = diags_new();
    g_autofree char *name = g_strdup_printf("the ONBUILD trigger of %s", s->base_name);
    g_autoptr(dockerfile) df = dockerfile_parse_trigger(text, name, d);
    if (diags_has_errors(d)) {
        const struct diag *first = g_ptr_array_index(d->items, 0);
        diags_error(lw->diags, s->place, "%s is wrong: %s (%s)", name, first->message, text);
        return NULL;
    }
    const struct instruction *ins = df->instructions[0];
    g_ptr_array_add(lw->triggers, g_steal_pointer(&df));
    return ins;
}

/* Puts what ONBUILD of the base says before the stage's own instructions. */
static gboolean add_triggers(struct lowering *lw, struct build_stage *s)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct command));
    const struct build_stage *base = s->base;
    const struct image_conf *conf = base ? base->conf : s->conf;
    for (guint i = 0; conf && i < conf->onbuild->len; i++) {
        struct command cmd = {.ins = parse_trigger(lw, s, g_ptr_array_index(conf->onbuild, i)),
                              .foreign = TRUE};
        if (!cmd.ins)
            return FALSE;
        g_array_append_val(found, cmd);
    }
    for (guint i = 0; base && base->st && !base->override && i < base->st->n_instructions; i++) {
        struct command cmd = {.ins = base->st->instructions[i]->trigger};
        if (cmd.ins)
            g_array_append_val(found, cmd);
    }
    for (guint i = 0; i < found->len; i++)
        if (!find_sources(lw, s, &g_array_index(found, struct command, i)))
            return FALSE;
    g_array_prepend_vals(s->commands, found->data, found->len);
    if (!base && s->conf)
        g_ptr_array_set_size(s->conf->onbuild, 0);
    return TRUE;
}

static void push_sources(GPtrArray *stack, const struct build_stage *s)
{
    for (guint i = 0; i < s->commands->len; i++) {
        const struct command *cmd = &g_array_index(s->commands, struct command, i);
        for (guint k = 0; k < cmd->n_sources; k++)
            if (cmd->sources[k] && !cmd->sources[k]->needed)
                g_ptr_array_add(stack, cmd->sources[k]);
    }
}

/* What need() will ask for as far as the file tells: triggers may add to it. */
static void ask_early(struct lowering *lw, const GPtrArray *targets)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) starts = g_ptr_array_new(), stack = g_ptr_array_new();
    g_ptr_array_extend(stack, (GPtrArray *)targets, NULL, NULL);
    while (stack->len) {
        struct build_stage *s = g_ptr_array_steal_index(stack, stack->len - 1);
        if (!g_hash_table_add(seen, s))
            continue;
        g_ptr_array_add(s->base ? stack : starts, s->base ? s->base : s);
        if (!s->override && s->index >= 0)
            push_sources(stack, s);
    }
    lower_ask_images(lw, starts);
}

static gboolean need(struct lowering *lw, GPtrArray *stack, struct build_stage *s)
{
    s->needed = TRUE;
    if (s->base && s->base->override && !s->base->conf && !lower_base(lw, s->base))
        return FALSE;
    if (s->base)
        g_ptr_array_add(stack, s->base);
    else if (!s->conf && !lower_base(lw, s))
        return FALSE;
    s->done = s->override || s->index < 0;
    if (s->done)
        return TRUE;
    if (!add_triggers(lw, s))
        return FALSE;
    push_sources(stack, s);
    return TRUE;
}

gboolean lower_reach(struct lowering *lw, struct build_stage *target)
{
    for (guint i = 0; i < lw->n_file_stages && !diags_full(lw->diags); i++) {
        struct build_stage *s = g_ptr_array_index(lw->stages, i);
        for (guint k = 0; k < s->commands->len; k++)
            if (!find_sources(lw, s, &g_array_index(s->commands, struct command, k)))
                return FALSE;
    }
    if (!check_orders(lw))
        return FALSE;
    gboolean ok = TRUE;
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    for (guint i = 0; lw->o->all_stages && i < lw->n_file_stages; i++)
        g_ptr_array_add(stack, g_ptr_array_index(lw->stages, i));
    g_ptr_array_add(stack, target);
    ask_early(lw, stack);
    while (stack->len && !diags_full(lw->diags) && !(lw->err && *lw->err)) {
        struct build_stage *s = g_ptr_array_steal_index(stack, stack->len - 1);
        if (!s->needed)
            ok &= need(lw, stack, s);
    }
    return ok && check_orders(lw);
}
