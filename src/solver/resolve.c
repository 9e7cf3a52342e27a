/* Asking what sources on the network hold now, all at the same time: keys need it. */
#include "solver/node.h"

#define MAX_AT_ONCE 8

/* One pass over all of them. */
struct pass {
    struct solver *s;
    GPtrArray *nodes; /* struct node* */
    guint next;       /* under the solver's lock, like all below */
    GError *error;    /* the first */
    struct node *failed;
};

static gboolean is_remote(const struct node *n)
{
    return n->v->op.type == OP_SOURCE &&
           (n->v->op.source.kind == SOURCE_HTTP || n->v->op.source.kind == SOURCE_GIT);
}

static struct node *take(struct pass *p)
{
    g_mutex_lock(&p->s->lock);
    gboolean more = !p->error && p->next < p->nodes->len;
    struct node *n = more ? g_ptr_array_index(p->nodes, p->next++) : NULL;
    g_mutex_unlock(&p->s->lock);
    return n;
}

static void fail(struct pass *p, struct node *n, GError *error)
{
    g_mutex_lock(&p->s->lock);
    if (!p->error) {
        p->error = error;
        p->failed = n;
        cancel_trigger(p->s->stop);
    } else {
        g_error_free(error);
    }
    g_mutex_unlock(&p->s->lock);
}

static gpointer resolve_main(gpointer data)
{
    struct pass *p = data;
    struct solver_env *env = p->s->o.env;
    for (struct node *n = take(p); n; n = take(p)) {
        GError *error = NULL;
        n->resolved = env->resolve(env, &n->v->op.source, &error);
        if (!n->resolved)
            fail(p, n, error);
    }
    return NULL;
}

gboolean resolve_sources(struct solver *s, GError **err)
{
    g_autoptr(GPtrArray) nodes = g_ptr_array_new();
    for (guint i = 0; s->o.env->resolve && i < s->graph->vertices->len; i++)
        if (s->nodes[i].res.needed && is_remote(&s->nodes[i]))
            g_ptr_array_add(nodes, &s->nodes[i]);
    struct pass p = {.s = s, .nodes = nodes};
    GThread *threads[MAX_AT_ONCE] = {NULL};
    for (guint i = 0; i < MIN(nodes->len, MAX_AT_ONCE); i++)
        threads[i] = g_thread_new("resolve", resolve_main, &p);
    for (guint i = 0; i < MAX_AT_ONCE && threads[i]; i++)
        g_thread_join(threads[i]);
    if (!p.error)
        return TRUE;
    s->failed = p.failed;
    g_propagate_error(err, p.error);
    return FALSE;
}
