#include "graph/lowering.h"

#include "base/digest.h"
#include "base/path.h"
#include "dockerfile/expand.h"
#include "text/chmod.h"
#include "text/giturl.h"
#include "text/pattern.h"

#include <string.h>

/* A COPY or ADD in the making. */
struct copy {
    struct lowering *lw;
    struct build_stage *s;
    const struct stage_command *cmd;
    gboolean add;             /* ADD */
    GPtrArray *inputs;        /* struct vertex*: what is changed (if not scratch), then sources */
    GArray *actions;          /* struct file_action */
    const char *dest;         /* absolute; a trailing '/' says directory */
    const char *owner, *mode; /* expanded, NULL: none */
    const char *checksum;     /* expanded, NULL: none */
    const char *const *excludes; /* expanded, NULL: none */
    guint n_paths;               /* sources that are no heredocs */
    int base;                    /* input number of what is changed, -1: scratch */
    gboolean parents;
    GString *history;
};

static gboolean wrong_copy(struct copy *c, struct span at, const char *message)
{
    diags_error(c->lw->diags, lower_place(c->s, c->cmd, at), "%s", message);
    return FALSE;
}

/* Expands a flag's value into the graph's memory; *out is NULL when it is empty or not given. */
static gboolean expand_flag(struct copy *c, const char *name, const char **out)
{
    const struct flag *f = instruction_flag(c->cmd->ins, name);
    *out = NULL;
    if (!f || !f->value || !*f->value)
        return TRUE;
    g_autofree char *value = lower_expand(c->lw, c->s, c->cmd, f->value, f->span);
    if (!value)
        return FALSE;
    *out = *value ? graph_str(c->lw->graph, value) : NULL;
    return TRUE;
}

static gboolean read_mode(struct copy *c)
{
    struct chmod parsed;
    g_autoptr(GError) err = NULL;
    if (!expand_flag(c, "chmod", &c->mode))
        return FALSE;
    if (!c->mode || chmod_parse(&parsed, c->mode, &err))
        return TRUE;
    diags_gerror(c->lw->diags,
                 lower_place(c->s, c->cmd, instruction_flag(c->cmd->ins, "chmod")->span), err);
    return FALSE;
}

static gboolean read_excludes(struct copy *c)
{
    const struct instruction *ins = c->cmd->ins;
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < ins->n_flags; i++) {
        const struct flag *f = &ins->flags[i];
        if (strcmp(f->name, "exclude") != 0 || !f->value)
            continue;
        char *value = lower_expand(c->lw, c->s, c->cmd, f->value, f->span);
        if (!value)
            return FALSE;
        g_ptr_array_add(list, value);
    }
    g_ptr_array_add(list, NULL);
    c->excludes = list->len > 1 ? graph_strv(c->lw->graph, (const char *const *)list->pdata) : NULL;
    return TRUE;
}

/* Where to: absolute and clean, with a '/' behind it when it must be a directory. */
static const char *destination(struct copy *c, const char *text)
{
    gsize n = strlen(text);
    const char *dir = c->s->conf->workdir && *c->s->conf->workdir ? c->s->conf->workdir : "/";
    gboolean slash =
        n == 0 || text[n - 1] == '/' || strcmp(text, ".") == 0 || g_str_has_suffix(text, "/.");
    g_autofree char *path = *text == '/' ? path_clean(text) : path_join("/", dir, text, NULL);
    g_autofree char *full = g_strconcat(path, slash && path[1] ? "/" : "", NULL);
    return graph_str(c->lw->graph, full);
}

static int add_input(struct copy *c, struct vertex *v)
{
    guint at;
    if (!g_ptr_array_find(c->inputs, v, &at)) {
        at = c->inputs->len;
        g_ptr_array_add(c->inputs, v);
    }
    return (int)at;
}

/* An action that copies src of v; what all sources have in common is set. Numbers are final once
 * all inputs are known: see finish_actions(). */
static struct file_action *add_action(struct copy *c, struct vertex *v, const char *src)
{
    struct file_action a = {.type = FILE_COPY,
                            .secondary = add_input(c, v),
                            .src = graph_str(c->lw->graph, src),
                            .dest = c->dest,
                            .owner = c->owner,
                            .mode_text = c->mode,
                            .excludes = c->excludes,
                            .create_dest_path = TRUE,
                            .mtime_ns = -1};
    g_array_append_val(c->actions, a);
    return &g_array_index(c->actions, struct file_action, c->actions->len - 1);
}

static gboolean add_git(struct copy *c, const struct giturl *git, const struct word *w)
{
    const struct instruction *ins = c->cmd->ins;
    const struct flag *keep = instruction_flag(ins, "keep-git-dir");
    if (!c->add)
        return wrong_copy(c, w->span, "source can't be a git ref for COPY; use ADD");
    gboolean flag = instruction_flag_on(ins, "keep-git-dir");
    if (keep && git->keep_git_dir != GIT_UNSET && flag != (git->keep_git_dir == GIT_YES))
        return wrong_copy(c, keep->span,
                          "inconsistent keep-git-dir configuration: the flag and the URL disagree");
    if (c->checksum && git->checksum && strcmp(c->checksum, git->checksum) != 0)
        return wrong_copy(c, instruction_flag(ins, "checksum")->span,
                          "checksum mismatch: the flag and the URL disagree");
    struct op op = {.type = OP_SOURCE, .source = lower_git_source(c->lw, git, c->checksum, flag)};
    struct vertex *v = lower_add(c->lw, c->s, c->cmd, &op, NULL, 0, TRUE);
    add_action(c, v, "")->dir_contents = TRUE;
    return TRUE;
}

static gboolean add_http(struct copy *c, const char *url, const struct word *w)
{
    if (!c->add)
        return wrong_copy(c, w->span, "source can't be a URL for COPY; use ADD");
    struct digest parsed;
    g_autoptr(GError) err = NULL;
    if (c->checksum && !digest_parse(&parsed, c->checksum, &err)) {
        diags_gerror(c->lw->diags,
                     lower_place(c->s, c->cmd, instruction_flag(c->cmd->ins, "checksum")->span),
                     err);
        return FALSE;
    }
    struct op op = {.type = OP_SOURCE,
                    .source = lower_http_source(c->lw, url, c->checksum ? &parsed : NULL)};
    struct vertex *v = lower_add(c->lw, c->s, c->cmd, &op, NULL, 0, TRUE);
    struct file_action *a = add_action(c, v, op.source.filename);
    a->attempt_unpack = instruction_flag_on(c->cmd->ins, "unpack");
    return TRUE;
}

/* A source path relative to its root; with --parents the "/./" that says where to cut is kept. */
static char *source_path(const char *text, gboolean parents)
{
    const char *pivot = parents ? strstr(text, "/./") : NULL;
    g_autofree char *head = pivot ? g_strndup(text, pivot - text) : NULL;
    g_autofree char *left = head ? path_join("/", head, NULL) : NULL;
    g_autofree char *right = path_join("/", pivot ? pivot + 3 : text, NULL);
    return left ? g_strconcat(left + 1, left[1] ? "/./" : "./", right + 1, NULL)
                : g_strdup(right + 1);
}

static gboolean add_path(struct copy *c, const char *text, const struct word *w)
{
    const struct stage_command *cmd = c->cmd;
    struct scope *from = cmd->n_sources ? cmd->sources[0] : NULL;
    g_autoptr(GError) err = NULL;
    if (c->checksum)
        return wrong_copy(c, instruction_flag(cmd->ins, "checksum")->span,
                          "checksum requires HTTP(S) or Git sources");
    if (!pattern_check(text, &err)) {
        diags_gerror(c->lw->diags, lower_place(c->s, cmd, w->span), err);
        return FALSE;
    }
    struct vertex *v =
        from ? lower_result(c->lw, lower_stage_of(c->lw, from)) : lower_local(c->lw, NULL);
    if (!v)
        v = lower_empty(c->lw, c->s, cmd); /* what can be found in scratch is found in this */
    g_autofree char *src = source_path(text, c->parents);
    struct file_action *a = add_action(c, v, src);
    a->written = graph_str(c->lw->graph, text);
    a->place = cmd->foreign ? 0 : (guint)(w - cmd->ins->words) + 1;
    const struct flag *unpack = instruction_flag(cmd->ins, "unpack");
    a->follow_symlink = a->dir_contents = TRUE;
    a->allow_wildcard = a->allow_empty_wildcard = TRUE;
    a->parents = c->parents;
    a->attempt_unpack = unpack ? instruction_flag_on(cmd->ins, "unpack") : c->add;
    return TRUE;
}

static gboolean add_source(struct copy *c, const struct word *w)
{
    g_autofree char *text = lower_expand(c->lw, c->s, c->cmd, w->text, w->span);
    g_autoptr(giturl) git = NULL;
    g_autoptr(GError) err = NULL;
    if (!text)
        return FALSE;
    g_string_append_printf(c->history, " %s", text);
    switch (lower_remote_kind(c->cmd->ins, text, &git, &err)) {
    case REMOTE_BAD:
        return wrong_copy(c, w->span, err->message);
    case REMOTE_GIT:
        return add_git(c, git, w);
    case REMOTE_HTTP:
        return add_http(c, text, w);
    case REMOTE_NONE:
        break;
    }
    return add_path(c, text, w);
}

static gboolean add_heredoc(struct copy *c, const struct word *w)
{
    const struct heredoc *h = w->heredoc;
    g_autofree char *text = h->chomp ? heredoc_chomp(h->content) : g_strdup(h->content);
    struct expand x = {.lookup = vars_get,
                       .ctx = &c->s->scope->env,
                       .escape = '\\',
                       .ignore_quotes = TRUE,
                       .max = EXPAND_MAX_TEXT};
    g_autoptr(GError) err = NULL;
    g_autofree char *expanded = h->expand ? expand_word(&x, text, &err) : NULL;
    if (h->expand && !expanded) {
        diags_gerror(c->lw->diags, lower_place(c->s, c->cmd, w->span), err);
        return FALSE;
    }
    const char *data = expanded ? expanded : text;
    if (!lower_spend(c->lw, c->s, strlen(data)))
        return FALSE;
    if (strchr(h->name, '/') || strcmp(h->name, "..") == 0 || strcmp(h->name, ".") == 0)
        return wrong_copy(c, w->span,
                          "the word of a heredoc is a file name here and cannot contain '/'");
    add_action(c, lower_document(c->lw, c->s, c->cmd, h->name, data, 0644), h->name);
    g_string_append_printf(c->history, " <<%s", h->name);
    return TRUE;
}

/* Sources in the order of the line, heredocs last, as Docker has them. */
static gboolean add_sources(struct copy *c)
{
    const struct instruction *ins = c->cmd->ins;
    for (guint pass = 0; pass < 2; pass++) {
        for (guint i = 0; i + 1 < ins->n_words; i++) {
            const struct word *w = &ins->words[i];
            gboolean doc = w->heredoc != NULL;
            if (doc == (pass == 1) && !(doc ? add_heredoc(c, w) : add_source(c, w)))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean read_flags(struct copy *c)
{
    const struct instruction *ins = c->cmd->ins;
    if (!expand_flag(c, "chown", &c->owner) || !expand_flag(c, "checksum", &c->checksum) ||
        !read_mode(c) || !read_excludes(c))
        return FALSE;
    c->parents = instruction_flag_on(ins, "parents");
    for (guint i = 0; i + 1 < ins->n_words; i++)
        c->n_paths += ins->words[i].heredoc == NULL;
    if (c->checksum && c->n_paths != 1)
        return wrong_copy(c, instruction_flag(ins, "checksum")->span,
                          "checksum can't be specified for multiple sources");
    if (c->owner)
        g_string_append_printf(c->history, " --chown=%s", c->owner);
    if (c->mode)
        g_string_append_printf(c->history, " --chmod=%s", c->mode);
    return TRUE;
}

/* Each action changes the result of the one before it. */
static void finish_actions(struct copy *c, struct file_op *op)
{
    guint n = c->actions->len;
    op->n_actions = n;
    op->n_inputs = c->inputs->len;
    op->actions = graph_alloc0(c->lw->graph, n * sizeof *op->actions);
    memcpy(op->actions, c->actions->data, n * sizeof *op->actions);
    for (guint i = 0; i < n; i++)
        op->actions[i].input = i == 0 ? c->base : (int)(op->n_inputs + i - 1);
    op->actions[n - 1].output = TRUE;
}

static gboolean finish_copy(struct copy *c, gboolean link)
{
    struct op op = {.type = OP_FILE};
    finish_actions(c, &op.file);
    struct vertex *under = c->s->vertex;
    struct vertex *v = lower_add(c->lw, c->s, c->cmd, &op, (struct vertex *const *)c->inputs->pdata,
                                 c->inputs->len, FALSE);
    if (link && under) {
        struct op merge = {.type = OP_MERGE};
        struct vertex *both[] = {under, v};
        v = lower_add(c->lw, c->s, c->cmd, &merge, both, 2, TRUE);
    }
    c->s->vertex = v;
    g_string_append(c->history, " # buildkit");
    if (!lower_spend(c->lw, c->s, c->history->len))
        return FALSE;
    lower_history(c->lw, c->s, c->history->str, FALSE);
    return TRUE;
}

static gboolean lower_all(struct copy *c)
{
    const struct instruction *ins = c->cmd->ins;
    const struct word *last = &ins->words[ins->n_words - 1];
    g_autofree char *dest = lower_expand(c->lw, c->s, c->cmd, last->text, last->span);
    if (!dest)
        return FALSE;
    c->dest = destination(c, dest);
    if (!read_flags(c))
        return FALSE;
    gboolean link = instruction_flag_on(ins, "link") && !c->mode;
    c->base = c->s->vertex && !link ? add_input(c, c->s->vertex) : -1;
    if (!add_sources(c))
        return FALSE;
    g_string_append_printf(c->history, " %s", dest);
    return finish_copy(c, link);
}

gboolean lower_copy(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new();
    g_autoptr(GArray) actions = g_array_new(FALSE, FALSE, sizeof(struct file_action));
    g_autoptr(GString) history = g_string_new(instruction_name(cmd->ins->kind));
    struct copy c = {.lw = lw,
                     .s = s,
                     .cmd = cmd,
                     .add = cmd->ins->kind == INSTRUCTION_ADD,
                     .inputs = inputs,
                     .actions = actions,
                     .history = history};
    return lower_all(&c);
}
