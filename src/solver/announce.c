/* Which steps there are, told before any of them is run. */
#include "solver/node.h"

/* Events about steps; internal vertices are not shown. */
void node_emit(struct solver *s, struct node *n, struct event *ev)
{
    if (n->v->meta.internal)
        return;
    ev->vertex = n->v->number;
    event_emit(s->o.events, ev);
}

static void announce_one(struct solver *s, struct node *n)
{
    n->res.step = ++s->steps;
    g_autofree int *inputs = g_new(int, n->v->n_inputs + 1);
    g_autofree char *platform = vertex_platform_text(n->v);
    for (guint k = 0; k < n->v->n_inputs; k++)
        inputs[k] = n->v->inputs[k]->number;
    node_emit(s, n,
              &(struct event){.type = EVENT_VERTEX,
                              .name = n->v->meta.name,
                              .stage = n->v->meta.stage,
                              .build = n->v->meta.build,
                              .platform = platform,
                              .level = n->v->meta.level,
                              .id = &n->v->id,
                              .inputs = inputs,
                              .n_inputs = n->v->n_inputs});
}

void solver_announce(struct solver *s)
{
    for (guint i = 0; i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (n->res.needed && !n->v->meta.internal && !n->res.step)
            announce_one(s, n);
    }
    event_emit(s->o.events, &(struct event){.type = EVENT_PLAN, .vertex = -1, .total = s->steps});
}
