#include "build/building.h"

#include "base/error.h"
#include "base/fs.h"
#include "exec/hostca.h"
#include "source/presence.h"
#include "text/giturl.h"
#include "base/work.h"

#include <string.h>

static void open_sources(struct build *b)
{
    const struct build_request *r = b->r;
    struct sources_options so = {.store = b->store,
                                 .registry = b->config->registry,
                                 .env = session_env(b->session),
                                 .events = b->ports.events,
                                 .cancel = b->ports.cancel,
                                 .secrets = r->secrets,
                                 .ssh = r->ssh,
                                 .pull = r->pull};
    const struct source_contexts contexts = {.dir = b->input.context_dir,
                                             .archive = b->input.context_archive,
                                             .ignore = b->input.ignore,
                                             .named = r->contexts};
    b->sources = sources_new(&so);
    sources_add_contexts(b->sources, &contexts);
    presence_install(b->store, &(struct presence_options){.registry = so.registry,
                                                          .cache = b->cache_reader,
                                                          .events = so.events,
                                                          .cancel = so.cancel,
                                                          .refused = so.pull == PULL_NEVER});
}

static void begin_history(struct build *b)
{
    const struct build_request *r = b->r;
    b->row.name = g_strdup(r->name ? r->name : b->input.context_label);
    b->row.target = g_strdup(r->target ? r->target : "");
    b->row.platform = build_platforms_text(r, ",");
    b->row.started_us = g_get_real_time();
    b->row.status = -1;
    b->row.id = store_build_begin(b->store, &b->row, NULL);
    b->result.id = b->row.id;
    b->result.name = b->row.name;
}

static gboolean solve(struct build *b, GError **err)
{
    g_autofree char *ca = NULL;
    if (b->r->host_ca && !(ca = hostca_find(b->r->ca_bundle, err)))
        return FALSE;
    b->nets = netpool_new(b->config->network);
    const struct build_leg *first = g_ptr_array_index(b->result.legs, 0);
    gint64 epoch = first->lowered->epoch;
    gint64 now_ns = epoch >= 0 ? epoch * 1000000000 : g_get_real_time() * 1000;
    struct solver_options so = {.store = b->store,
                                .env = sources_env(b->sources),
                                .events = b->ports.events,
                                .cancel = b->ports.cancel,
                                .build_id = b->row.id,
                                .now_ns = now_ns,
                                .host_ca = ca,
                                .max_parallel = b->r->parallel,
                                .resources = &b->r->resources,
                                .nets = b->nets,
                                .snapshots = b->config->snapshots,
                                .cache = b->cache_reader,
                                .finished = build_step_finished,
                                .finished_ctx = b,
                                .keep_failed = b->r->keep_failed};
    if (!build_write_caches(b, err))
        return FALSE;
    so.share = b->cache_share;
    so.publishes = build_publishes;
    b->solver = solver_new(b->result.graph, &so);
    gboolean ok = build_solve_legs(b, err);
    sources_save(b->sources);
    return ok;
}

static gboolean any_lost_own(struct build *b)
{
    for (guint i = 0; i < b->result.legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        if (solver_lost_own(b->solver, leg->chain))
            return TRUE;
    }
    return FALSE;
}

/* Layers that an output needs may turn out to be lost: then the steps that made them run. */
static gboolean make_lasting_outputs(struct build *b, GError **err)
{
    for (;;) {
        guint lost = store_layers_lost(b->store);
        gboolean again = FALSE;
        GError *why = NULL;
        if (build_make_outputs(b, &why))
            return TRUE;
        if (store_layers_lost(b->store) > lost && (b->cache_reader || any_lost_own(b)))
            event_warn(b->ports.events, "a result is lost, so its step runs again: %s",
                       why->message);
        if (store_layers_lost(b->store) > lost)
            solver_forget_lost(b->solver, &again);
        if (!again) {
            g_propagate_error(err, why);
            return FALSE;
        }
        g_error_free(why);
        g_clear_pointer(&b->result.outputs, g_array_unref);
        if (!build_solve_legs(b, err))
            return FALSE;
        build_collect_steps(b);
    }
}

char *build_title(const struct build_request *r)
{
    g_autofree char *platform = build_platforms_text(r, ", ");
    g_autofree char *label = r->name ? g_strdup(r->name) : build_context_label(r);
    return g_strdup_printf("%s · %s", label, platform);
}

/* The store and the configuration. */
static gboolean open_all(struct build *b, GError **err)
{
    b->store = session_store(b->session, b->ports.events, err);
    if (!b->store)
        return FALSE;
    b->config = session_config(b->session, b->ports.events, err);
    if (!b->config)
        return FALSE;
    session_show_waits(b->store, b->ports.events);
    return TRUE;
}

/* A directory is read before anything is opened: a mistake in a Dockerfile needs no store. */
static gboolean open_inputs(struct build *b, GError **err)
{
    gboolean url = b->r->file && giturl_is_web(b->r->file);
    if (b->r->context_kind == BUILD_CONTEXT_DIR && !url)
        return build_read(b, err) && open_all(b, err);
    return open_all(b, err) && build_open_context(b, err) &&
           (!url || build_fetch_dockerfile(b, err)) && build_read(b, err);
}

static gboolean has_stage(const struct dockerfile *df, const char *name)
{
    for (guint i = 0; i < df->n_stages; i++)
        if (df->stages[i].name && g_ascii_strcasecmp(df->stages[i].name, name) == 0)
            return TRUE;
    return FALSE;
}

/* Docker does not report it, so scripts may name stages that only some of their files have. */
static void note_filters(const struct build *b)
{
    for (char **f = b->r->no_cache_filter; f && *f; f++)
        if (!has_stage(b->result.df, *f))
            event_note(b->ports.events, "--no-cache-filter %s: there is no stage of this name", *f);
}

gboolean build_prepare(struct build *b, GError **err)
{
    if (!open_inputs(b, err) || !build_read_caches(b, err))
        return FALSE;
    note_filters(b);
    build_note_unused_args(b);
    open_sources(b);
    return build_lower_legs(b, err);
}

static gboolean run_phases(struct build *b, GError **err)
{
    const struct build_leg *first = g_ptr_array_index(b->result.legs, 0);
    if (!build_check_outputs(b, err) || !build_prepare(b, err) || !build_lint(b, err) ||
        !build_settle_times(b->r, first->lowered->epoch, &b->times, err))
        return FALSE;
    begin_history(b);
    gboolean ok = solve(b, err);
    build_collect_steps(b);
    if (ok)
        build_note_nothing_copied(b);
    ok = ok && make_lasting_outputs(b, err) && build_finish_caches(b, err);
    build_report_caches(b);
    return ok;
}

gboolean build_run(struct build *b, GError **err)
{
    GError *local = NULL;
    struct work work = {b->ports.cancel, session_slots(b->session), -1, b->ports.events};
    const struct work *outer = work_enter(&work);
    gboolean ok = run_phases(b, &local);
    if (!ok)
        build_collect_failure(b, local);
    b->result.network = b->nets ? netpool_note(b->nets) : NULL;
    work_enter(outer);
    if (local)
        g_propagate_error(err, local);
    return ok;
}

struct build *build_new(const struct build_request *r, struct session *s,
                        const struct build_ports *ports)
{
    struct build *b = g_new0(struct build, 1);
    b->r = r;
    b->session = s;
    b->ports = ports ? *ports : (struct build_ports){0};
    b->result.started_us = g_get_monotonic_time();
    b->result.steps = g_ptr_array_new_with_free_func(build_step_free);
    build_make_legs(b);
    build_name_context(b);
    b->result.name = r->name ? r->name : b->input.context_label;
    return b;
}

const struct build_result *build_result(struct build *b)
{
    return &b->result;
}

struct store *build_store(struct build *b)
{
    return b->store;
}

char *build_log_tail(struct build *b, const struct build_step *step, guint n)
{
    return b->row.id ? store_log_tail(b->store, b->row.id, step->result->step, n) : g_strdup("");
}

const struct vertex *build_kept(const struct build *b)
{
    return b->solver ? solver_kept(b->solver) : NULL;
}

gboolean build_debug(struct build *b, void (*terminal)(gpointer ctx, int master_fd), gpointer ctx,
                     const char *term, int *exit_code, GError **err)
{
    return solver_debug(b->solver, terminal, ctx, term, exit_code, err);
}

static void free_names(struct build *b)
{
    g_free(b->input.dockerfile_path);
    g_free(b->input.ignore_name);
    g_free(b->input.context_name);
    g_free(b->input.context_label);
    g_free(b->input.context_dir);
    g_clear_pointer(&b->input.dockerfile_text, g_bytes_unref);
    g_free(b->row.name);
    g_free(b->row.target);
    g_free(b->row.platform);
    g_free(b->row.image);
    g_free(b->row.error);
}

void build_free(struct build *b)
{
    if (!b)
        return;
    solver_free(b->solver);
    build_free_caches(b);
    build_result_clear(&b->result);
    netpool_free(b->nets);
    sources_free(b->sources);
    build_free_context_source(b);
    if (b->store)
        session_show_waits(b->store, NULL);
    ignore_free(b->input.ignore);
    store_close(b->store);
    free_names(b);
    g_free(b);
}
