#include "solver/remote.h"

#include "base/error.h"
#include "solver/explain.h"
#include "solver/inputs.h"
#include "store/absent.h"

struct record *find_record(struct solver *s, const struct digest *key, const char **from)
{
    struct record *r = store_record_find(s->o.store, key);
    if (r && store_chain_is_lost(s->o.store, r->chain))
        g_clear_pointer(&r, record_free);
    if (r || !s->o.cache)
        return r;
    return cache_reader_find(s->o.cache, key, from);
}

/* Whether all that n reads beside its base is of this build's contexts: else making it would fetch
 * other layers instead. */
static gboolean reads_local(struct solver *s, const struct node *n)
{
    for (guint i = 0; i < n->v->n_inputs; i++)
        if ((int)i != node_base_input(n) && !node_of(s, n->v->inputs[i])->local)
            return FALSE;
    return TRUE;
}

/* A hit of this try whose own layer is to be fetched, though making it is faster. */
static gboolean is_slow(struct solver *s, struct node *n, gint64 *fetch_us)
{
    if (!n->visited || n->queued || !n->chain || n->need != NEED_FILES || n->tainted ||
        (n->v->op.type != OP_EXEC && n->v->op.type != OP_FILE) || !reads_local(s, n))
        return FALSE;
    return cache_reader_is_slower(s->o.cache, n->chain, 1, n->res.saved_us, fetch_us);
}

gboolean queue_slow_hits(struct solver *s, GPtrArray *stack)
{
    for (guint i = s->nodes->len; i-- > 0;) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        gint64 fetch_us;
        if (!is_slow(s, n, &fetch_us))
            continue;
        n->run_it = TRUE;
        n->visited = FALSE;
        n->res.from = NULL;
        g_clear_pointer(&n->chain, chain_free);
        g_free(n->res.why);
        n->res.why = g_strdup_printf("it takes %.1f s, and fetching its result would take %.1f s",
                                     (gdouble)n->res.saved_us / G_USEC_PER_SEC,
                                     (gdouble)fetch_us / G_USEC_PER_SEC);
        g_ptr_array_add(stack, n);
    }
    return stack->len > 0;
}

static gboolean keep_hit(struct solver *s, struct node *n, GError **err)
{
    g_autofree char *inputs = node_inputs_json(s, n), *slot = node_slot(s, n);
    struct record r = {.chain = n->chain,
                       .content = n->content,
                       .created = n->created,
                       .duration_us = n->res.saved_us,
                       .inputs = inputs};
    const struct digest *content = digest_is_zero(&n->content_key) ? NULL : &n->content_key;
    return store_result_put(s->o.store, &n->res.key, content, slot, &r, err);
}

gboolean keep_remote_hits(struct solver *s, GError **err)
{
    for (guint i = 0; s->o.cache && i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (n->visited && !n->queued && n->res.from && !n->res.done && !keep_hit(s, n, err))
            return FALSE;
    }
    return TRUE;
}

char *hit_reason(const struct node *n)
{
    if (n->res.from)
        return g_strdup_printf("found in %s", n->res.from);
    return g_strdup(n->visited ? "same inputs as before" : "what depends on it is cached");
}

gboolean solver_lost_own(struct solver *s, const struct chain *c)
{
    for (guint i = 0; i < c->n; i++) {
        g_autoptr(chain) one = chain_new();
        chain_append(one, c->ids[i]);
        g_autofree char *source = store_layer_source(s->o.store, c->ids[i]);
        if (store_chain_is_lost(s->o.store, one) &&
            (!source || g_str_has_prefix(source, STORE_OWN_SOURCE)))
            return TRUE;
    }
    return FALSE;
}

gboolean lost_meanwhile(struct solver *s, const struct node *n, const GError *error)
{
    if (g_error_matches(error, VARVE_ERROR, VARVE_ERROR_CANCELLED) ||
        store_layers_lost(s->o.store) == s->lost)
        return FALSE;
    for (guint i = 0; i < n->v->n_inputs; i++) {
        const struct chain *c = node_of(s, n->v->inputs[i])->chain;
        if (!c || !store_chain_is_lost(s->o.store, c))
            continue;
        if (s->o.cache || solver_lost_own(s, c))
            event_warn(s->o.events, "a result is lost, so its step runs again: %s", error->message);
        return TRUE;
    }
    return FALSE;
}
