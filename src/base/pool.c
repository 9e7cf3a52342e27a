#include "base/pool.h"

#include "base/work.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

/* One loop in progress. Helpers are only invited: the caller never waits for one that has not
 * started, so nested loops cannot starve each other. Shared by the caller and the invitations. */
struct loop {
    pool_item_fn fn;
    gpointer ctx;
    gsize n;
    const struct work *work; /* the caller's */
    atomic_size_t next;      /* first item not yet begun */
    atomic_bool failed;      /* stop beginning items */
    GMutex lock;             /* guards all below */
    GCond left;              /* signalled when active falls to 0 */
    GError *error;           /* first error */
    guint active;            /* helpers at work */
    gboolean closed;         /* the caller is done: ctx may be gone */
    guint refs;
};

static void loop_unref_locked(struct loop *l)
{
    gboolean last = --l->refs == 0;
    g_mutex_unlock(&l->lock);
    if (!last)
        return;
    g_mutex_clear(&l->lock);
    g_cond_clear(&l->left);
    g_free(l);
}

guint pool_cpus(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return MAX(1, CPU_COUNT(&set));
    return g_get_num_processors();
}

static void loop_work(struct loop *l)
{
    while (!atomic_load(&l->failed)) {
        gsize i = atomic_fetch_add(&l->next, 1);
        if (i >= l->n)
            return;
        GError *err = NULL;
        if (l->fn(l->ctx, i, &err))
            continue;
        atomic_store(&l->failed, true);
        g_mutex_lock(&l->lock);
        if (!l->error)
            l->error = g_steal_pointer(&err);
        g_mutex_unlock(&l->lock);
        g_clear_error(&err);
    }
}

static void helper_main(gpointer data, gpointer unused)
{
    struct loop *l = data;
    g_mutex_lock(&l->lock);
    if (!l->closed) {
        l->active++;
        g_mutex_unlock(&l->lock);
        work_enter(l->work);
        loop_work(l);
        work_enter(NULL);
        g_mutex_lock(&l->lock);
        if (--l->active == 0)
            g_cond_signal(&l->left);
    }
    loop_unref_locked(l);
}

static GThreadPool *shared_pool(void)
{
    static gsize once;
    static GThreadPool *pool;
    if (g_once_init_enter(&once)) {
        pool = g_thread_pool_new(helper_main, NULL, pool_cpus(), FALSE, NULL);
        g_once_init_leave(&once, 1);
    }
    return pool;
}

static gboolean run_alone(gsize n, pool_item_fn fn, gpointer ctx, GError **err)
{
    for (gsize i = 0; i < n; i++)
        if (!fn(ctx, i, err))
            return FALSE;
    return TRUE;
}

gboolean pool_for_each(gsize n, pool_item_fn fn, gpointer ctx, GError **err)
{
    guint helpers = n < 2 ? 0 : MIN(n - 1, pool_cpus() - 1);
    if (helpers == 0)
        return run_alone(n, fn, ctx, err);
    struct loop *l = g_new0(struct loop, 1);
    l->fn = fn;
    l->ctx = ctx;
    l->n = n;
    l->work = work_current();
    l->refs = helpers + 1;
    g_mutex_init(&l->lock);
    g_cond_init(&l->left);
    /* Helpers see what the caller wrote because they take the lock after it, independent of the
     * pool's queue. */
    g_mutex_lock(&l->lock);
    g_mutex_unlock(&l->lock);
    for (guint i = 0; i < helpers; i++)
        g_thread_pool_push(shared_pool(), l, NULL);
    loop_work(l);
    g_mutex_lock(&l->lock);
    l->closed = TRUE;
    while (l->active > 0)
        g_cond_wait(&l->left, &l->lock);
    GError *error = l->error;
    loop_unref_locked(l);
    if (!error)
        return TRUE;
    g_propagate_error(err, error);
    return FALSE;
}
