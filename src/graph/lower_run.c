#include "graph/lowering.h"

#include "base/path.h"
#include "dockerfile/mount.h"

#include <string.h>

#define SCRIPT_DIR "/dev/pipes"
#define SECRET_DIR "/run/secrets/"
#define SSH_SOCKET "/run/buildkit/ssh_agent"

/* A RUN in the making. */
struct run {
    struct lowering *lw;
    struct build_stage *s;
    const struct stage_command *cmd;
    GPtrArray *inputs; /* struct vertex* */
    GArray *mounts;    /* struct exec_mount */
    GPtrArray *args;   /* char*, owned */
    guint n_ssh;
};

/* Position of v among the inputs, -1 for scratch. */
static int add_input(struct run *r, struct vertex *v)
{
    guint at;
    if (!v)
        return -1;
    if (!g_ptr_array_find(r->inputs, v, &at)) {
        at = r->inputs->len;
        g_ptr_array_add(r->inputs, v);
    }
    return (int)at;
}

static const char *workdir(const struct build_stage *s)
{
    return s->conf->workdir && *s->conf->workdir ? s->conf->workdir : "/";
}

/* A mount's target as an absolute path; NULL: the working directory. */
static const char *absolute(struct run *r, const char *target)
{
    g_autofree char *path = target && *target == '/'
                                ? path_clean(target)
                                : path_join("/", workdir(r->s), target ? target : "", NULL);
    return graph_str(r->lw->graph, path);
}

static char *expand_value(gpointer ctx, const char *value, GError **err)
{
    struct run *r = ctx;
    struct expand x = scopes_expander(&r->lw->scopes, &r->s->scope->env, r->cmd->foreign);
    return expand_word(&x, value, err);
}

/* Path in a mount's source, relative to its root; NULL for the root. */
static const char *selector(struct run *r, const char *source)
{
    g_autofree char *path = path_join("/", source ? source : "", NULL);
    return path[1] ? graph_str(r->lw->graph, path + 1) : NULL;
}

static void fill_cache(struct run *r, const struct mount_spec *m, struct exec_mount *out)
{
    const char *space = lower_build_arg(r->lw, "BUILDKIT_CACHE_MOUNT_NS");
    g_autofree char *clean = path_clean(m->target ? m->target : "");
    g_autofree char *id = g_strconcat(space ? space : "", "/", m->id ? m->id : clean, NULL);
    out->cache_id = graph_str(r->lw->graph, id);
    out->sharing = m->sharing;
    out->mode = m->has_mode ? m->mode : 0755;
}

static void fill_secret(struct run *r, const struct mount_spec *m, struct exec_mount *out)
{
    g_autofree char *base = m->target ? path_base(m->target) : NULL;
    const char *id = m->source ? m->source : m->id ? m->id : base;
    g_autofree char *name = path_base(id);
    g_autofree char *usual = g_strconcat(SECRET_DIR, name, NULL);
    out->id = graph_str(r->lw->graph, id);
    out->env = graph_str(r->lw->graph, m->env);
    out->dest = m->target ? absolute(r, m->target) : m->env ? NULL : graph_str(r->lw->graph, usual);
    out->mode = m->has_mode ? m->mode : 0400;
}

static void fill_ssh(struct run *r, const struct mount_spec *m, struct exec_mount *out)
{
    g_autofree char *usual = g_strdup_printf(SSH_SOCKET ".%u", r->n_ssh++);
    out->id = graph_str(r->lw->graph, m->id ? m->id : "default");
    out->dest = m->target ? absolute(r, m->target) : graph_str(r->lw->graph, usual);
    out->mode = m->has_mode ? m->mode : 0600;
}

/* What a bind or cache mount shows. */
static void set_source(struct run *r, const struct mount_spec *m, guint k, struct exec_mount *out)
{
    const struct instruction *ins = r->cmd->ins;
    struct scope *from = r->cmd->sources[k];
    if (from)
        out->input = add_input(r, lower_result(r->lw, lower_stage_of(r->lw, from)));
    else if (m->type == MOUNT_BIND)
        out->input = add_input(r, lower_local(r->lw, NULL));
    out->selector = selector(r, m->source);
    out->written = graph_str(r->lw->graph, m->source);
    out->place = r->cmd->foreign ? 0 : (guint)(ins->mounts[k].flag - ins->flags) + 1;
}

/* The k-th --mount. */
static gboolean lower_mount(struct run *r, const struct mount_spec *m, guint k)
{
    struct exec_mount out = {.type = m->type,
                             .input = -1,
                             .readonly = m->readonly,
                             .uid = m->uid,
                             .gid = m->gid,
                             .optional = !m->required};
    if (m->type == MOUNT_SECRET) {
        fill_secret(r, m, &out);
    } else if (m->type == MOUNT_SSH) {
        fill_ssh(r, m, &out);
    } else {
        out.optional = FALSE;
        out.dest = absolute(r, m->target);
        if (m->type == MOUNT_TMPFS) {
            out.size = m->size;
        } else {
            if (m->type == MOUNT_CACHE)
                fill_cache(r, m, &out);
            set_source(r, m, k, &out);
        }
    }
    if (out.dest && strcmp(out.dest, "/") == 0) {
        diags_error(r->lw->diags, lower_place(r->s, r->cmd, r->cmd->ins->mounts[k].flag->span),
                    "invalid mount target \"/\"");
        if (!m->target)
            diags_hint(r->lw->diags,
                       "a mount without a target is mounted on the working directory, which is / "
                       "here: add target=, or a WORKDIR before this RUN");
        return FALSE;
    }
    g_array_append_val(r->mounts, out);
    return TRUE;
}

static gboolean add_mounts(struct run *r)
{
    const struct instruction *ins = r->cmd->ins;
    for (guint i = 0; i < ins->n_mounts; i++) {
        g_autoptr(GError) err = NULL;
        struct mount_spec m;
        if (!mount_spec_read(&m, &ins->mounts[i], expand_value, r, &err)) {
            diags_gerror(r->lw->diags, lower_place(r->s, r->cmd, ins->mounts[i].flag->span), err);
            return FALSE;
        }
        gboolean ok = lower_mount(r, &m, i);
        mount_spec_clear(&m);
        if (!ok)
            return FALSE;
    }
    return TRUE;
}

/* A heredoc that is all of the command: its text is the script. */
static void add_script(struct run *r, const struct heredoc *h, GString *line)
{
    g_autofree char *chomped = h->chomp ? heredoc_chomp(h->content) : NULL;
    const char *text = chomped ? chomped : h->content;
    if (strncmp(text, "#!", 2) != 0) {
        g_string_append(line, text);
        return;
    }
    /* With its own interpreter it must be a file. */
    struct exec_mount m = {.type = MOUNT_BIND, .dest = SCRIPT_DIR, .readonly = TRUE};
    m.input = add_input(r, lower_document(r->lw, r->s, r->cmd, h->name, text, 0755));
    g_array_append_val(r->mounts, m);
    g_string_append_printf(line, SCRIPT_DIR "/%s", h->name);
}

/* TRUE when the line is a heredoc's announcement and nothing else. */
static gboolean only_heredoc(const struct instruction *ins)
{
    const struct heredoc *h = &ins->heredocs[0];
    return ins->n_heredocs == 1 && ins->n_words == 1 && h->span.line == ins->words[0].span.line &&
           h->span.col == ins->words[0].span.col && h->span.len == ins->words[0].span.len;
}

static void lower_run_args(struct run *r)
{
    const struct instruction *ins = r->cmd->ins;
    if (ins->json) {
        for (guint i = 0; i < ins->n_words; i++)
            g_ptr_array_add(r->args, g_strdup(ins->words[i].text));
        return;
    }
    g_autoptr(GString) line = g_string_new(NULL);
    if (ins->n_heredocs && only_heredoc(ins)) {
        add_script(r, &ins->heredocs[0], line);
    } else {
        g_string_append(line, ins->n_words ? ins->words[0].text : "");
        for (guint i = 0; i < ins->n_heredocs; i++)
            g_string_append_printf(line, "\n%s%s", ins->heredocs[i].content, ins->heredocs[i].name);
    }
    char **shell = r->s->conf->shell;
    if (!shell || !*shell) {
        g_ptr_array_add(r->args, g_strdup("/bin/sh"));
        g_ptr_array_add(r->args, g_strdup("-c"));
    }
    for (; shell && *shell; shell++)
        g_ptr_array_add(r->args, g_strdup(*shell));
    g_ptr_array_add(r->args, g_strndup(line->str, line->len));
}

/* "RUN |2 A=1 B= /bin/sh -c …": declared arguments count as part of the command. */
static gboolean add_history(struct run *r)
{
    const struct scope *s = r->s->scope;
    g_autoptr(GString) text = g_string_new("RUN ");
    if (s->args->len)
        g_string_append_printf(text, "|%u ", s->args->len);
    for (guint i = 0; i < s->args->len; i++) {
        const char *name = g_ptr_array_index(s->args, i),
                   *value = vars_get((gpointer)&s->env, name);
        g_string_append_printf(text, "%s=%s ", name, value ? value : "");
    }
    for (guint i = 0; i < r->args->len; i++)
        g_string_append_printf(text, "%s%s", i ? " " : "",
                               (const char *)g_ptr_array_index(r->args, i));
    g_string_append(text, " # buildkit");
    if (!lower_spend(r->lw, r->s, text->len))
        return FALSE;
    lower_history(r->lw, r->s, text->str, FALSE);
    return TRUE;
}

static gboolean set_network(struct run *r, struct exec_op *e)
{
    const char *network = instruction_flag_value(r->cmd->ins, "network");
    e->network = strcmp(network, "none") == 0   ? NET_NONE
                 : strcmp(network, "host") == 0 ? NET_HOST
                                                : r->lw->o->network;
    if (strcmp(network, "host") != 0 || r->lw->o->allow_host_network ||
        r->lw->o->network == NET_HOST)
        return TRUE;
    diags_error(r->lw->diags,
                lower_place(r->s, r->cmd, instruction_flag(r->cmd->ins, "network")->span),
                "network.host is not allowed");
    diags_hint(r->lw->diags,
               "build with --allow network.host if this Dockerfile may use the host's network");
    return FALSE;
}

static gboolean set_security(struct run *r, struct exec_op *e)
{
    e->insecure = strcmp(instruction_flag_value(r->cmd->ins, "security"), "insecure") == 0;
    if (!e->insecure || r->lw->o->allow_insecure)
        return TRUE;
    diags_error(r->lw->diags,
                lower_place(r->s, r->cmd, instruction_flag(r->cmd->ins, "security")->span),
                "security.insecure is not allowed");
    diags_hint(
        r->lw->diags,
        "build with --allow security.insecure if this Dockerfile may do anything to this host");
    return FALSE;
}

/* The stage's variables as a list that lives with the graph. */
static const char *const *lower_run_env(struct run *r)
{
    struct vars *v = &r->s->scope->env;
    vars_flatten(v);
    const char **env = graph_alloc0(r->lw->graph, (vars_count(v) + 1) * sizeof *env);
    guint n = 0;
    for (guint i = 0; i < v->pairs->len; i++)
        if (v->pairs->pdata[i])
            env[n++] = graph_str(r->lw->graph, v->pairs->pdata[i]);
    return env;
}

/* Proxies that the stage does not set itself. */
static const char *const *make_proxies(struct run *r)
{
    if (!r->lw->proxy_env)
        return NULL;
    const char **list =
        graph_alloc0(r->lw->graph, (g_strv_length((char **)r->lw->proxy_env) + 1) * sizeof *list);
    guint n = 0;
    for (const char *const *p = r->lw->proxy_env; *p; p++) {
        g_autofree char *name = g_strndup(*p, strchr(*p, '=') - *p);
        if (!vars_get(&r->s->scope->env, name))
            list[n++] = *p;
    }
    return n ? list : NULL;
}

static gboolean set_exec(struct run *r, struct exec_op *e)
{
    const struct lower_options *o = r->lw->o;
    struct graph *g = r->lw->graph;
    if (!set_network(r, e) || !set_security(r, e) ||
        !lower_spend(r->lw, r->s, (vars_count(&r->s->scope->env) + 1) * sizeof(char *)))
        return FALSE;
    g_autofree char *cwd = path_clean(workdir(r->s));
    e->args = graph_strv(g, (const char *const *)r->args->pdata);
    e->env = lower_run_env(r);
    e->proxy_env = make_proxies(r);
    e->cwd = graph_str(g, cwd);
    e->user = r->s->conf->user && *r->s->conf->user ? graph_str(g, r->s->conf->user) : NULL;
    e->platform = r->s->platform;
    e->hostname = graph_str(g, lower_build_arg(r->lw, "BUILDKIT_SANDBOX_HOSTNAME"));
    e->n_mounts = r->mounts->len;
    e->mounts = graph_alloc0(g, e->n_mounts * sizeof *e->mounts);
    memcpy(e->mounts, r->mounts->data, e->n_mounts * sizeof *e->mounts);
    e->hosts = r->lw->hosts;
    e->n_hosts = o->n_hosts;
    e->ulimits = r->lw->ulimits;
    e->n_ulimits = o->n_ulimits;
    e->shm_size = o->shm_size;
    e->cgroup_parent = graph_str(g, o->cgroup_parent);
    return TRUE;
}

static gboolean finish_run(struct run *r)
{
    lower_run_args(r);
    if (!add_mounts(r) || !add_history(r))
        return FALSE;
    g_ptr_array_add(r->args, NULL);
    struct op op = {.type = OP_EXEC};
    if (!set_exec(r, &op.exec))
        return FALSE;
    r->s->vertex = lower_add(r->lw, r->s, r->cmd, &op, (struct vertex *const *)r->inputs->pdata,
                             r->inputs->len, FALSE);
    return TRUE;
}

gboolean lower_run(struct lowering *lw, struct build_stage *s, const struct stage_command *cmd)
{
    g_autoptr(GPtrArray) inputs = g_ptr_array_new();
    g_autoptr(GArray) mounts = g_array_new(FALSE, FALSE, sizeof(struct exec_mount));
    g_autoptr(GPtrArray) args = g_ptr_array_new_with_free_func(g_free);
    struct run r = {.lw = lw, .s = s, .cmd = cmd, .inputs = inputs, .mounts = mounts, .args = args};
    struct exec_mount root = {
        .type = MOUNT_BIND, .input = add_input(&r, s->vertex), .dest = "/", .output = TRUE};
    g_array_append_val(mounts, root);
    return finish_run(&r);
}
