#include "base/work.h"

static __thread const struct work *current;

/* What a new thread is told. */
struct start_thread {
    GThreadFunc fn;
    gpointer data;
    const struct work *work; /* of the thread that started it */
    gboolean counted;        /* holds one of its slots */
};

const struct work *work_enter(const struct work *w)
{
    const struct work *before = current;
    current = w;
    return before;
}

const struct work *work_current(void)
{
    return current;
}

gboolean work_check(GError **err)
{
    return current ? cancel_check(current->cancel, err) : cancel_check_command(err);
}

static gpointer thread_main(gpointer data)
{
    struct start_thread s = *(struct start_thread *)data;
    g_free(data);
    current = s.work;
    gpointer result = s.fn(s.data);
    if (s.counted)
        slots_give(s.work->slots);
    return result;
}

static GThread *start_thread(const char *name, GThreadFunc fn, gpointer data, gboolean counted,
                             GError **err)
{
    struct start_thread *s = g_new(struct start_thread, 1);
    *s = (struct start_thread){fn, data, current, counted};
    GThread *t = g_thread_try_new(name, thread_main, s, err);
    if (!t)
        g_free(s);
    return t;
}

GThread *work_thread(const char *name, GThreadFunc fn, gpointer data, GError **err)
{
    return start_thread(name, fn, data, FALSE, err);
}

GThread *work_helper(const char *name, GThreadFunc fn, gpointer data)
{
    gboolean counted = current && current->slots;
    if (counted && !slots_take(current->slots))
        return NULL;
    GThread *t = start_thread(name, fn, data, counted, NULL);
    if (!t && counted)
        slots_give(current->slots);
    return t;
}
