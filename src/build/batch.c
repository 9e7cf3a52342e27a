#include "build/building.h"

#include "base/error.h"
#include "base/work.h"
#include "exec/hostca.h"
#include "source/presence.h"

#include <string.h>

struct batch *batch_new(struct session *s, const struct build_ports *ports,
                        const struct batch_options *o)
{
    struct batch *x = g_new0(struct batch, 1);
    x->session = s;
    x->ports = ports ? *ports : (struct build_ports){0};
    x->o = o ? *o : (struct batch_options){0};
    x->builds = g_ptr_array_new();
    x->secrets = g_hash_table_new(g_str_hash, g_str_equal);
    return x;
}

struct build *batch_new_build(struct batch *x, const struct build_request *r, const char *name)
{
    struct build *b = g_new0(struct build, 1);
    b->r = r;
    b->batch = x;
    b->ports = x->ports;
    b->name = g_strdup(name);
    b->number = (int)x->builds->len;
    b->uses = g_ptr_array_new();
    b->result.started_us = g_get_monotonic_time();
    b->result.steps = g_ptr_array_new_with_free_func(build_step_free);
    build_make_legs(b);
    build_name_context(b);
    b->result.name = r->name ? r->name : name ? name : b->input.context_label;
    g_ptr_array_add(x->builds, b);
    return b;
}

static struct build *build_at(const struct batch *x, guint i)
{
    return g_ptr_array_index(x->builds, i);
}

static struct build *find_build(const struct batch *x, const char *name)
{
    for (guint i = 0; i < x->builds->len; i++)
        if (g_strcmp0(build_at(x, i)->name, name) == 0)
            return build_at(x, i);
    return NULL;
}

struct build *batch_add(struct batch *x, const struct build_request *r, const char *name,
                        GError **err)
{
    g_autoptr(GPtrArray) uses = g_ptr_array_new();
    if (x->builds->len >= BATCH_MAX_BUILDS) {
        error_set(err, VARVE_ERROR_INVALID, "more than %d targets at once", BATCH_MAX_BUILDS);
        return NULL;
    }
    for (guint i = 0; i < r->contexts->len; i++) {
        const struct named_context *c = g_ptr_array_index(r->contexts, i);
        struct build *used = c->kind == CONTEXT_BUILD ? find_build(x, c->value) : NULL;
        if (used && !g_ptr_array_find(uses, used, NULL))
            g_ptr_array_add(uses, used);
        if (used || c->kind != CONTEXT_BUILD)
            continue;
        error_set(err, VARVE_ERROR_INVALID, "the context %s of %s is no target: %s", c->name, name,
                  c->value);
        return NULL;
    }
    struct build *b = batch_new_build(x, r, name);
    g_ptr_array_extend(b->uses, uses, NULL, NULL);
    return b;
}

/* One build's phase; work on builds that have failed is over. */
typedef gboolean (*phase_fn)(struct build *b, GError **err);

static void run_phase(struct batch *x, phase_fn phase)
{
    for (guint i = 0; i < x->builds->len; i++) {
        struct build *b = build_at(x, i);
        if (!b->error)
            phase(b, &b->error);
    }
}

static gboolean any_failed(const struct batch *x)
{
    for (guint i = 0; i < x->builds->len; i++)
        if (build_at(x, i)->error)
            return TRUE;
    return FALSE;
}

/* Ends all that have not failed with a copy of err, which is taken over. */
static void fail_rest(struct batch *x, GError *err)
{
    for (guint i = 0; i < x->builds->len; i++)
        if (!build_at(x, i)->error)
            build_at(x, i)->error = g_error_copy(err);
    g_error_free(err);
}

GPtrArray *batch_alive(const struct batch *x)
{
    GPtrArray *list = g_ptr_array_new();
    for (guint i = 0; i < x->builds->len; i++)
        if (!build_at(x, i)->error)
            g_ptr_array_add(list, build_at(x, i));
    return list;
}

static GError *stopped_error(void)
{
    GError *err = NULL;
    error_set(&err, VARVE_ERROR_CANCELLED, "stopped, since another target failed");
    return err;
}

/* With fail_fast, the first failure ends the others. */
static gboolean must_stop(struct batch *x)
{
    if (!x->o.fail_fast || !any_failed(x))
        return FALSE;
    fail_rest(x, stopped_error());
    return TRUE;
}

static gboolean is_over(struct batch *x)
{
    if (must_stop(x))
        return TRUE;
    g_autoptr(GPtrArray) left = batch_alive(x);
    return left->len == 0;
}

/* What is done once for all of them; its failure ends all. */
static gboolean run_common(struct batch *x, gboolean (*phase)(struct batch *x, GError **err))
{
    GError *err = NULL;
    gboolean ok = phase(x, &err);
    if (!ok)
        fail_rest(x, err);
    return ok;
}

gboolean batch_open(struct batch *x, GError **err)
{
    if (x->store && x->config)
        return TRUE;
    x->store = session_store(x->session, x->ports.events, err);
    if (!x->store)
        return FALSE;
    x->config = session_config(x->session, x->ports.events, err);
    if (!x->config)
        return FALSE;
    session_show_waits(x->store, x->ports.events);
    return TRUE;
}

/* For sources on the network, which belong to no single build. */
static void add_secrets(struct batch *x, const struct build *b)
{
    GHashTableIter it;
    gpointer id, value;
    g_hash_table_iter_init(&it, b->r->secrets);
    while (g_hash_table_iter_next(&it, &id, &value))
        if (!g_hash_table_contains(x->secrets, id))
            g_hash_table_insert(x->secrets, id, value);
}

/* What the sources of all builds are made with: as many secrets as there are, and the most careful
 * look at images. */
static void collect_options(struct batch *x, struct sources_options *so)
{
    for (guint i = 0; i < x->builds->len; i++) {
        const struct build *b = build_at(x, i);
        const char *agent = g_hash_table_lookup(b->r->ssh, "default");
        add_secrets(x, b);
        so->ssh_agent = so->ssh_agent ? so->ssh_agent : agent;
        so->pull = MAX(so->pull, b->r->pull);
    }
}

static void add_build(struct batch *x, const struct build *b)
{
    const struct source_contexts contexts = {.id = x->builds->len > 1 ? b->input.context_id : NULL,
                                             .dir = b->input.context_dir,
                                             .archive = b->input.context_archive,
                                             .ignore = b->input.ignore,
                                             .named = b->r->contexts};
    const struct source_keys keys = {b->r->secrets, b->r->ssh};
    sources_add_keys(x->sources, &keys);
    if (!b->error)
        sources_add_contexts(x->sources, &contexts);
}

gboolean batch_open_sources(struct batch *x, GError **err)
{
    if (x->sources)
        return TRUE;
    if (!build_read_caches(x, err))
        return FALSE;
    struct sources_options so = {.store = x->store,
                                 .registry = x->config->registry,
                                 .env = session_env(x->session),
                                 .events = x->ports.events,
                                 .cancel = x->ports.cancel,
                                 .secrets = x->secrets};
    collect_options(x, &so);
    x->sources = sources_new(&so);
    for (guint i = 0; i < x->builds->len; i++)
        add_build(x, build_at(x, i));
    presence_install(x->store, &(struct presence_options){.registry = so.registry,
                                                          .cache = x->cache_reader,
                                                          .events = so.events,
                                                          .cancel = so.cancel,
                                                          .refused = so.pull == PULL_NEVER});
    return TRUE;
}

static gboolean check_uses(const struct build *b, GError **err)
{
    for (guint i = 0; i < b->uses->len; i++) {
        const struct build *used = g_ptr_array_index(b->uses, i);
        if (used->error)
            return error_set(err, used->error->code, "%s, which it needs, failed", used->name);
    }
    return TRUE;
}

/* The leg for p; the only one serves all platforms. */
static const struct build_leg *leg_for(const struct build *b, const struct platform *p)
{
    for (guint i = 0; i < b->result.legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        if (platform_equal(&leg->platform, p) || b->result.legs->len == 1)
            return leg;
    }
    return NULL;
}

const struct lowered *batch_result_of(gpointer build, const char *name, const struct platform *p,
                                      GError **err)
{
    const struct build *b = build, *used = find_build(b->batch, name);
    const struct build_leg *leg = used ? leg_for(used, p) : NULL;
    if (leg && leg->lowered)
        return leg->lowered;
    g_autofree char *wanted = platform_text(p);
    g_autofree char *there = used ? build_platforms_text(used->r, ", ") : NULL;
    error_set(err, VARVE_ERROR_INVALID, "the target %s has no result for %s", name, wanted);
    if (there)
        error_add_next(err, "it is built for %s: add the platform to it", there);
    return NULL;
}

static gboolean plan_build(struct build *b, GError **err)
{
    return check_uses(b, err) && build_plan(b, err);
}

/* Whether v is of one of the builds that b uses. */
static gboolean is_of_used(const struct build *b, const struct vertex *v)
{
    for (guint i = 0; i < b->uses->len; i++)
        if (build_needs(g_ptr_array_index(b->uses, i), v))
            return TRUE;
    return FALSE;
}

#define MAX_NAMED 3 /* builds that a step's label names */

/* Whose step v is: "dev, prod". The builds that only use it by way of another are not named. */
static void name_users(struct batch *x, struct vertex *v)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    int owner = -1;
    for (guint i = 0; i < x->builds->len; i++) {
        const struct build *b = build_at(x, i);
        if (b->error || !build_needs(b, v))
            continue;
        owner = owner < 0 ? b->number : owner;
        if (!is_of_used(b, v))
            g_ptr_array_add(names, b->name);
    }
    gboolean few = names->len <= MAX_NAMED;
    g_ptr_array_add(names, NULL);
    g_autofree char *text = few ? g_strjoinv(", ", (char **)names->pdata)
                                : g_strdup_printf("%u targets", names->len - 1);
    graph_set_build(x->graph, v, text, MAX(0, owner));
}

static void name_all(struct batch *x)
{
    for (guint i = 0; x->builds->len > 1 && i < x->graph->vertices->len; i++)
        name_users(x, g_ptr_array_index(x->graph->vertices, i));
}

static void begin_history(struct batch *x)
{
    x->build_ids = g_new0(gint64, x->builds->len + 1);
    for (guint i = 0; i < x->builds->len; i++) {
        struct build *b = build_at(x, i);
        if (b->error)
            continue;
        build_begin_history(b);
        x->build_ids[i] = b->row.id;
    }
}

/* The time of what is made, if the builds agree about it; else now. */
static gint64 made_ns(const struct batch *x)
{
    gint64 epoch = -1;
    gboolean first = TRUE;
    for (guint i = 0; i < x->builds->len; i++) {
        const struct build *b = build_at(x, i);
        if (b->error)
            continue;
        const struct build_leg *leg = g_ptr_array_index(b->result.legs, 0);
        epoch = first || epoch == leg->lowered->epoch ? leg->lowered->epoch : -1;
        first = FALSE;
    }
    return epoch >= 0 ? epoch * 1000000000 : g_get_real_time() * 1000;
}

static void make_solver(struct batch *x, const char *ca)
{
    const struct build_request *r = build_at(x, 0)->r;
    struct solver_options so = {.store = x->store,
                                .env = sources_env(x->sources),
                                .events = x->ports.events,
                                .cancel = x->ports.cancel,
                                .build_ids = x->build_ids,
                                .now_ns = made_ns(x),
                                .host_ca = ca,
                                .max_parallel = r->parallel,
                                .resources = &r->resources,
                                .nets = x->nets,
                                .snapshots = x->config->snapshots,
                                .cache = x->cache_reader,
                                .finished = build_step_finished,
                                .finished_ctx = x,
                                .keep_going = x->builds->len > 1 && !x->o.fail_fast,
                                .keep_failed = r->keep_failed,
                                .share = x->cache_share,
                                .publishes = build_publishes};
    x->solver = solver_new(x->graph, &so);
}

/* The step that failed first of those that b needs; *own becomes its error. NULL: it is not b's. */
static const struct vertex *failed_step(const struct build *b, const GError **own)
{
    struct solver *s = b->batch->solver;
    const struct vertex *failed = solver_failed(s);
    if (failed && build_needs(b, failed))
        return failed;
    for (guint i = 0; i < b->result.legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        if (!leg->lowered->result || leg->chain)
            continue;
        failed = solver_failed_below(s, leg->lowered->result, own);
        if (failed)
            return failed;
    }
    return NULL;
}

/* Why b has no result: a build that it uses, a step that another build tells of, or a step of its
 * own. */
static GError *failure_of(struct build *b, const GError *first)
{
    const GError *own = first;
    GError *err = NULL;
    const struct vertex *failed = failed_step(b, &own);
    if (failed && failed->meta.owner == b->number &&
        !g_error_matches(own, VARVE_ERROR, VARVE_ERROR_CANCELLED)) {
        build_collect_failure(b, failed, own);
        return g_error_copy(own);
    }
    if (!failed && b->batch->o.fail_fast)
        return stopped_error();
    if (!check_uses(b, &err))
        return err;
    if (!failed || g_error_matches(own, VARVE_ERROR, VARVE_ERROR_CANCELLED))
        return g_error_copy(own);
    error_set(&err, own->code, "%s failed, which is a step of %s, too", failed->meta.name,
              build_at(b->batch, (guint)failed->meta.owner)->name);
    return err;
}

static gboolean has_results(const struct build *b)
{
    for (guint i = 0; i < b->result.legs->len; i++)
        if (!((const struct build_leg *)g_ptr_array_index(b->result.legs, i))->chain)
            return FALSE;
    return TRUE;
}

/* Until b's last step was done. */
static gint64 steps_took(const struct build *b)
{
    gint64 now = g_get_real_time(), begun = now - (g_get_monotonic_time() - b->result.started_us);
    gint64 last = 0;
    for (guint i = 0; i < b->result.steps->len; i++) {
        const struct vertex_result *r =
            ((const struct build_step *)g_ptr_array_index(b->result.steps, i))->result;
        if (r->started_us)
            last = MAX(last, r->started_us + r->duration_us);
    }
    return last > begun ? last - begun : now - begun;
}

static void collect_results(const GPtrArray *builds, const GError *first)
{
    for (guint i = 0; i < builds->len; i++) {
        struct build *b = g_ptr_array_index(builds, i);
        build_collect_steps(b);
        b->result.took_us = steps_took(b);
        if (!has_results(b))
            b->error = failure_of(b, first);
    }
}

void batch_solve(const GPtrArray *builds)
{
    g_autoptr(GError) err = NULL;
    build_solve_legs(builds, &err);
    collect_results(builds, err);
}

static gboolean solve(struct batch *x, GError **err)
{
    const struct build_request *r = build_at(x, 0)->r;
    g_autofree char *ca = NULL;
    if (r->host_ca && !(ca = hostca_find(r->ca_bundle, err)))
        return FALSE;
    x->nets = netpool_new(x->config->network);
    run_phase(x, build_write_caches);
    make_solver(x, ca);
    g_autoptr(GPtrArray) builds = batch_alive(x);
    batch_solve(builds);
    sources_save(x->sources);
    return TRUE;
}

static gboolean note_empty(struct build *b, GError **err)
{
    (void)err;
    build_note_nothing_copied(b);
    return TRUE;
}

/* Up to what is known before anything runs. */
static gboolean prepare_all(struct batch *x)
{
    run_phase(x, build_check_outputs);
    run_phase(x, build_read_own);
    if (is_over(x) || !run_common(x, batch_open))
        return FALSE;
    run_phase(x, build_read_far);
    if (is_over(x) || !run_common(x, batch_open_sources))
        return FALSE;
    batch_note_names(x);
    run_phase(x, plan_build);
    return !is_over(x);
}

static void run_phases(struct batch *x)
{
    if (!prepare_all(x))
        return;
    name_all(x);
    begin_history(x);
    run_common(x, solve);
    run_phase(x, note_empty);
    if (!must_stop(x))
        batch_make_outputs(x);
    if (x->cache_share)
        cache_share_end(x->cache_share);
    for (guint i = 0; i < x->builds->len; i++)
        build_report_caches(build_at(x, i));
}

static void note_network(struct batch *x)
{
    for (guint i = 0; x->nets && i < x->builds->len; i++)
        build_at(x, i)->result.network = netpool_note(x->nets);
}

gboolean batch_run(struct batch *x)
{
    struct work work = {x->ports.cancel, session_slots(x->session), -1, x->ports.events};
    const struct work *outer = work_enter(&work);
    run_phases(x);
    note_network(x);
    work_enter(outer);
    return !any_failed(x);
}

void batch_free(struct batch *x)
{
    if (!x)
        return;
    solver_free(x->solver);
    for (guint i = 0; i < x->builds->len; i++)
        build_clear(build_at(x, i));
    g_ptr_array_unref(x->builds);
    cache_share_free(x->cache_share);
    cache_reader_free(x->cache_reader);
    g_hash_table_unref(x->secrets);
    graph_unref(x->graph);
    netpool_free(x->nets);
    sources_free(x->sources);
    if (x->store)
        session_show_waits(x->store, NULL);
    store_close(x->store);
    g_free(x->build_ids);
    g_free(x);
}
