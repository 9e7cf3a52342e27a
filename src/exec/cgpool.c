#include "exec/cgpool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    GMutex lock;
    pid_t owner;     /* a process forked from it has cgroups of its own */
    char *parent;    /* NULL: there are none to be had */
    gboolean memory; /* they count memory: the peak covers a cgroup's whole life */
    GPtrArray *idle; /* struct cgroupdir, empty */
} pool;

static void dir_free(struct cgroupdir *d)
{
    cgroupdir_remove(d);
    g_free(d);
}

static void remove_idle(void)
{
    if (pool.owner == getpid())
        g_ptr_array_set_size(pool.idle, 0);
}

/* A forked process must not remove what it inherited of the pool. */
static void pool_start(void)
{
    if (pool.owner == 0)
        atexit(remove_idle);
    pool.owner = getpid();
    pool.idle = g_ptr_array_new_with_free_func((GDestroyNotify)dir_free);
    pool.parent = cgroupdir_of(0);
    if (pool.parent)
        cgroupdir_sweep(pool.parent);
}

/* With the lock held. */
static struct cgroupdir *make_pooled_cgroup(void)
{
    g_autofree char *name = cgroupdir_name();
    char *path = g_build_filename(pool.parent, name, NULL);
    struct cgroupdir *d = g_new0(struct cgroupdir, 1);
    if (mkdir(path, 0755) == 0) {
        if (cgroupdir_open(d, path, NULL)) {
            pool.memory = faccessat(d->fd, "memory.peak", F_OK, 0) == 0;
            return d;
        }
        cgroupdir_remove(d);
    } else {
        g_free(path);
    }
    g_clear_pointer(&pool.parent, g_free);
    g_free(d);
    return NULL;
}

struct cgroupdir *cgpool_take(void)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool.lock);
    if (pool.owner != getpid())
        pool_start();
    if (pool.idle->len > 0)
        return g_ptr_array_steal_index_fast(pool.idle, pool.idle->len - 1);
    return pool.parent ? make_pooled_cgroup() : NULL;
}

void cgpool_give(struct cgroupdir *d, gboolean as_made)
{
    if (!d)
        return;
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool.lock);
    if (pool.memory || !as_made)
        dir_free(d);
    else
        g_ptr_array_add(pool.idle, d);
}

void cgpool_refuse(struct cgroupdir *d)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&pool.lock);
    g_clear_pointer(&pool.parent, g_free);
    dir_free(d);
}
