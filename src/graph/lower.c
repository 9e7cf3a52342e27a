#include "graph/lower.h"

#include "base/error.h"
#include "graph/lower_images.h"
#include "graph/lowering.h"

#include <string.h>

void resolved_image_clear(struct resolved_image *r)
{
    g_clear_pointer(&r->canonical, g_free);
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

static gboolean lower_command(struct lowering *lw, struct build_stage *s,
                              const struct stage_command *cmd)
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
    return diags_full(lw->diags) || lw->scopes.spent > SCOPES_MAX_BYTES || *lw->err;
}

/* Takes over what the base stage ended with. */
static gboolean inherit(struct lowering *lw, struct build_stage *s)
{
    const struct build_stage *base = lower_stage_of(lw, s->scope->base);
    if (!lower_spend(lw, s, base->conf->history->len * 128))
        return FALSE;
    s->vertex = base->vertex;
    s->conf = image_conf_copy(base->conf);
    s->platform = base->platform;
    return TRUE;
}

static gboolean lower_stage(struct lowering *lw, struct build_stage *s)
{
    if (!(s->scope->base ? inherit(lw, s) : lower_start(lw, s)) ||
        !scope_start(&lw->scopes, s->scope))
        return FALSE;
    g_ptr_array_set_size(s->conf->onbuild, 0); /* they are among the commands */
    g_ptr_array_unref(s->conf->env);
    s->conf->env = g_ptr_array_ref(s->scope->config); /* ENV says what both hold */
    gboolean ok = TRUE;
    for (guint i = 0; i < s->scope->commands->len && !must_stop(lw); i++)
        ok &= lower_command(lw, s, &g_array_index(s->scope->commands, struct stage_command, i));
    s->done = TRUE;
    return ok;
}

/* Needed stages in the order of the file. After an error, lowering continues to find more errors.
 */
static gboolean lower_stages(struct lowering *lw)
{
    gboolean ok = TRUE;
    for (guint i = 0; i < lw->scopes.n_stages && !must_stop(lw); i++) {
        struct build_stage *s = lower_stage_of(lw, g_ptr_array_index(lw->scopes.all, i));
        if (s->scope->needed)
            ok &= s->override ? lower_start(lw, s) : lower_stage(lw, s);
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

static GPtrArray *copy_bases(struct lowering *lw)
{
    GPtrArray *bases = g_ptr_array_new_with_free_func((GDestroyNotify)image_conf_free);
    for (guint i = 0; i < lw->scopes.n_stages; i++) {
        const struct build_stage *s = lower_stage_of(lw, g_ptr_array_index(lw->scopes.all, i));
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
    l->stage = g_strdup(target->scope->label);
    l->epoch = lw->epoch;
    l->bases = copy_bases(lw);
    l->conf->created = g_strdup(lw->o->created);
    /* Unless the user sets it, the image keeps the base's value, if any. */
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
    lw->images = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, lower_free_asked);
    lw->scopes = (struct scopes){.df = lw->df,
                                 .build_args = lw->o->build_args,
                                 .diags = lw->diags,
                                 .conf_of = lower_conf_of,
                                 .ctx = lw};
    lw->epoch = -1;
}

static void lowering_clear(struct lowering *lw)
{
    graph_unref(lw->graph);
    g_hash_table_unref(lw->images);
    g_ptr_array_unref(lw->stages);
    scopes_clear(&lw->scopes);
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
