/* What the files of lowering add: vertices with their names, history, contexts; and what they do
 * first, substitution within limits. */
#include "graph/lowering.h"

#include <string.h>

#define LEVEL_COMMENT "varve:level="

const char *lower_build_arg(const struct lowering *lw, const char *name)
{
    return scopes_given(&lw->scopes, name);
}

struct span lower_place(const struct build_stage *s, const struct stage_command *cmd,
                        struct span at)
{
    return scope_place(s->scope, cmd, at);
}

gboolean lower_spend(struct lowering *lw, struct build_stage *s, gsize n)
{
    return scope_spend(&lw->scopes, s->scope, n);
}

char *lower_expand(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd,
                   const char *word, struct span at)
{
    return scope_expand(&lw->scopes, s->scope, cmd, word, at);
}

/* " (first line…)" of a heredoc. */
static void append_summary(GString *out, const char *content)
{
    const char *start = content + strspn(content, " \t\r\n");
    gsize n = strcspn(start, "\r\n");
    const char *rest = start + n + strspn(start + n, " \t\r\n");
    if (n)
        g_string_append_printf(out, " (%.*s%s)", (int)MIN(n, 60), start,
                               *rest || n > 60 ? "..." : "");
}

/* The instruction on one line. */
static char *command_name(struct build_stage *s, const struct stage_command *cmd)
{
    if (!cmd)
        return g_strconcat("FROM ", s->scope->base_name, NULL);
    const struct instruction *ins = cmd->ins;
    GString *out = g_string_new(instruction_name(ins->kind));
    for (guint i = 0; i < ins->n_flags; i++) {
        const struct flag *f = &ins->flags[i];
        g_string_append_printf(out, " --%s%s%s", f->name, f->value ? "=" : "",
                               f->value ? f->value : "");
    }
    for (const char *p = ins->rest; *p;) {
        gsize blanks = strspn(p, " \t\r\n\v\f"), n = strcspn(p + blanks, " \t\r\n\v\f");
        if (n)
            g_string_append_c(out, ' ');
        g_string_append_len(out, p + blanks, n);
        p += blanks + n;
    }
    if (ins->kind == INSTRUCTION_RUN && ins->n_heredocs)
        append_summary(out, ins->heredocs[0].content);
    return g_string_free(out, FALSE);
}

/* The level that the comment above cmd says, "# varve:level=NAME", or NULL. */
static const char *level_of(struct lowering *lw, struct build_stage *s,
                            const struct stage_command *cmd)
{
    static const char *const levels[] = {"system", "dependencies", "configuration", "source"};
    for (guint i = 0; cmd && !cmd->foreign && i < cmd->ins->n_comments; i++) {
        const char *comment = cmd->ins->comments[i];
        if (!g_str_has_prefix(comment, LEVEL_COMMENT))
            continue;
        const char *name = comment + strlen(LEVEL_COMMENT);
        for (guint k = 0; k < G_N_ELEMENTS(levels); k++)
            if (strcmp(name, levels[k]) == 0)
                return levels[k];
        diags_error(lw->diags, lower_place(s, cmd, cmd->ins->span),
                    "the comment above names an unknown level: %s", name);
        diags_hint(lw->diags, "levels are system, dependencies, configuration and source");
    }
    return NULL;
}

static const char *platform_of(struct lowering *lw, const struct build_stage *s)
{
    g_autofree char *text = platform_text(&s->platform);
    return graph_str(lw->graph, text);
}

static const char *target_of(struct lowering *lw, const struct build_stage *s)
{
    g_autofree char *text = platform_text(&lw->o->platform);
    return lw->o->several && !platform_equal(&s->platform, &lw->o->platform)
               ? graph_str(lw->graph, text)
               : NULL;
}

static const char *slot_of(struct lowering *lw, const struct build_stage *s, guint position)
{
    const char *prefix = lw->o->slot_prefix;
    g_autofree char *slot = g_strdup_printf("%s%s%s/%u", prefix ? prefix : "", prefix ? "|" : "",
                                            s->scope->label, position);
    return graph_str(lw->graph, slot);
}

struct vertex *lower_add(struct lowering *lw, struct build_stage *s,
                         const struct stage_command *cmd, const struct op *op,
                         struct vertex *const *inputs, guint n_inputs, gboolean internal)
{
    g_autofree char *name = command_name(s, cmd);
    const struct instruction *at = cmd && !cmd->foreign ? cmd->ins
                                   : s->scope->stage    ? s->scope->stage->from
                                                        : NULL;
    struct vertex_meta meta = {.name = graph_str(lw->graph, name),
                               .stage = s->scope->index >= 0 ? graph_str(lw->graph, s->scope->label)
                                                             : NULL,
                               .slot = slot_of(lw, s, cmd ? s->position : 0),
                               .platform = platform_of(lw, s),
                               .target = target_of(lw, s),
                               .level = internal ? NULL : level_of(lw, s, cmd),
                               .line = at ? (int)at->first_line : (int)s->scope->place.line,
                               .line_end = at ? (int)at->last_line : (int)s->scope->place.line,
                               .no_cache = s->no_cache && cmd && !internal,
                               .internal = internal};
    return graph_add(lw->graph, op, inputs, n_inputs, &meta);
}

void lower_history(struct lowering *lw, struct build_stage *s, const char *created_by,
                   gboolean empty_layer)
{
    image_conf_add_history(s->conf, created_by, empty_layer);
    struct history *h = g_ptr_array_index(s->conf->history, s->conf->history->len - 1);
    h->created = g_strdup(lw->o->created);
}

struct vertex *lower_document(struct lowering *lw, struct build_stage *s,
                              const struct stage_command *cmd, const char *name, const char *data,
                              guint32 mode)
{
    g_autofree char *dest = g_strconcat("/", name, NULL);
    gsize len = strlen(data);
    char *copy = graph_alloc0(lw->graph, len + 1);
    memcpy(copy, data, len);
    struct file_action *make = graph_alloc0(lw->graph, sizeof *make);
    *make = (struct file_action){.type = FILE_MKFILE,
                                 .input = -1,
                                 .secondary = -1,
                                 .output = TRUE,
                                 .dest = graph_str(lw->graph, dest),
                                 .data = copy,
                                 .data_len = len,
                                 .mode = mode,
                                 .mtime_ns = -1};
    struct op op = {.type = OP_FILE, .file = {.actions = make, .n_actions = 1}};
    return lower_add(lw, s, cmd, &op, NULL, 0, TRUE);
}

struct vertex *lower_local(struct lowering *lw, const struct named_context *c)
{
    const char *id = lw->o->context_id;
    struct op op = {.type = OP_SOURCE,
                    .source = {.kind = SOURCE_LOCAL,
                               .identifier = graph_str(lw->graph, c ? c->name : "context"),
                               .context = graph_str(lw->graph, id && c ? c->value : id)}};
    g_autofree char *text =
        c ? g_strdup_printf("the context %s", c->name) : g_strdup("the build context");
    struct vertex_meta meta = {.name = graph_str(lw->graph, text), .internal = TRUE};
    return graph_add(lw->graph, &op, NULL, 0, &meta);
}
