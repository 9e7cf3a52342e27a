#include "solver/solver.h"

#include "base/error.h"
#include "base/pool.h"
#include "solver/explain.h"
#include "solver/inputs.h"
#include "solver/remote.h"
#include "solver/run.h"

#include <string.h>

/* One for each vertex that has none yet. */
static void add_nodes(struct solver *s)
{
    for (guint i = s->nodes->len; i < s->graph->vertices->len; i++) {
        struct node *n = g_new0(struct node, 1);
        n->v = g_ptr_array_index(s->graph->vertices, i);
        n->dependents = g_ptr_array_new();
        node_init_reads(n);
        g_ptr_array_add(s->nodes, n);
        volumes_add(s, n->v);
    }
}

struct solver *solver_new(const struct graph *g, const struct solver_options *o)
{
    struct solver *s = g_new0(struct solver, 1);
    s->graph = g;
    s->o = *o;
    s->stop = cancel_new_child(o->cancel);
    s->nodes = g_ptr_array_new();
    s->crew = g_ptr_array_new();
    g_mutex_init(&s->lock);
    g_mutex_init(&s->floor_lock);
    g_mutex_init(&s->renewing);
    s->renewed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->first_writers = g_hash_table_new(g_str_hash, g_str_equal);
    g_cond_init(&s->changed);
    g_queue_init(&s->ready);
    for (guint i = 0; i < G_N_ELEMENTS(s->nonce); i++)
        s->nonce[i] = g_random_int();
    add_nodes(s);
    return s;
}

static void node_free(struct node *n)
{
    for (guint i = 0; i < n->reads->len; i++) {
        struct read *r = &g_array_index(n->reads, struct read, i);
        g_clear_pointer(&r->selected, g_ptr_array_unref);
    }
    node_close_inputs(n);
    g_array_unref(n->reads);
    g_array_unref(n->pasts);
    g_ptr_array_unref(n->dependents);
    chain_free(n->chain);
    g_free(n->resolved);
    g_clear_error(&n->error);
    g_free(n->inputs_json);
    g_free(n->res.why);
    g_free(n);
}

void solver_free(struct solver *s)
{
    if (!s)
        return;
    run_release_kept(s);
    for (guint i = 0; i < s->nodes->len; i++)
        node_free(g_ptr_array_index(s->nodes, i));
    g_ptr_array_unref(s->nodes);
    cancel_free(s->stop);
    g_ptr_array_unref(s->crew);
    g_hash_table_unref(s->renewed);
    g_hash_table_unref(s->first_writers);
    g_mutex_clear(&s->renewing);
    if (s->floor)
        store_tmp_discard(s->o.store, s->floor);
    g_free(s->floor);
    g_mutex_clear(&s->floor_lock);
    g_mutex_clear(&s->lock);
    g_cond_clear(&s->changed);
    g_queue_clear(&s->ready);
    g_clear_error(&s->error);
    g_free(s);
}

const struct vertex_result *solver_result(const struct solver *s, const struct vertex *v)
{
    return &((const struct node *)g_ptr_array_index(s->nodes, v->number))->res;
}

void solver_step(const struct solver *s, const struct vertex *v, struct solver_step *out)
{
    const struct node *n = g_ptr_array_index(s->nodes, v->number);
    *out = (struct solver_step){n->res.key, n->content_key, n->chain, n->content};
}

char *solver_slot(const struct solver *s, const struct vertex *v)
{
    return node_slot(s, g_ptr_array_index(s->nodes, v->number));
}

struct vertex *solver_failed(const struct solver *s)
{
    return s->failed ? s->failed->v : NULL;
}

static gboolean is_lost(const struct node *n)
{
    return n->res.done && (n->res.outcome == OUTCOME_FAILED || n->res.outcome == OUTCOME_CANCELLED);
}

struct vertex *solver_failed_below(struct solver *s, const struct vertex *target,
                                   const GError **error)
{
    g_autofree gboolean *below = g_new0(gboolean, s->nodes->len);
    struct vertex *first = NULL;
    below[target->number] = TRUE;
    for (gint i = target->number; i >= 0; i--) {
        const struct node *n = g_ptr_array_index(s->nodes, i);
        for (guint k = 0; below[i] && k < n->v->n_inputs; k++)
            below[n->v->inputs[k]->number] = TRUE;
        if (!below[i] || !is_lost(n) || !n->error)
            continue;
        first = n->v;
        *error = n->error;
    }
    return first;
}

const struct chain *solver_base_chain(struct solver *s, const struct vertex *v)
{
    const struct node *base = node_base(s, node_of(s, v));
    return base ? base->chain : NULL;
}

static void finish_node(struct solver *s, struct node *n, enum event_outcome outcome,
                        const char *why)
{
    n->res.done = TRUE;
    n->res.outcome = outcome;
    if (why) {
        g_free(n->res.why);
        n->res.why = g_strdup(why);
    }
    if (n->res.started_us)
        n->res.duration_us = g_get_monotonic_time() - n->begun_us;
    node_emit(s, n,
              &(struct event){.type = EVENT_DONE,
                              .outcome = outcome,
                              .duration_us = n->res.duration_us,
                              .layer_bytes = n->res.layer_bytes,
                              .cpu_us = n->res.cpu_us,
                              .memory_peak = n->res.memory_peak,
                              .text = n->res.why});
}

/* Whom a finished chain is told to. */
static void tell_finished(struct solver *s, struct node *n)
{
    if (n->told || !n->chain || !s->o.finished)
        return;
    n->told = TRUE;
    s->o.finished(s->o.finished_ctx, n->v, n->chain);
}

/* Marks what the targets need. What an earlier run of them left unfinished is as it was before
 * that; what only others need stays as it is. */
static void mark_needed(struct solver *s, struct vertex *const *targets, guint n_targets)
{
    for (guint i = 0; i < s->nodes->len; i++)
        ((struct node *)g_ptr_array_index(s->nodes, i))->wanted = FALSE;
    for (guint i = 0; i < n_targets; i++)
        node_of(s, targets[i])->wanted = TRUE;
    for (guint i = s->nodes->len; i-- > 0;) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (!n->wanted)
            continue;
        n->res.needed = TRUE;
        n->res.done = n->res.done && !is_lost(n);
        for (guint k = 0; k < n->v->n_inputs; k++)
            node_of(s, n->v->inputs[k])->wanted = TRUE;
    }
}

static enum event_outcome outcome_of(const GError *error)
{
    return g_error_matches(error, VARVE_ERROR, VARVE_ERROR_CANCELLED) ? OUTCOME_CANCELLED
                                                                      : OUTCOME_FAILED;
}

static void finish_failed(struct solver *s, struct node *n, const GError *error)
{
    g_autofree char *why = error_text(error);
    g_clear_error(&n->error);
    n->error = g_error_copy(error);
    finish_node(s, n, outcome_of(error), why);
}

static void note_failure(struct solver *s, struct node *n, GError *error)
{
    if (!s->error) {
        s->error = error;
        s->failed = n;
    } else {
        g_error_free(error);
    }
}

gboolean node_failed_early(struct solver *s, struct node *n, GError *error, GError **err)
{
    if (s->o.keep_going) {
        finish_failed(s, n, error);
        note_failure(s, n, error);
        return TRUE;
    }
    s->failed = n;
    g_propagate_error(err, error);
    return FALSE;
}

/* Whether something that n needs has failed already; then so has n. */
static gboolean give_up(struct solver *s, struct node *n)
{
    for (guint k = 0; k < n->v->n_inputs; k++)
        if (is_lost(node_of(s, n->v->inputs[k]))) {
            finish_node(s, n, OUTCOME_CANCELLED, "a step that it needs failed");
            return TRUE;
        }
    return FALSE;
}

static gboolean make_key(struct solver *s, struct node *n, GError **err)
{
    GError *error = NULL;
    n->tainted = n->v->meta.no_cache;
    for (guint k = 0; k < n->v->n_inputs; k++)
        n->tainted |= node_of(s, n->v->inputs[k])->tainted;
    n->keyed = cancel_check(s->stop, &error) && node_definition_key(s, n, &error);
    return n->keyed || node_failed_early(s, n, error, err);
}

/* Every definition key, inputs first. */
static gboolean make_keys(struct solver *s, GError **err)
{
    for (guint i = 0; i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (!n->wanted || n->keyed || is_lost(n) || give_up(s, n))
            continue;
        if (!make_key(s, n, err))
            return FALSE;
    }
    return TRUE;
}

static gboolean take_record(struct solver *s, struct node *n, const struct digest *key)
{
    const char *from = NULL;
    g_autoptr(record) r = find_record(s, key, &from);
    if (!r)
        return FALSE;
    n->res.from = from;
    if (!digest_is_zero(&r->content_key))
        n->content_key = r->content_key;
    chain_free(n->chain);
    n->chain = g_steal_pointer(&r->chain);
    n->content = r->content;
    n->created = r->created;
    n->res.saved_us = r->duration_us;
    return TRUE;
}

/* How many layers n's op puts on node_base(). */
static guint node_added_layers(struct solver *s, const struct node *n)
{
    switch (n->v->op.type) {
    case OP_EXEC:
    case OP_FILE:
        return 1;
    case OP_MERGE: {
        guint added = 0;
        for (guint i = 1; i < n->v->n_inputs; i++)
            added += node_of(s, n->v->inputs[i])->chain->n;
        return added;
    }
    default:
        return 0;
    }
}

/* Takes what is recorded under n's content key. Only the layers that n's op added are used: the
 * input on which it was made has the same files, but possibly in different layers, or more of them.
 */
gboolean node_take_cut(struct solver *s, struct node *n)
{
    if (digest_is_zero(&n->content_key) || !take_record(s, n, &n->content_key))
        return FALSE;
    guint added = MIN(node_added_layers(s, n), n->chain->n);
    if (added > 0) {
        struct node *base = node_base(s, n);
        struct chain *own = chain_copy(base ? base->chain : NULL);
        for (guint i = n->chain->n - added; i < n->chain->n; i++)
            chain_append(own, n->chain->ids[i]);
        chain_free(n->chain);
        n->chain = own;
    }
    if (store_chain_is_lost(s->o.store, n->chain)) {
        g_clear_pointer(&n->chain, chain_free);
        return FALSE;
    }
    n->res.outcome = OUTCOME_CUT;
    return TRUE;
}

/* A record under the definition key, all of whose layers can be had. */
static gboolean take_hit(struct solver *s, struct node *n)
{
    if (!take_record(s, n, &n->res.key))
        return FALSE;
    if (!store_chain_is_lost(s->o.store, n->chain))
        return TRUE;
    g_clear_pointer(&n->chain, chain_free);
    return FALSE;
}

/* The top-down pass: hits end it, misses go on to their inputs. Explicit stack: graphs may be deep.
 */
static void visit_stack(struct solver *s, GPtrArray *stack)
{
    while (stack->len > 0) {
        struct node *n = g_ptr_array_steal_index(stack, stack->len - 1);
        if (n->visited || n->local || n->chain || is_lost(n))
            continue;
        n->visited = TRUE;
        if (!n->tainted && !n->run_it && take_hit(s, n))
            continue;
        n->queued = TRUE;
        n->res.done = FALSE;
        for (guint i = 0; i < n->v->n_inputs; i++)
            g_ptr_array_add(stack, node_of(s, n->v->inputs[i]));
    }
}

/* All that the targets need, and what their steps read of it. */
static void visit_all(struct solver *s, struct vertex *const *targets, guint n_targets)
{
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    for (guint i = n_targets; i-- > 0;)
        g_ptr_array_add(stack, node_of(s, targets[i]));
    do {
        visit_stack(s, stack);
        mark_needs(s);
    } while (s->o.cache && queue_slow_hits(s, stack));
}

/* Connects a queued node to the inputs it waits for. */
static void enqueue(struct solver *s, struct node *n)
{
    s->left++;
    for (guint k = 0; k < n->v->n_inputs; k++) {
        struct node *input = node_of(s, n->v->inputs[k]);
        if (input->local || input->chain)
            continue;
        g_ptr_array_add(input->dependents, n);
        n->waiting++;
    }
    if (n->waiting == 0)
        g_queue_push_tail(&s->ready, n);
}

/* Reports hits and fills the ready queue. */
static void schedule(struct solver *s)
{
    for (guint i = 0; i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (n->queued)
            enqueue(s, n);
        else if (n->wanted && !n->local && !n->res.done) {
            g_autofree char *why = hit_reason(n);
            finish_node(s, n, OUTCOME_CACHED, why);
        }
        tell_finished(s, n);
    }
}

static gboolean solve_node(struct solver *s, struct node *n, GError **err)
{
    if (n->parked) { /* all before was done then */
        n->parked = FALSE;
        return cancel_check(s->stop, err) && node_run(s, n, err);
    }
    n->res.started_us = g_get_real_time();
    n->begun_us = g_get_monotonic_time();
    if (!cancel_check(s->stop, err) || !node_content_key(s, n, err))
        return FALSE;
    if (n->v->op.type != OP_FILE) /* nothing that runs long keeps them */
        node_close_inputs(n);
    g_free(n->inputs_json);
    n->inputs_json = node_inputs_json(s, n);
    if (!n->v->meta.no_cache && !n->run_it && node_take_cut(s, n)) {
        g_free(n->res.why);
        n->res.why = n->res.from
                         ? g_strdup_printf("its inputs came out the same as in %s", n->res.from)
                         : g_strdup("its inputs came out the same as before");
        return node_put_records(s, n, err);
    }
    if (!n->run_it) {
        g_free(n->res.why);
        n->res.why = node_explain_miss(s, n);
    }
    gboolean known = !g_str_equal(n->res.why, NEVER_BUILT);
    node_emit(s, n, &(struct event){.type = EVENT_START, .text = known ? n->res.why : NULL});
    return node_run(s, n, err);
}

/* Everything that depends on n, directly or not, is not run. */
static void give_up_dependents(struct solver *s, struct node *n)
{
    g_autoptr(GPtrArray) stack = g_ptr_array_new();
    g_ptr_array_add(stack, n);
    while (stack->len > 0) {
        struct node *lost = g_ptr_array_steal_index(stack, stack->len - 1);
        for (guint i = 0; i < lost->dependents->len; i++) {
            struct node *d = g_ptr_array_index(lost->dependents, i);
            if (d->res.done)
                continue;
            finish_node(s, d, OUTCOME_CANCELLED, "a step that it needs failed");
            s->left--;
            g_ptr_array_add(stack, d);
        }
    }
}

static void node_failed(struct solver *s, struct node *n, GError *error)
{
    node_unclaim(s, n);
    if (lost_meanwhile(s, n, error)) {
        s->again = TRUE;
        g_clear_pointer(&n->chain, chain_free);
        g_error_free(error);
        return;
    }
    finish_failed(s, n, error);
    g_clear_pointer(&n->chain, chain_free);
    if (s->o.keep_going)
        give_up_dependents(s, n);
    else if (!s->error)
        cancel_trigger(s->stop);
    note_failure(s, n, error);
}

/* Wakes a worker for each vertex that is ready now, except the first: the caller takes that. */
static void node_solved(struct solver *s, struct node *n)
{
    guint n_ready = 0;
    finish_node(s, n, n->res.outcome, NULL);
    for (guint i = 0; i < n->dependents->len; i++) {
        struct node *d = g_ptr_array_index(n->dependents, i);
        if (--d->waiting > 0 || d->res.done)
            continue;
        g_queue_push_tail(&s->ready, d);
        if (n_ready++ > 0)
            g_cond_signal(&s->changed);
    }
}

/* The step that v, which is not shown, is a part of: the first that uses it. */
static int shown_vertex(const struct solver *s, const struct vertex *v)
{
    for (guint i = v->number + 1; v->meta.internal && i < s->nodes->len; i++) {
        const struct node *n = g_ptr_array_index(s->nodes, i);
        for (guint k = 0; n->res.needed && k < n->v->n_inputs; k++) {
            if (n->v->inputs[k] != v)
                continue;
            v = n->v;
            break;
        }
    }
    return v->meta.internal ? -1 : (int)v->number;
}

struct work node_work(const struct solver *s, const struct node *n)
{
    struct work w = s->work;
    w.vertex = shown_vertex(s, n->v);
    return w;
}

gboolean solver_is_over(const struct solver *s)
{
    return s->left == 0 || s->again || (s->error && !s->o.keep_going);
}

static gpointer solver_worker(gpointer data);

void solver_hire(struct solver *s)
{
    guint most = s->o.max_parallel ? s->o.max_parallel : MAX(4, 2 * pool_cpus());
    while (s->ready.length > s->idle && s->crew->len + 1 < most) {
        GThread *t = work_helper("solver", solver_worker, s);
        if (!t)
            return;
        g_ptr_array_add(s->crew, t);
    }
}

/* A worker: solves ready nodes until none is left or, unless the others go on, one failed. */
static gpointer solver_worker(gpointer data)
{
    struct solver *s = data;
    g_mutex_lock(&s->lock);
    while (!solver_is_over(s)) {
        struct node *n = g_queue_pop_head(&s->ready);
        if (!n) {
            s->idle++;
            g_cond_wait(&s->changed, &s->lock);
            s->idle--;
            continue;
        }
        solver_hire(s);
        g_mutex_unlock(&s->lock);
        GError *error = NULL;
        struct work mine = node_work(s, n);
        work_enter(&mine);
        gboolean ok = solve_node(s, n, &error);
        node_close_inputs(n);
        if (ok && !n->parked)
            tell_finished(s, n);
        work_enter(&s->work);
        g_mutex_lock(&s->lock);
        if (n->parked) {
            node_park(s, n);
            continue;
        }
        s->left--;
        if (ok)
            node_solved(s, n);
        else
            node_failed(s, n, error);
        if (solver_is_over(s))
            g_cond_broadcast(&s->changed);
    }
    g_mutex_unlock(&s->lock);
    return NULL;
}

static void work(struct solver *s)
{
    solver_worker(s);
    for (guint i = 0; i < s->crew->len; i++)
        g_thread_join(g_ptr_array_index(s->crew, i));
    g_ptr_array_set_size(s->crew, 0);
    nodes_unpark(s);
    for (guint i = 0; i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (n->parked && !s->again)
            finish_node(s, n, OUTCOME_CANCELLED,
                        "the build ended before another builder had made it");
        n->parked = FALSE;
    }
}

static void begin_solving(struct solver *s)
{
    add_nodes(s);
    g_clear_error(&s->error);
    s->failed = NULL;
    s->left = 0;
    s->again = FALSE;
    s->lost = store_layers_lost(s->o.store);
    g_queue_clear(&s->ready);
    if (cancel_is_set(s->stop)) {
        cancel_free(s->stop);
        s->stop = cancel_new_child(s->o.cancel);
    }
    for (guint i = 0; i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        n->visited = n->queued = FALSE;
        n->waiting = 0;
        n->need = NEED_NOTHING;
        g_ptr_array_set_size(n->dependents, 0);
    }
}

void solver_forget_lost(struct solver *s, gboolean *again)
{
    *again = FALSE;
    for (guint i = 0; i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (!n->chain || !store_chain_is_lost(s->o.store, n->chain))
            continue;
        g_clear_pointer(&n->chain, chain_free);
        n->content = (struct digest){{0}};
        n->res.done = n->told = FALSE;
        n->res.from = NULL;
        *again = TRUE;
    }
}

static gboolean solve(struct solver *s, struct vertex *const *targets, guint n, GError **err)
{
    mark_needed(s, targets, n);
    solver_announce(s);
    if (!resolve_sources(s, err) || !make_keys(s, err))
        return FALSE;
    visit_all(s, targets, n);
    if (!keep_remote_hits(s, err))
        return FALSE;
    schedule(s);
    work(s);
    if (s->error)
        g_propagate_error(err, g_error_copy(s->error));
    return !s->error;
}

gboolean solver_run(struct solver *s, struct vertex *const *targets, guint n, struct chain **out,
                    GError **err)
{
    const struct work *outer = work_current();
    begin_solving(s);
    s->work = (struct work){s->stop, outer ? outer->slots : NULL, -1, s->o.events};
    work_enter(&s->work);
    gboolean ok = solve(s, targets, n, err), again = s->again;
    while (ok && again) {
        solver_forget_lost(s, &again);
        begin_solving(s);
        ok = solve(s, targets, n, err);
        again = s->again;
    }
    work_enter(outer);
    for (guint i = 0; i < n; i++) {
        const struct chain *c = node_of(s, targets[i])->chain;
        out[i] = c ? chain_copy(c) : NULL;
    }
    return ok;
}
