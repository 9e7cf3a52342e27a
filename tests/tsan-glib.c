/* GLib's locks as ThreadSanitizer must see them. GLib is not instrumented and its locks are futexes
 * of its own, so that every use of them looks like a race. These wrappers are linked into the test
 * programs of a -Db_sanitize=thread build, come before GLib's functions, and tell the sanitizer
 * what happens before what. */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* GLib's own: the nodes of its queues travel under locks inside of it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:g_queue_pop_tail\n";
}

#define REAL(type, name) ((type)real(name))

static void *real(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

typedef void (*lock_fn)(void *);
typedef gboolean (*try_fn)(void *);

#define WRAP_LOCK(name, type)                                                                      \
    void name(type *lock)                                                                          \
    {                                                                                              \
        REAL(lock_fn, #name)(lock);                                                                \
        __tsan_acquire(lock);                                                                      \
    }
#define WRAP_UNLOCK(name, type)                                                                    \
    void name(type *lock)                                                                          \
    {                                                                                              \
        __tsan_release(lock);                                                                      \
        REAL(lock_fn, #name)(lock);                                                                \
    }
#define WRAP_TRY(name, type)                                                                       \
    gboolean name(type *lock)                                                                      \
    {                                                                                              \
        gboolean taken = REAL(try_fn, #name)(lock);                                                \
        if (taken)                                                                                 \
            __tsan_acquire(lock);                                                                  \
        return taken;                                                                              \
    }

WRAP_LOCK(g_mutex_lock, GMutex)
WRAP_UNLOCK(g_mutex_unlock, GMutex)
WRAP_TRY(g_mutex_trylock, GMutex)
WRAP_LOCK(g_rec_mutex_lock, GRecMutex)
WRAP_UNLOCK(g_rec_mutex_unlock, GRecMutex)
WRAP_TRY(g_rec_mutex_trylock, GRecMutex)
WRAP_LOCK(g_rw_lock_reader_lock, GRWLock)
WRAP_UNLOCK(g_rw_lock_reader_unlock, GRWLock)
WRAP_LOCK(g_rw_lock_writer_lock, GRWLock)
WRAP_UNLOCK(g_rw_lock_writer_unlock, GRWLock)

void g_cond_wait(GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    REAL(void (*)(GCond *, GMutex *), "g_cond_wait")(cond, mutex);
    __tsan_acquire(mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
    __tsan_release(mutex);
    gboolean woken =
        REAL(gboolean(*)(GCond *, GMutex *, gint64), "g_cond_wait_until")(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return woken;
}

gboolean(g_once_init_enter)(volatile void *location)
{
    gboolean first = REAL(gboolean(*)(volatile void *), "g_once_init_enter")(location);
    __tsan_acquire((void *)location);
    return first;
}

void(g_once_init_leave)(volatile void *location, gsize result)
{
    __tsan_release((void *)location);
    REAL(void (*)(volatile void *, gsize), "g_once_init_leave")(location, result);
}

void g_async_queue_push(GAsyncQueue *queue, gpointer data)
{
    __tsan_release(queue);
    REAL(void (*)(GAsyncQueue *, gpointer), "g_async_queue_push")(queue, data);
}

gpointer g_async_queue_pop(GAsyncQueue *queue)
{
    gpointer data = REAL(gpointer(*)(GAsyncQueue *), "g_async_queue_pop")(queue);
    __tsan_acquire(queue);
    return data;
}

struct pooled {
    GFunc func;
    gpointer user_data;
};

static void run_pooled(gpointer data, gpointer pooled)
{
    const struct pooled *p = pooled;
    __tsan_acquire(data);
    p->func(data, p->user_data);
}

/* Pools live as long as the program. */
GThreadPool *g_thread_pool_new(GFunc func, gpointer user_data, gint max, gboolean exclusive,
                               GError **err)
{
    typedef GThreadPool *(*new_fn)(GFunc, gpointer, gint, gboolean, GError **);
    struct pooled *p = g_new(struct pooled, 1);
    *p = (struct pooled){func, user_data};
    return REAL(new_fn, "g_thread_pool_new")(run_pooled, p, max, exclusive, err);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **err)
{
    __tsan_release(data);
    return REAL(gboolean(*)(GThreadPool *, gpointer, GError **), "g_thread_pool_push")(pool, data,
                                                                                       err);
}
