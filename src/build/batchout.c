/* The outputs of a batch, once all steps are done. */
#include "build/building.h"

#include "base/error.h"
#include "base/work.h"

#define MAX_AT_ONCE 8

static gboolean lost_own(struct build *b)
{
    for (guint i = 0; i < b->result.legs->len; i++) {
        const struct build_leg *leg = g_ptr_array_index(b->result.legs, i);
        if (solver_lost_own(b->batch->solver, leg->chain))
            return TRUE;
    }
    return FALSE;
}

static void output_build(struct build *b)
{
    gint64 begun = g_get_monotonic_time();
    b->lost = store_layers_lost(b->batch->store);
    if (build_make_outputs(b, &b->error))
        build_finish_caches(b, &b->error);
    b->result.took_us += g_get_monotonic_time() - begun;
}

/* One pass over builds. */
struct pass {
    const GPtrArray *builds; /* struct build* */
    gint next;               /* atomic */
};

static gpointer output_main(gpointer data)
{
    struct pass *p = data;
    for (;;) {
        guint i = (guint)g_atomic_int_add(&p->next, 1);
        if (i >= p->builds->len)
            return NULL;
        output_build(g_ptr_array_index(p->builds, i));
    }
}

/* What its outputs have to do with those of others: destinations may lie in one another, and the
 * first push brings to a registry what the others then find there. */
enum turn { TURN_FIRST, TURN_TOGETHER, TURN_ALONE };

static enum turn turn_of(const struct build *b, gboolean *pushed)
{
    gboolean push = FALSE;
    for (guint i = 0; i < b->r->outputs->len; i++) {
        const struct output *o = g_ptr_array_index(b->r->outputs, i);
        if (o->dest)
            return TURN_ALONE;
        push |= o->push;
    }
    gboolean first = push && !*pushed;
    *pushed |= push;
    return first ? TURN_FIRST : TURN_TOGETHER;
}

static void output_together(const GPtrArray *builds)
{
    struct pass p = {.builds = builds};
    GThread *threads[MAX_AT_ONCE] = {NULL};
    for (guint i = 1; i < MIN(builds->len, MAX_AT_ONCE); i++)
        threads[i] = work_helper("varve-outputs", output_main, &p);
    output_main(&p);
    for (guint i = 1; i < MAX_AT_ONCE; i++)
        if (threads[i])
            g_thread_join(threads[i]);
}

static void output_all(const GPtrArray *builds)
{
    g_autoptr(GPtrArray) together = g_ptr_array_new(), alone = g_ptr_array_new();
    gboolean pushed = FALSE;
    for (guint i = 0; i < builds->len; i++) {
        struct build *b = g_ptr_array_index(builds, i);
        enum turn turn = turn_of(b, &pushed);
        if (turn == TURN_FIRST)
            output_build(b);
        else
            g_ptr_array_add(turn == TURN_ALONE ? alone : together, b);
    }
    output_together(together);
    for (guint i = 0; i < alone->len; i++)
        output_build(g_ptr_array_index(alone, i));
}

/* Layers that an output needs may turn out to be lost: then the steps that made them run, and the
 * output is made once more. TRUE: it is to be. */
static gboolean solve_lost(struct build *b)
{
    struct batch *x = b->batch;
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    gboolean again = FALSE;
    if (!b->error || store_layers_lost(x->store) == b->lost)
        return FALSE;
    if (x->cache_reader || lost_own(b))
        event_warn(x->ports.events, "a result is lost, so its step runs again: %s",
                   b->error->message);
    solver_forget_lost(x->solver, &again);
    if (!again)
        return FALSE;
    g_clear_error(&b->error);
    g_clear_pointer(&b->result.outputs, g_array_unref);
    g_ptr_array_add(one, b);
    batch_solve(one);
    return !b->error;
}

void batch_make_outputs(struct batch *x)
{
    g_autoptr(GPtrArray) due = batch_alive(x);
    while (due->len > 0) {
        output_all(due);
        for (guint i = due->len; i-- > 0;)
            if (!solve_lost(g_ptr_array_index(due, i)))
                g_ptr_array_remove_index(due, i);
    }
}
