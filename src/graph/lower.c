#include "graph/lower.h"

#include "base/error.h"
#include "dockerfile/expand.h"
#include "graph/lower_images.h"

#include <string.h>

#define LEVEL_COMMENT "varve:level="

void resolved_image_clear(struct resolved_image *r)
{
    g_clear_pointer(&r->canonical, g_free);
    g_clear_pointer(&r->digest, g_free);
    g_clear_pointer(&r->conf, image_conf_free);
}

void lowered_free(struct lowered *l)
{
    if (!l)
        return;
    graph_unref(l->graph);
    image_conf_free(l->conf);
    g_free(l->stage);
    g_ptr_array_unref(l->bases);
    g_free(l);
}

const char *lower_build_arg(const struct lowering *lw, const char *name)
{
    const char *given = lw->o->build_args ? g_hash_table_lookup(lw->o->build_args, name) : NULL;
    gboolean resolved = given && lw->epoch_text && strcmp(name, "SOURCE_DATE_EPOCH") == 0;
    return resolved ? lw->epoch_text : given;
}

struct span lower_place(const struct build_stage *s, const struct command *cmd, struct span at)
{
    return cmd && cmd->foreign ? s->place : at;
}

gboolean lower_spend(struct lowering *lw, struct build_stage *s, gsize n)
{
    gboolean reported = lw->spent > LOWER_MAX_BYTES;
    lw->spent += n;
    if (lw->spent <= LOWER_MAX_BYTES || reported)
        return lw->spent <= LOWER_MAX_BYTES;
    diags_error(lw->diags, s->place,
                "the build is too large: its variables, commands and history take more than %d MiB",
                LOWER_MAX_BYTES >> 20);
    return FALSE;
}

char *lower_expand(struct lowering *lw, struct build_stage *s, const struct command *cmd,
                   const char *word, struct span at)
{
    struct expand x = {
        .lookup = vars_get, .ctx = &s->env, .escape = cmd->foreign ? '\\' : lw->df->escape};
    g_autoptr(GError) err = NULL;
    g_autofree char *out = expand_word(&x, word, &err);
    if (!out) {
        diags_gerror(lw->diags, lower_place(s, cmd, at), err);
        return NULL;
    }
    return lower_spend(lw, s, strlen(out)) ? g_steal_pointer(&out) : NULL;
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
static char *command_name(struct build_stage *s, const struct command *cmd)
{
    if (!cmd)
        return g_strconcat("FROM ", s->base_name, NULL);
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
static const char *level_of(struct lowering *lw, struct build_stage *s, const struct command *cmd)
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

static const char *slot_of(struct lowering *lw, const struct build_stage *s, guint position)
{
    const char *prefix = lw->o->slot_prefix;
    g_autofree char *slot =
        g_strdup_printf("%s%s%s/%u", prefix ? prefix : "", prefix ? "|" : "", s->label, position);
    return graph_str(lw->graph, slot);
}

struct vertex *lower_add(struct lowering *lw, struct build_stage *s, const struct command *cmd,
                         const struct op *op, struct vertex *const *inputs, guint n_inputs,
                         gboolean internal)
{
    g_autofree char *name = command_name(s, cmd);
    const struct instruction *at = cmd && !cmd->foreign ? cmd->ins : s->st ? s->st->from : NULL;
    struct vertex_meta meta = {.name = graph_str(lw->graph, name),
                               .stage = s->index >= 0 ? graph_str(lw->graph, s->label) : NULL,
                               .slot = slot_of(lw, s, cmd ? s->position : 0),
                               .platform = platform_of(lw, s),
                               .level = internal ? NULL : level_of(lw, s, cmd),
                               .line = at ? (int)at->first_line : (int)s->place.line,
                               .line_end = at ? (int)at->last_line : (int)s->place.line,
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

struct vertex *lower_result(struct lowering *lw, struct build_stage *s)
{
    lower_start(lw, s); /* stages made for an image have no instructions: this is all of them */
    return s->vertex;
}

struct vertex *lower_document(struct lowering *lw, struct build_stage *s, const struct command *cmd,
                              const char *name, const char *data, guint32 mode)
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

static gboolean lower_command(struct lowering *lw, struct build_stage *s, const struct command *cmd)
{
    s->position++;
    switch (cmd->ins->kind) {
    case INSTRUCTION_RUN:
        return lower_run(lw, s, cmd);
    case INSTRUCTION_COPY:
    case INSTRUCTION_ADD:
        return lower_copy(lw, s, cmd);
    case INSTRUCTION_WORKDIR:
        return lower_workdir(lw, s, cmd);
    default:
        return lower_config(lw, s, cmd);
    }
}

static gboolean must_stop(const struct lowering *lw)
{
    return diags_full(lw->diags) || lw->spent > LOWER_MAX_BYTES || *lw->err;
}

/* Takes over what the base stage ended with. */
static gboolean inherit(struct lowering *lw, struct build_stage *s)
{
    const struct build_stage *base = s->base;
    if (!lower_spend(lw, s, base->conf->history->len * 128 + vars_count(&base->env) * 64))
        return FALSE;
    s->vertex = base->vertex;
    s->conf = image_conf_copy(base->conf);
    g_ptr_array_set_size(s->conf->onbuild, 0);
    s->platform = base->platform;
    vars_copy(&s->env, &base->env);
    for (guint i = 0; i < base->args->len; i++) {
        char *name = g_strdup(g_ptr_array_index(base->args, i));
        g_ptr_array_add(s->args, name);
        g_hash_table_add(s->arg_names, name);
    }
    return TRUE;
}

static gboolean lower_stage(struct lowering *lw, struct build_stage *s)
{
    if (!(s->base ? inherit(lw, s) : lower_start(lw, s)))
        return FALSE;
    if (!image_conf_getenv(s->conf, "PATH"))
        image_conf_setenv(s->conf, "PATH",
                          "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    for (guint i = 0; i < s->conf->env->len; i++) {
        const char *pair = g_ptr_array_index(s->conf->env, i), *eq = strchr(pair, '=');
        g_autofree char *name = eq ? g_strndup(pair, eq - pair) : g_strdup(pair);
        vars_set(&s->env, name, eq ? eq + 1 : "");
    }
    gboolean ok = TRUE;
    for (guint i = 0; i < s->commands->len && !must_stop(lw); i++)
        ok &= lower_command(lw, s, &g_array_index(s->commands, struct command, i));
    s->done = TRUE;
    return ok;
}

/* Needed stages in the order of the file. An error spoils the build but not the search for more
 * errors. */
static gboolean lower_stages(struct lowering *lw)
{
    gboolean ok = TRUE;
    for (guint i = 0; i < lw->n_file_stages && !must_stop(lw); i++) {
        struct build_stage *s = g_ptr_array_index(lw->stages, i);
        if (s->needed && s->override)
            ok &= lower_start(lw, s);
        else if (s->needed && !s->done)
            ok &= lower_stage(lw, s);
    }
    return ok;
}

static void set_labels(const struct lower_options *o, struct image_conf *conf)
{
    for (const char *const *l = o->labels; l && *l; l++) {
        const char *eq = strchr(*l, '=');
        g_tree_replace(conf->labels, eq ? g_strndup(*l, eq - *l) : g_strdup(*l),
                       g_strdup(eq ? eq + 1 : ""));
    }
}

static GPtrArray *copy_bases(const struct lowering *lw)
{
    GPtrArray *bases = g_ptr_array_new_with_free_func((GDestroyNotify)image_conf_free);
    for (guint i = 0; i < lw->n_file_stages; i++) {
        const struct build_stage *s = g_ptr_array_index(lw->stages, i);
        g_ptr_array_add(bases, s->image ? image_conf_copy(s->image->conf) : NULL);
    }
    return bases;
}

static struct lowered *make_result(struct lowering *lw, struct build_stage *target)
{
    struct lowered *l = g_new0(struct lowered, 1);
    l->graph = g_steal_pointer(&lw->graph);
    l->result = target->vertex;
    l->conf = g_steal_pointer(&target->conf);
    l->stage = g_strdup(target->label);
    l->epoch = lw->epoch;
    l->bases = copy_bases(lw);
    l->conf->created = g_strdup(lw->o->created);
    /* Without a wish of the user's the image says what its base said, if that did. */
    if (!*l->conf->platform.arch || !platform_equal(&lw->o->platform, &lw->o->build_platform))
        l->conf->platform = lw->o->platform;
    set_labels(lw->o, l->conf);
    return l;
}

/* Both spellings of each proxy that was given; keys and history do not show them. */
static void set_proxies(struct lowering *lw)
{
    static const char *const names[] = {"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY",
                                        "ALL_PROXY"};
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *lower = g_ascii_strdown(names[i], -1);
        const char *value = lower_build_arg(lw, names[i]);
        value = value ? value : lower_build_arg(lw, lower);
        if (!value)
            continue;
        g_ptr_array_add(list, g_strconcat(names[i], "=", value, NULL));
        g_ptr_array_add(list, g_strconcat(lower, "=", value, NULL));
    }
    g_ptr_array_add(list, NULL);
    if (list->len > 1)
        lw->proxy_env = graph_strv(lw->graph, (const char *const *)list->pdata);
}

/* The graph outlives the options. */
static void copy_limits(struct lowering *lw)
{
    const struct lower_options *o = lw->o;
    struct host_ip *hosts = graph_alloc0(lw->graph, o->n_hosts * sizeof *hosts);
    for (guint i = 0; i < o->n_hosts; i++)
        hosts[i] = (struct host_ip){graph_str(lw->graph, o->hosts[i].host),
                                    graph_str(lw->graph, o->hosts[i].ip)};
    struct ulimit *ulimits = graph_alloc0(lw->graph, o->n_ulimits * sizeof *ulimits);
    for (guint i = 0; i < o->n_ulimits; i++) {
        ulimits[i] = o->ulimits[i];
        ulimits[i].name = graph_str(lw->graph, o->ulimits[i].name);
    }
    lw->hosts = hosts;
    lw->ulimits = ulimits;
}

static void lowering_init(struct lowering *lw)
{
    lw->graph = lw->o->graph ? graph_ref(lw->o->graph) : graph_new();
    lw->stages = g_ptr_array_new_with_free_func(lower_free_stage);
    lw->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    lw->made = g_hash_table_new(g_str_hash, g_str_equal);
    lw->images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, lower_free_asked);
    lw->triggers = g_ptr_array_new_with_free_func((GDestroyNotify)dockerfile_free);
    vars_init(&lw->globals);
    lw->epoch = -1;
}

static void lowering_clear(struct lowering *lw)
{
    graph_unref(lw->graph);
    g_hash_table_unref(lw->by_name);
    g_hash_table_unref(lw->made);
    g_hash_table_unref(lw->images);
    g_ptr_array_unref(lw->stages);
    g_ptr_array_unref(lw->triggers);
    vars_clear(&lw->globals);
    g_free(lw->epoch_text);
}

static gboolean check_syntax_arg(struct lowering *lw)
{
    const char *syntax = lower_build_arg(lw, "BUILDKIT_SYNTAX");
    if (!syntax || dockerfile_syntax_is_builtin(syntax))
        return TRUE;
    return error_set(lw->err, VARVE_ERROR_UNSUPPORTED,
                     "--build-arg BUILDKIT_SYNTAX=%s: custom frontends are not supported", syntax);
}

struct lowered *lower(const struct dockerfile *df, const struct lower_options *o, struct diags *d,
                      GError **err)
{
    g_autoptr(GError) local = NULL;
    struct lowering lw = {.df = df, .o = o, .diags = d, .err = &local};
    struct lowered *result = NULL;
    guint before = d->n_errors;
    lowering_init(&lw);
    set_proxies(&lw);
    copy_limits(&lw);
    if (check_syntax_arg(&lw) && lower_make_stages(&lw) && lower_epoch(&lw)) {
        struct build_stage *target = lower_find_target(&lw);
        if (target && lower_reach(&lw, target) && lower_stages(&lw) && d->n_errors == before)
            result = make_result(&lw, target);
    }
    lowering_clear(&lw);
    if (local)
        g_propagate_error(err, g_steal_pointer(&local));
    return result;
}
