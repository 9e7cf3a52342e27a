#include "dockerfile/reach.h"

#include "dockerfile/mount.h"

#include <string.h>

/* Forward references whose cycle is looked for; beyond, they are just forward references. */
#define MAX_CYCLE_SEARCHES 100

/* Variables cannot stand where a stage must be known before any is. */
static gboolean refuse_variable(const struct scopes *x, const char *what, const char *name,
                                struct span at)
{
    const char *dollar = strchr(name, '$');
    if (!dollar || !dollar[1])
        return FALSE;
    if (!x->diags)
        return TRUE;
    diags_error(x->diags, at, "%s does not support variables", what);
    diags_hint(x->diags, "name the image in its own stage and copy from that: FROM %s AS name",
               name);
    return TRUE;
}

static struct scope *find_by_name(struct scopes *x, const char *name, struct span at)
{
    g_autofree char *lower = g_ascii_strdown(name, -1);
    struct scope *s = g_hash_table_lookup(x->by_name, lower);
    return s ? s : scopes_made(x, name, at);
}

static void refuse_index(const struct scopes *x, gint64 index, struct span at)
{
    if (!x->diags)
        return;
    diags_error(x->diags, at, "invalid stage index %" G_GINT64_FORMAT ": there %s %u stage%s",
                index, x->n_stages == 1 ? "is" : "are", x->n_stages, x->n_stages == 1 ? "" : "s");
    diags_hint(x->diags, "stages are numbered from 0; a name is safer: FROM … AS NAME");
}

static gboolean find_copy_source(struct scopes *x, const struct scope *s, struct stage_command *cmd)
{
    const char *from = instruction_flag_value(cmd->ins, "from");
    if (!*from)
        return TRUE;
    struct span at = scope_place(s, cmd, instruction_flag(cmd->ins, "from")->span);
    if (refuse_variable(x, "COPY --from", from, at))
        return FALSE;
    gint64 index;
    cmd->sources = g_new0(struct scope *, 1);
    cmd->n_sources = 1;
    if (!g_ascii_string_to_signed(from, 10, G_MININT, G_MAXINT, &index, NULL)) {
        cmd->sources[0] = find_by_name(x, from, at);
        return TRUE;
    }
    if (index < 0 || index >= x->n_stages) {
        refuse_index(x, index, at);
        return FALSE;
    }
    cmd->sources[0] = g_ptr_array_index(x->all, index);
    return TRUE;
}

static gboolean find_mount_sources(struct scopes *x, const struct scope *s,
                                   struct stage_command *cmd)
{
    cmd->n_sources = cmd->ins->n_mounts;
    if (cmd->n_sources == 0)
        return TRUE;
    cmd->sources = g_new0(struct scope *, cmd->n_sources);
    for (guint i = 0; i < cmd->n_sources; i++) {
        const struct mount_flag *m = &cmd->ins->mounts[i];
        struct span at = scope_place(s, cmd, m->flag->span);
        if (!m->from)
            continue;
        if (refuse_variable(x, "from= of RUN --mount", m->from, at))
            return FALSE;
        cmd->sources[i] = find_by_name(x, m->from, at);
    }
    return TRUE;
}

static gboolean find_sources(struct scopes *x, const struct scope *s, struct stage_command *cmd)
{
    gboolean ok = TRUE;
    if (cmd->ins->kind == INSTRUCTION_COPY)
        ok = find_copy_source(x, s, cmd);
    if (cmd->ins->kind == INSTRUCTION_RUN)
        ok = find_mount_sources(x, s, cmd);
    return ok || !x->diags;
}

void reach_push_sources(const struct scope *s, GPtrArray *stack)
{
    for (guint i = 0; i < s->commands->len; i++) {
        const struct stage_command *cmd = &g_array_index(s->commands, struct stage_command, i);
        for (guint k = 0; k < cmd->n_sources; k++)
            if (cmd->sources[k])
                g_ptr_array_add(stack, cmd->sources[k]);
    }
}

/* TRUE when from needs to, over COPY and RUN alone. Iterative: stages may be many. */
static gboolean leads_to(struct scope *from, const struct scope *to)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_ptr_array_add(stack, from);
    while (stack->len) {
        struct scope *s = g_ptr_array_steal_index(stack, stack->len - 1);
        if (s == to)
            return TRUE;
        if (!g_hash_table_add(seen, s))
            continue;
        reach_push_sources(s, stack);
    }
    return FALSE;
}

static struct span source_place(const struct scope *s, const struct stage_command *cmd, guint k)
{
    const struct flag *f = cmd->ins->kind == INSTRUCTION_RUN ? cmd->ins->mounts[k].flag
                                                             : instruction_flag(cmd->ins, "from");
    return scope_place(s, cmd, f->span);
}

/* FALSE with a diagnostic when source, the k-th of cmd, comes too late for s. */
static gboolean check_source(const struct scopes *x, const struct scope *s,
                             const struct stage_command *cmd, guint k, guint *searches)
{
    struct scope *source = cmd->sources[k];
    if (!source || source->index < s->index)
        return TRUE;
    gboolean cycle = ++*searches <= MAX_CYCLE_SEARCHES && leads_to(source, s);
    struct span at = source_place(s, cmd, k);
    if (cycle)
        diags_error(x->diags, at, "circular dependency detected on stage: %s", s->label);
    else if (s->needed)
        diags_error(x->diags, at,
                    "cannot copy from stage \"%s\", it needs to be defined before current "
                    "stage \"%s\"",
                    source->label, s->label);
    return !cycle && !s->needed;
}

/* Stages can only be copied from when they come earlier. */
static gboolean check_orders(const struct scopes *x)
{
    guint searches = 0;
    gboolean ok = TRUE;
    for (guint n = 0; x->diags && n < x->n_stages; n++) {
        const struct scope *s = g_ptr_array_index(x->all, n);
        for (guint i = 0; i < s->commands->len; i++) {
            const struct stage_command *cmd = &g_array_index(s->commands, struct stage_command, i);
            for (guint k = 0; k < cmd->n_sources && !diags_full(x->diags); k++)
                ok &= check_source(x, s, cmd, k, &searches);
        }
    }
    return ok;
}

gboolean scopes_link(struct scopes *x)
{
    for (guint i = 0; i < x->n_stages; i++) {
        struct scope *s = g_ptr_array_index(x->all, i);
        for (guint k = 0; k < s->commands->len; k++)
            if (!find_sources(x, s, &g_array_index(s->commands, struct stage_command, k)))
                return FALSE;
    }
    return check_orders(x);
}

/* A trigger of a base image's config, as an instruction of its own; NULL with a diagnostic. */
static const struct instruction *parse_trigger(struct scopes *x, const struct scope *s,
                                               const char *text)
{
    g_autoptr(diags) d = diags_new();
    g_autofree char *name = g_strdup_printf("the ONBUILD trigger of %s", s->base_name);
    g_autoptr(dockerfile) df = dockerfile_parse_trigger(text, name, d);
    if (!diags_has_errors(d)) {
        const struct instruction *ins = df->instructions[0];
        g_ptr_array_add(x->triggers, g_steal_pointer(&df));
        return ins;
    }
    const struct diag *first = g_ptr_array_index(d->items, 0);
    if (x->diags)
        diags_error(x->diags, s->place, "%s is wrong: %s (%s)", name, first->message, text);
    return NULL;
}

/* Those of the image that s starts from. */
static gboolean image_triggers(struct scopes *x, const struct scope *s, const GPtrArray *onbuild,
                               GArray *found)
{
    for (guint i = 0; onbuild && i < onbuild->len; i++) {
        struct stage_command cmd = {.ins = parse_trigger(x, s, g_ptr_array_index(onbuild, i)),
                                    .foreign = TRUE};
        if (!cmd.ins && x->diags)
            return FALSE;
        if (cmd.ins)
            g_array_append_val(found, cmd);
    }
    return TRUE;
}

/* Puts what ONBUILD of the base says before the stage's own instructions. */
static gboolean add_triggers(struct scopes *x, struct scope *s, const struct scope_conf *conf)
{
    g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(struct stage_command));
    const struct stage *base = s->base && !s->base->replaced ? s->base->stage : NULL;
    if (!image_triggers(x, s, conf->onbuild, found))
        return FALSE;
    for (guint i = 0; base && i < base->n_instructions; i++) {
        struct stage_command cmd = {.ins = base->instructions[i]->trigger};
        if (cmd.ins)
            g_array_append_val(found, cmd);
    }
    gboolean ok = TRUE;
    for (guint i = 0; ok && i < found->len; i++)
        ok = find_sources(x, s, &g_array_index(found, struct stage_command, i));
    s->n_triggers = found->len;
    g_array_prepend_vals(s->commands, found->data, found->len);
    return ok;
}

static gboolean need(struct scopes *x, GPtrArray *stack, struct scope *s)
{
    struct scope_conf conf = {0};
    s->needed = TRUE;
    if (!scope_base_conf(x, s, &conf))
        return FALSE;
    gboolean builds = s->stage && !s->replaced;
    if (builds && !add_triggers(x, s, &conf))
        return FALSE;
    reach_push_sources(s, stack);
    if (s->base)
        g_ptr_array_add(stack, s->base);
    return TRUE;
}

gboolean scopes_reach(struct scopes *x, const GPtrArray *targets, GPtrArray *order)
{
    gboolean ok = TRUE;
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_ptr_array_extend(stack, (GPtrArray *)targets, NULL, NULL);
    while (stack->len && !(x->diags && diags_full(x->diags))) {
        struct scope *s = g_ptr_array_steal_index(stack, stack->len - 1);
        if (s->needed)
            continue;
        g_ptr_array_add(order, s);
        ok &= need(x, stack, s);
    }
    return ok && check_orders(x);
}
