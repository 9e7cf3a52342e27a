/* Asks for the current content of all sources on the network, in parallel: keys need it. */
#include "base/work.h"
#include "solver/node.h"

#define MAX_AT_ONCE 8

/* One pass over all of them. */
struct pass {
    struct solver *s;
    GPtrArray *nodes;  /* struct node* */
    guint next;        /* under the solver's lock, like all below */
    GPtrArray *errors; /* GError* of failed, in the order of time */
    GPtrArray *failed; /* struct node* */
};

static gboolean is_remote(const struct node *n)
{
    return n->v->op.type == OP_SOURCE &&
           (n->v->op.source.kind == SOURCE_HTTP || n->v->op.source.kind == SOURCE_GIT);
}

static struct node *take_next_node(struct pass *p)
{
    g_mutex_lock(&p->s->lock);
    gboolean more = (p->s->o.keep_going || !p->failed->len) && p->next < p->nodes->len;
    struct node *n = more ? g_ptr_array_index(p->nodes, p->next++) : NULL;
    g_mutex_unlock(&p->s->lock);
    return n;
}

static void resolve_fail(struct pass *p, struct node *n, GError *error)
{
    g_mutex_lock(&p->s->lock);
    g_ptr_array_add(p->errors, error);
    g_ptr_array_add(p->failed, n);
    if (!p->s->o.keep_going)
        cancel_trigger(p->s->stop);
    g_mutex_unlock(&p->s->lock);
}

static gpointer resolve_main(gpointer data)
{
    struct pass *p = data;
    struct solver_env *env = p->s->o.env;
    for (struct node *n = take_next_node(p); n; n = take_next_node(p)) {
        GError *error = NULL;
        struct work mine = node_work(p->s, n);
        work_enter(&mine);
        n->resolved = env->resolve(env, &n->v->op.source, &error);
        work_enter(&p->s->work);
        if (!n->resolved)
            resolve_fail(p, n, error);
    }
    return NULL;
}

static void resolve_all(struct pass *p)
{
    GThread *threads[MAX_AT_ONCE] = {NULL};
    for (guint i = 1; i < MIN(p->nodes->len, MAX_AT_ONCE); i++)
        threads[i] = work_helper("resolve", resolve_main, p);
    resolve_main(p);
    for (guint i = 1; i < MAX_AT_ONCE; i++)
        if (threads[i])
            g_thread_join(threads[i]);
}

gboolean resolve_sources(struct solver *s, GError **err)
{
    g_autoptr(GPtrArray) nodes = g_ptr_array_new(), failed = g_ptr_array_new();
    g_autoptr(GPtrArray) errors = g_ptr_array_new_with_free_func((GDestroyNotify)g_error_free);
    for (guint i = 0; s->o.env->resolve && i < s->nodes->len; i++) {
        struct node *n = g_ptr_array_index(s->nodes, i);
        if (n->res.needed && !n->resolved && is_remote(n))
            g_ptr_array_add(nodes, n);
    }
    struct pass p = {.s = s, .nodes = nodes, .errors = errors, .failed = failed};
    resolve_all(&p);
    for (guint i = 0; i < failed->len; i++) {
        GError *error = g_error_copy(g_ptr_array_index(errors, i));
        if (!node_failed_early(s, g_ptr_array_index(failed, i), error, err))
            return FALSE;
    }
    return TRUE;
}
