/* Instructions that change the config only, and WORKDIR. */
#include "graph/lowering.h"

#include "base/path.h"
#include "graph/gotext.h"
#include "graph/ports.h"
#include "text/duration.h"
#include "text/signalname.h"

#include <string.h>

/* Adds a history entry without a layer. */
static gboolean record(struct lowering *lw, struct build_stage *s, const char *text)
{
    if (!lower_spend(lw, s, strlen(text)))
        return FALSE;
    lower_history(lw, s, text, TRUE);
    return TRUE;
}

/* The words of RUN-like instructions as a list, with the shell before a shell form. */
static char **command_words(struct build_stage *s, const struct instruction *ins, guint from)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    char **shell = ins->json ? NULL : s->conf->shell;
    for (; shell && *shell; shell++)
        g_ptr_array_add(list, g_strdup(*shell));
    if (!ins->json && list->len == 0) {
        g_ptr_array_add(list, g_strdup("/bin/sh"));
        g_ptr_array_add(list, g_strdup("-c"));
    }
    for (guint i = from; i < ins->n_words; i++)
        g_ptr_array_add(list, g_strdup(ins->words[i].text));
    if (!ins->json && ins->n_words == from)
        g_ptr_array_add(list, g_strdup(""));
    g_ptr_array_add(list, NULL);
    return (char **)g_ptr_array_steal(list, NULL);
}

static gboolean config_command(struct lowering *lw, struct build_stage *s,
                               const struct stage_command *cmd)
{
    gboolean entrypoint = cmd->ins->kind == INSTRUCTION_ENTRYPOINT;
    char **words = command_words(s, cmd->ins, 0);
    g_autoptr(GString) text = g_string_new(entrypoint ? "ENTRYPOINT " : "CMD ");
    gotext_append_quoted_list(text, (const char *const *)words);
    char ***field = entrypoint ? &s->conf->entrypoint : &s->conf->cmd;
    g_strfreev(*field);
    *field = words;
    if (entrypoint) {
        if (!*words)
            g_clear_pointer(&s->conf->entrypoint, g_strfreev);
        if (!s->cmd_set)
            g_clear_pointer(&s->conf->cmd, g_strfreev);
    } else {
        s->cmd_set = TRUE;
        s->conf->args_escaped = TRUE;
    }
    return record(lw, s, text->str);
}

/* ARG, ENV and LABEL. */
static gboolean config_pairs(struct lowering *lw, struct build_stage *s,
                             const struct stage_command *cmd)
{
    g_autoptr(GPtrArray) flat = scope_take_pairs(&lw->scopes, s->scope, cmd);
    g_autoptr(GString) text = g_string_new(instruction_name(cmd->ins->kind));
    for (guint i = 0; flat && i < flat->len; i += 2) {
        const char *key = flat->pdata[i], *value = flat->pdata[i + 1];
        g_string_append_printf(text, value ? " %s=%s" : " %s", key, value);
        if (cmd->ins->kind == INSTRUCTION_LABEL)
            g_tree_replace(s->conf->labels, g_strdup(key), g_strdup(value));
    }
    return flat && record(lw, s, text->str);
}

static int by_text(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const struct word *const *)a)->text, (*(const struct word *const *)b)->text);
}

static gboolean expose_word(struct lowering *lw, struct build_stage *s,
                            const struct stage_command *cmd, const struct word *w, GPtrArray *ports)
{
    struct expand x = scopes_expander(&lw->scopes, &s->scope->env, cmd->foreign);
    g_autoptr(GError) err = NULL;
    g_auto(GStrv) words = expand_words(&x, w->text, &err);
    gboolean ok = words != NULL;
    for (char **p = words; ok && *p; p++)
        ok = ports_parse(*p, ports, &err);
    if (!ok)
        diags_gerror(lw->diags, lower_place(s, cmd, w->span), err);
    return ok && lower_spend(lw, s, ports->len * 16);
}

static gboolean config_expose(struct lowering *lw, struct build_stage *s,
                              const struct stage_command *cmd)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    g_autoptr(GPtrArray) ports = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < cmd->ins->n_words; i++)
        g_ptr_array_add(sorted, (gpointer)&cmd->ins->words[i]);
    g_ptr_array_sort(sorted, by_text);
    for (guint i = 0; i < sorted->len; i++)
        if (!expose_word(lw, s, cmd, g_ptr_array_index(sorted, i), ports))
            return FALSE;
    for (guint i = 0; i < ports->len; i++)
        g_tree_replace(s->conf->ports, g_strdup(ports->pdata[i]), g_strdup(""));
    g_ptr_array_add(ports, NULL);
    g_autoptr(GString) text = g_string_new("EXPOSE ");
    gotext_append_list(text, (const char *const *)ports->pdata);
    return record(lw, s, text->str);
}

static gboolean config_volume(struct lowering *lw, struct build_stage *s,
                              const struct stage_command *cmd)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < cmd->ins->n_words; i++) {
        const struct word *w = &cmd->ins->words[i];
        char *path = lower_expand(lw, s, cmd, w->text, w->span);
        if (!path)
            return FALSE;
        g_ptr_array_add(list, path);
        if (!*path) {
            diags_error(lw->diags, lower_place(s, cmd, w->span),
                        "VOLUME specified can not be an empty string");
            return FALSE;
        }
        g_tree_replace(s->conf->volumes, g_strdup(path), g_strdup(""));
    }
    g_ptr_array_add(list, NULL);
    g_autoptr(GString) text = g_string_new("VOLUME ");
    gotext_append_list(text, (const char *const *)list->pdata);
    return record(lw, s, text->str);
}

static gboolean config_shell(struct lowering *lw, struct build_stage *s,
                             const struct stage_command *cmd)
{
    g_autoptr(GString) text = g_string_new("SHELL ");
    g_strfreev(s->conf->shell);
    s->conf->shell = command_words(s, cmd->ins, 0);
    gotext_append_list(text, (const char *const *)s->conf->shell);
    return record(lw, s, text->str);
}

/* USER, STOPSIGNAL, MAINTAINER. */
static gboolean config_single(struct lowering *lw, struct build_stage *s,
                              const struct stage_command *cmd)
{
    const struct word *w = &cmd->ins->words[0];
    gboolean literal = cmd->ins->kind == INSTRUCTION_MAINTAINER;
    g_autofree char *value =
        literal ? g_strdup(w->text) : lower_expand(lw, s, cmd, w->text, w->span);
    if (!value)
        return FALSE;
    if (cmd->ins->kind == INSTRUCTION_STOPSIGNAL && !signalname_valid(value)) {
        const char *near = signalname_nearest(value);
        diags_error(lw->diags, lower_place(s, cmd, w->span), "invalid signal: %s", value);
        diags_hint(lw->diags, near ? "did you mean SIG%s?" : "write a name or a number, like SIG%s",
                   near ? near : "TERM");
        return FALSE;
    }
    g_autofree char *text = g_strconcat(instruction_name(cmd->ins->kind), " ", value, NULL);
    char **field = literal                                    ? &s->conf->author
                   : cmd->ins->kind == INSTRUCTION_STOPSIGNAL ? &s->conf->stop_signal
                                                              : &s->conf->user;
    g_free(*field);
    *field = g_steal_pointer(&value);
    return record(lw, s, text);
}

static struct healthcheck *make_health(const struct instruction *ins)
{
    struct healthcheck *h = g_new0(struct healthcheck, 1);
    g_autoptr(GPtrArray) test = g_ptr_array_new();
    gboolean none = strcmp(ins->words[0].text, "NONE") == 0;
    g_ptr_array_add(test, g_strdup(none ? "NONE" : ins->json ? "CMD" : "CMD-SHELL"));
    for (guint i = 1; i < ins->n_words; i++)
        g_ptr_array_add(test, g_strdup(ins->words[i].text));
    g_ptr_array_add(test, NULL);
    h->test = (char **)g_ptr_array_steal(test, NULL);
    if (none)
        return h;
    h->interval = ins->health->interval;
    h->timeout = ins->health->timeout;
    h->start_period = ins->health->start_period;
    h->start_interval = ins->health->start_interval;
    h->retries = ins->health->retries;
    return h;
}

static gboolean config_healthcheck(struct lowering *lw, struct build_stage *s,
                                   const struct stage_command *cmd)
{
    struct healthcheck *h = make_health(cmd->ins);
    healthcheck_free(s->conf->health);
    s->conf->health = h;
    const gint64 times[] = {h->interval, h->timeout, h->start_period, h->start_interval};
    g_autoptr(GString) text = g_string_new("HEALTHCHECK &{");
    gotext_append_quoted_list(text, (const char *const *)h->test);
    for (guint i = 0; i < G_N_ELEMENTS(times); i++) {
        g_autofree char *t = duration_text(times[i]);
        g_string_append_printf(text, " \"%s\"", t);
    }
    g_string_append_c(text, ' ');
    gotext_append_rune(text, h->retries);
    g_string_append_c(text, '}');
    return record(lw, s, text->str);
}

gboolean lower_config(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd)
{
    switch (cmd->ins->kind) {
    case INSTRUCTION_CMD:
    case INSTRUCTION_ENTRYPOINT:
        return config_command(lw, s, cmd);
    case INSTRUCTION_ARG:
    case INSTRUCTION_ENV:
    case INSTRUCTION_LABEL:
        return config_pairs(lw, s, cmd);
    case INSTRUCTION_EXPOSE:
        return config_expose(lw, s, cmd);
    case INSTRUCTION_VOLUME:
        return config_volume(lw, s, cmd);
    case INSTRUCTION_SHELL:
        return config_shell(lw, s, cmd);
    case INSTRUCTION_USER:
    case INSTRUCTION_STOPSIGNAL:
    case INSTRUCTION_MAINTAINER:
        return config_single(lw, s, cmd);
    case INSTRUCTION_HEALTHCHECK:
        return config_healthcheck(lw, s, cmd);
    case INSTRUCTION_ONBUILD:
        g_ptr_array_add(s->conf->onbuild, g_strdup(cmd->ins->trigger_text));
        return TRUE;
    default:
        diags_error(lw->diags, lower_place(s, cmd, cmd->ins->span), "%s is not allowed here",
                    instruction_name(cmd->ins->kind));
        return FALSE;
    }
}

gboolean lower_workdir(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd)
{
    const struct word *w = &cmd->ins->words[0];
    g_autofree char *value = lower_expand(lw, s, cmd, w->text, w->span);
    if (!value)
        return FALSE;
    /* An absolute path is recorded as written. */
    const char *old = s->conf->workdir ? s->conf->workdir : "/";
    char *dir = *value == '/' ? g_strdup(value) : path_join("/", old, value, NULL);
    g_free(s->conf->workdir);
    s->conf->workdir = dir;
    g_autofree char *text = g_strconcat("WORKDIR ", dir, NULL);
    if (!lower_spend(lw, s, strlen(text)))
        return FALSE;
    lower_history(lw, s, text, strcmp(dir, "/") == 0);
    if (strcmp(dir, "/") == 0)
        return TRUE;
    g_autofree char *clean = path_clean(dir);
    struct file_action *make = graph_alloc0(lw->graph, sizeof *make);
    *make = (struct file_action){.type = FILE_MKDIR,
                                 .input = s->vertex ? 0 : -1,
                                 .secondary = -1,
                                 .output = TRUE,
                                 .dest = graph_str(lw->graph, clean),
                                 .mode = 0755,
                                 .make_parents = TRUE,
                                 .mtime_ns = -1};
    make->owner = s->conf->user && *s->conf->user ? graph_str(lw->graph, s->conf->user) : NULL;
    struct op op = {.type = OP_FILE,
                    .file = {.actions = make, .n_actions = 1, .n_inputs = s->vertex ? 1 : 0}};
    s->vertex = lower_add(lw, s, cmd, &op, s->vertex ? &s->vertex : NULL, s->vertex ? 1 : 0, FALSE);
    return TRUE;
}
