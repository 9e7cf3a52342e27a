/* Running a vertex's op, once. */
#include "solver/explain.h"
#include "solver/inputs.h"
#include "solver/run.h"

gboolean node_put_records(struct solver *s, struct node *n, GError **err)
{
    struct record r = {
        .chain = n->chain,
        .content = n->content,
        .created = n->res.outcome == OUTCOME_CUT ? n->created : g_get_real_time() / G_USEC_PER_SEC,
        .duration_us =
            n->res.outcome == OUTCOME_CUT ? n->res.saved_us : g_get_monotonic_time() - n->begun_us,
        .inputs = n->inputs_json};
    g_autofree char *slot = node_slot(s, n);
    const struct digest *content = digest_is_zero(&n->content_key) ? NULL : &n->content_key;
    return store_result_put(s->o.store, &n->res.key, content, slot, &r, err);
}

static struct chain *run_op(struct solver *s, struct node *n, GError **err)
{
    switch (n->v->op.type) {
    case OP_SOURCE:
        return s->o.env->image(s->o.env, &n->v->op.source, n->need, err);
    case OP_EXEC:
        return s->o.env->exec
                   ? s->o.env->exec(s->o.env, n->v, solver_base_chain(s, n->v), s->stop, err)
                   : run_exec(s, n, err);
    case OP_FILE:
        return run_file(s, n, err);
    case OP_MERGE:
        return run_merge(s, n, err);
    case OP_DIFF:
        return run_diff(s, n, err);
    }
    g_return_val_if_reached(NULL);
}

/* Runs the op, and records what came of it. */
static gboolean run_and_record(struct solver *s, struct node *n, GError **err)
{
    gboolean known;
    g_autoptr(chain) c = run_op(s, n, err);
    if (!c)
        return FALSE;
    chain_free(n->chain);
    n->chain = g_steal_pointer(&c);
    n->content = (struct digest){{0}};
    n->res.from = NULL;
    n->res.outcome = OUTCOME_RAN;
    return node_content_here(s, n, &known, err) && node_put_records(s, n, err);
}

gboolean node_run(struct solver *s, struct node *n, GError **err)
{
    char name[DIGEST_HEX_LEN + 1];
    gboolean waited = FALSE;
    digest_hex(digest_is_zero(&n->content_key) ? &n->res.key : &n->content_key, name);
    g_autoptr(store_lock) lock = store_lock_take(s->o.store, name, s->stop, &waited, err);
    if (!lock)
        return FALSE;
    if (waited && !n->tainted && !n->run_it && node_take_cut(s, n)) {
        g_free(n->res.why);
        n->res.why = g_strdup("another build just made it");
        return node_put_records(s, n, err);
    }
    enum shared_turn turn = node_is_shared(s, n) ? node_claim(s, n) : SHARED_RUN;
    n->parked = turn == SHARED_WAIT;
    if (turn == SHARED_RUN)
        return run_and_record(s, n, err);
    return n->parked || node_put_records(s, n, err);
}
