/* Steps that are shared with other builders (cache/share.h). */
#include "solver/explain.h"
#include "solver/run.h"

#define SHORT_US G_USEC_PER_SEC /* a step that took less is not worth a claim */

/* How long n took before; 0: unknown. */
static gint64 known_duration(struct solver *s, const struct node *n)
{
    g_autofree char *slot = node_slot(s, n);
    return slot ? cache_reader_slot_duration(s->o.cache, slot) : 0;
}

gboolean node_is_shared(struct solver *s, const struct node *n)
{
    if (!s->o.share || n->v->op.type != OP_EXEC || n->tainted || n->run_it ||
        digest_is_zero(&n->content_key) || !s->o.publishes(s->o.finished_ctx, n->v))
        return FALSE;
    gint64 known = known_duration(s, n);
    return known == 0 || known >= SHORT_US;
}

/* Whether another builder's result is in the cache by now; then it is taken. */
static gboolean find_made(struct solver *s, struct node *n)
{
    cache_reader_refresh(s->o.cache, cache_share_label(s->o.share));
    if (!node_take_cut(s, n))
        return FALSE;
    g_free(n->res.why);
    n->res.why =
        n->parked_us
            ? g_strdup_printf("made meanwhile by another builder, waited %.1f s",
                              (gdouble)(g_get_monotonic_time() - n->parked_us) / G_USEC_PER_SEC)
            : g_strdup("made meanwhile by another builder");
    return TRUE;
}

/* What it takes counts from now on, not from when it began to wait. */
static void begin_anew(struct node *n)
{
    if (!n->parked_us)
        return;
    n->res.started_us = g_get_real_time();
    n->begun_us = g_get_monotonic_time();
}

static void tell_waiting(struct solver *s, struct node *n, const char *builder)
{
    g_autofree char *text =
        g_strdup_printf("waiting for %s, which runs this step: %s", builder, n->v->meta.name);
    if (!n->parked_us)
        event_emit(s->o.events,
                   &(struct event){.type = EVENT_NOTE, .vertex = n->v->number, .text = text});
}

enum shared_turn node_claim(struct solver *s, struct node *n)
{
    g_autofree char *builder = NULL;
    gboolean looked = n->parked_us != 0;
    if (looked && find_made(s, n))
        return SHARED_MADE;
    if (cache_share_claim(s->o.share, &n->content_key, known_duration(s, n), &builder) ==
        SHARE_WAIT) {
        tell_waiting(s, n, builder);
        if (!looked)
            n->parked_us = g_get_monotonic_time();
        return SHARED_WAIT;
    }
    n->claimed = TRUE;
    if (!looked && find_made(s, n)) {
        node_unclaim(s, n);
        return SHARED_MADE;
    }
    begin_anew(n);
    return SHARED_RUN;
}

void node_unclaim(struct solver *s, struct node *n)
{
    if (n->claimed)
        cache_share_release(s->o.share, &n->content_key);
    n->claimed = FALSE;
}

static void make_ready(gpointer owner, gpointer data)
{
    struct solver *s = owner;
    const struct work *outer = work_enter(&s->work);
    g_mutex_lock(&s->lock);
    if (!solver_is_over(s)) {
        g_queue_push_head(&s->ready, data);
        g_cond_signal(&s->changed);
        solver_hire(s);
    }
    g_mutex_unlock(&s->lock);
    work_enter(outer);
}

void node_park(struct solver *s, struct node *n)
{
    if (!cache_share_watch(s->o.share, &n->content_key, make_ready, s, n))
        g_queue_push_head(&s->ready, n);
}

void nodes_unpark(struct solver *s)
{
    if (s->o.share)
        cache_share_forget(s->o.share, s);
}
